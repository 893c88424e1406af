import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp } from "../wire/address.ts";
import { Frame, put8, put16 } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import { transportChecksum4, transportChecksum6 } from "../wire/pseudo-header.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { Clock } from "./clock.ts";
import { CONNECTIONS_MAX, Conntrack, type Tracked } from "./conntrack.ts";
import { errorPacket } from "./icmp-errors.ts";
import * as packets from "./packets.ts";
import { restore, translateDestination, translateSource } from "./translation.ts";

const ip = (text: string) => parseIp(text)!;

function datagram(src: string, srcPort: number, dst: string, dstPort: number, data = 3): Frame {
  const header = { src: ip(src), dst: ip(dst), protocol: udp.PROTOCOL };
  const f = packets.ipPacket(header, udp.HEADER + data);
  udp.write(f, packets.payloadAt(f), { srcPort, dstPort, length: udp.HEADER + data });
  if (packets.isIpv6(f)) udp.fillChecksum6(f, packets.IP);
  else udp.fillChecksum4(f, packets.IP);
  return f;
}

function segment(src: string, dst: string, flags: number): Frame {
  const f = packets.ipPacket(
    { src: ip(src), dst: ip(dst), protocol: tcp.PROTOCOL },
    tcp.MIN_HEADER,
  );
  const isClient = src === "10.0.0.1";
  const [srcPort, dstPort] = isClient ? [4000, 80] : [80, 4000];
  const rest = { sequence: 1, acknowledgement: 1, window: 1000 };
  tcp.write(f, packets.payloadAt(f), { srcPort, dstPort, flags, ...rest });
  tcp.fillChecksum4(f, packets.IP);
  return f;
}

const [A, B] = ["10.0.0.1", "10.0.0.2"] as const;

function pass(conntrack: Conntrack, f: Frame): Tracked {
  const tracked = conntrack.track(f);
  if (tracked.connection !== undefined) assert.ok(conntrack.confirm(tracked.connection));
  return tracked;
}

test("a question is new until it is answered; both are one connection then, for two minutes", () => {
  const clock = new Clock();
  const conntrack = new Conntrack(clock);
  const states = () => [
    pass(conntrack, datagram(A, 1, B, 2)).state,
    pass(conntrack, datagram(B, 2, A, 1)).state,
  ];
  assert.equal(pass(conntrack, datagram(A, 1, B, 2)).state, "new");
  assert.deepEqual(states(), ["new", "established"]);
  clock.run(119_000);
  assert.deepEqual(states(), ["established", "established"]);
  clock.run(120_000);
  assert.deepEqual(conntrack.list(), []);
  assert.deepEqual(states(), ["new", "established"]);
});

test("a question without an answer is forgotten after thirty seconds", () => {
  const clock = new Clock();
  const conntrack = new Conntrack(clock);
  pass(conntrack, datagram(A, 1, B, 2));
  clock.run(30_000);
  assert.equal(pass(conntrack, datagram(B, 2, A, 1)).state, "new");
});

test("what was dropped before its last hook leaves nothing", () => {
  const conntrack = new Conntrack(new Clock());
  conntrack.track(datagram(A, 1, B, 2));
  assert.deepEqual(conntrack.list(), []);
});

test("an error is related to the connection of the packet that it tells of, or invalid", () => {
  const conntrack = new Conntrack(new Clock());
  pass(conntrack, datagram(A, 1, B, 2));
  const about = (f: Frame) => conntrack.track(errorPacket("no host", ip("10.0.0.9"), f));
  assert.equal(about(datagram(A, 1, B, 2)).state, "related");
  assert.equal(about(datagram(A, 1, B, 3)).state, "invalid");
});

test("an answer to nothing is invalid: echo reply, SYN-ACK, RST; an ACK is taken up", () => {
  const conntrack = new Conntrack(new Clock());
  const ends = { src: ip(A), dst: ip(B) };
  const reply = packets.echo(ends, true, 1, 1, new Uint8Array(8));
  assert.equal(conntrack.track(reply).state, "invalid");
  assert.equal(conntrack.track(segment(A, B, tcp.SYN | tcp.ACK)).state, "invalid");
  assert.equal(conntrack.track(segment(A, B, tcp.RST)).state, "invalid");
  assert.equal(conntrack.track(segment(A, B, tcp.ACK)).state, "new");
});

test("a TCP connection's states, to its end; a SYN after it begins another one", () => {
  const conntrack = new Conntrack(new Clock());
  const states = (
    [
      [A, B, tcp.SYN],
      [B, A, tcp.SYN | tcp.ACK],
      [A, B, tcp.ACK],
      [A, B, tcp.FIN | tcp.ACK],
      [B, A, tcp.FIN | tcp.ACK],
      [A, B, tcp.ACK],
      [A, B, tcp.SYN],
      [B, A, tcp.RST | tcp.ACK],
    ] as const
  ).map(([src, dst, flags]) => pass(conntrack, segment(src, dst, flags)).connection?.tcp);
  assert.deepEqual(states.slice(0, 3), ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]);
  assert.deepEqual(states.slice(3), ["FIN_WAIT", "LAST_ACK", "TIME_WAIT", "SYN_SENT", "CLOSE"]);
});

test("a full table lets no more in, until old connections are over", () => {
  const clock = new Clock();
  const conntrack = new Conntrack(clock);
  for (let i = 0; i < CONNECTIONS_MAX; i++)
    pass(conntrack, datagram(A, 1 + (i & 0x7fff), B, 1 + (i >> 15)));
  const one = () => conntrack.confirm(conntrack.track(datagram("10.0.0.3", 1, B, 2)).connection!);
  assert.equal(one(), false);
  clock.run(30_000);
  assert.equal(one(), true);
});

test("two that ask from the same port are told apart by another one", () => {
  const conntrack = new Conntrack(new Clock());
  const ports = [A, "10.0.0.3"].map((src) => {
    const f = datagram(src, 5000, B, 53);
    const { connection } = conntrack.track(f);
    assert.ok(conntrack.translate(connection!, ip("192.0.2.1")));
    assert.ok(conntrack.confirm(connection!));
    return connection!.reply.dstPort;
  });
  assert.deepEqual(ports, [5000, 5001]);
});

for (const [family, client, server, router] of [
  ["IPv4", A, B, "192.0.2.1"],
  ["IPv6", "fd00::1", "fd00::2", "2001:db8::1"],
] as const) {
  const sumOf = family === "IPv4" ? transportChecksum4 : transportChecksum6;

  /** A tracked question, translated to come from the router. */
  const ask = (conntrack: Conntrack, question: Frame): Tracked => {
    const tracked = conntrack.track(question);
    assert.ok(conntrack.translate(tracked.connection!, ip(router)));
    assert.ok(conntrack.confirm(tracked.connection!));
    translateSource(question, tracked);
    return tracked;
  };

  test(`${family}: translated packets have sound checksums, answers come to the one who asked, and all can be undone`, () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(port, port, fc.integer({ min: 0, max: 99 }), (srcPort, dstPort, data) => {
        const conntrack = new Conntrack(new Clock());
        const question = datagram(client, srcPort, server, dstPort, data);
        const before = packets.copyOf(question);
        const { connection } = ask(conntrack, question);
        assert.deepEqual(packets.srcOf(question), ip(router));
        assert.equal(sumOf(question, packets.IP), 0);
        const answer = datagram(server, dstPort, router, srcPort, data);
        translateDestination(answer, conntrack.track(answer));
        assert.deepEqual(answer.view(), datagram(server, dstPort, client, srcPort, data).view());
        restore(question, connection!, false);
        assert.deepEqual(question.view(), before.view());
      }),
    );
  });

  test(`${family}: an error about a translated packet tells its sender of the packet as it was sent`, () => {
    const conntrack = new Conntrack(new Clock());
    const question = datagram(client, 1234, server, 80);
    const before = packets.copyOf(question);
    ask(conntrack, question);
    const error = errorPacket("no host", ip(server), question);
    translateDestination(error, conntrack.track(error));
    assert.deepEqual(error.view(), errorPacket("no host", ip(server), before).view());
  });

  test(`${family}: echo is told apart by its identifier`, () => {
    const conntrack = new Conntrack(new Clock());
    const echo = (src: string, dst: string, isReply: boolean) =>
      packets.echo({ src: ip(src), dst: ip(dst) }, isReply, 77, 1, new Uint8Array(8));
    ask(conntrack, echo(client, server, false));
    const other = family === "IPv4" ? "10.0.0.9" : "fd00::9";
    const second = echo(other, server, false);
    ask(conntrack, second);
    assert.equal(icmp.identifier(second, packets.payloadAt(second)), 1024);
    const answer = echo(server, router, true);
    translateDestination(answer, conntrack.track(answer));
    assert.deepEqual(answer.view(), echo(server, client, true).view());
  });
}

test("a datagram without a checksum stays without", () => {
  const conntrack = new Conntrack(new Clock());
  const f = datagram(A, 1, B, 2);
  put16(f, packets.payloadAt(f) + 6, 0);
  const tracked = conntrack.track(f);
  conntrack.translate(tracked.connection!, ip("192.0.2.1"));
  translateSource(f, tracked);
  assert.deepEqual(packets.srcOf(f), ip("192.0.2.1"));
  assert.equal(udp.checksum(f, packets.payloadAt(f)), 0);
});

test("any bytes behind an IP header: tracked, translated, without an exception and in their bounds", () => {
  const conntrack = new Conntrack(new Clock());
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom(1, 6, 17, 44, 58, 99),
      fc.boolean(),
      (bytes, protocol, is6) => {
        const [src, dst] = (is6 ? ["fd00::1", "fd00::2"] : [A, B]).map(ip);
        const whole = packets.ipPacket({ src: src!, dst: dst!, protocol }, bytes.length);
        const around = new Uint8Array(whole.length + 64).fill(0xee);
        around.set(whole.view());
        around.set(bytes, whole.length - bytes.length);
        const f = new Frame().set(around, 0, whole.length);
        if (is6) put8(f, packets.IP + 6, protocol);
        const tracked = conntrack.track(f);
        if (tracked.connection !== undefined && !tracked.connection.isConfirmed)
          conntrack.translate(tracked.connection, ip(is6 ? "fd00::7" : "192.0.2.7"));
        translateSource(f, tracked);
        translateDestination(f, tracked);
        assert.ok(around.subarray(whole.length).every((byte) => byte === 0xee));
      },
    ),
  );
});
