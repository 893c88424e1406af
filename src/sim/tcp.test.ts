/** TCP and UDP between two namespaces, over cables that lose, double and reorder. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIp, parseMac, parsePrefix } from "../wire/address.ts";
import { put8, u8 } from "../wire/frame.ts";
import * as tcp from "../wire/tcp.ts";
import { connect } from "./cable.ts";
import { Device } from "./device.ts";
import { type Faults, NO_FAULTS } from "./faults.ts";
import { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";
import { SOCKETS_MAX } from "./ports.ts";
import { Simulation } from "./simulation.ts";
import { SEND_MAX, type TcpConnection } from "./tcp.ts";

interface Pair {
  readonly simulation: Simulation;
  readonly client: Namespace;
  readonly server: Namespace;
  readonly devices: readonly [Device, Device];
}

function make(simulation: Simulation, last: number, isNoarp: boolean): [Namespace, Device] {
  const netns = new Namespace(`end ${last}`, simulation);
  const device = new Device({ name: "eth0", mac: parseMac("02:00:00:00:00:01")! });
  device.isNoarp = isNoarp;
  netns.add(device);
  device.setUp(true);
  netns.addAddress(device, parsePrefix(`10.0.0.${last}/24`)!);
  netns.addAddress(device, parsePrefix(`fd00::${last}/64`)!, false);
  return [netns, device];
}

/** client 10.0.0.1, fd00::1 -- server 10.0.0.2, fd00::2. They have one MAC; without ARP they take it for each other's. */
function pair(faults: Partial<Faults> = {}, seed = 1, isNoarp = true): Pair {
  const simulation = new Simulation(seed);
  const [client, a] = make(simulation, 1, isNoarp);
  const [server, b] = make(simulation, 2, isNoarp);
  connect(simulation, a, b, { ...NO_FAULTS, ...faults });
  return { simulation, client, server, devices: [a, b] };
}

function echo({ server }: Pair): void {
  for (const width of [4, 16] as const)
    server.tcp.listen(width, 7, (connection) => ({
      onData: (data) => void connection.send(data),
      onEnd: () => connection.close(),
      onClose: () => {},
    }));
}

/** What comes back, and how it ended. */
function talk(ends: Pair, bytes: Uint8Array, to = "10.0.0.2", port = 7): [Uint8Array, string] {
  const heard: number[] = [];
  let ended = "not at all";
  const connection = ends.client.tcp.connect(parseIp(to)!, port, {
    onData: (data) => heard.push(...data),
    onEnd: () => {},
    onClose: (failure) => {
      ended = failure ?? "closed";
    },
  });
  if (connection === undefined) return [new Uint8Array(0), "no way"];
  assert.ok(connection.send(bytes));
  connection.close();
  ends.simulation.clock.run(3_600_000, () => ended !== "not at all");
  return [Uint8Array.from(heard), ended];
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 7);

for (const to of ["10.0.0.2", "fd00::2"])
  for (const length of [0, 1, 536, 1221, 60_000])
    test(`${length} bytes come back from ${to}, and both close`, () => {
      const ends = pair();
      echo(ends);
      assert.deepEqual(talk(ends, bytes(length), to), [bytes(length), "closed"]);
    });

test("whatever is lost, doubled or late on the way: all bytes come back in their order", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5000 }),
      fc.integer(),
      fc.double({ min: 0, max: 0.1, noNaN: true }),
      fc.double({ min: 0, max: 0.1, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
      (length, seed, loss, duplication, jitterMs) => {
        const ends = pair({ loss, duplication, jitterMs, delayMs: 1 }, seed);
        echo(ends);
        assert.deepEqual(talk(ends, bytes(length)), [bytes(length), "closed"]);
      },
    ),
    { numRuns: 100 },
  );
});

test("nobody listens: the connection is refused; nobody is there: no route to host; no route: no way", () => {
  const ends = pair({}, 1, false);
  assert.equal(talk(ends, bytes(1))[1], "Connection refused");
  assert.equal(talk(ends, bytes(1), "10.0.0.9")[1], "No route to host");
  assert.equal(talk(ends, bytes(1), "192.0.2.1")[1], "no way");
});

test("nothing is ever answered: after seven SYNs, two minutes and seven seconds, the time is out", () => {
  const ends = pair();
  echo(ends);
  let syns = 0;
  ends.devices[1].intake = (f) => {
    if (packets.protocolOf(f) !== tcp.PROTOCOL) return false;
    syns++;
    return true;
  };
  const startMs = ends.simulation.clock.nowMs;
  assert.equal(talk(ends, bytes(1))[1], "Connection timed out");
  assert.equal(syns, 7);
  assert.equal(Math.round((ends.simulation.clock.nowMs - startMs) / 1000), 127);
});

test("the other end has begun anew in mid-talk, and knows nothing: reset", () => {
  const ends = pair();
  echo(ends);
  let ended: string | undefined;
  const connection = ends.client.tcp.connect(parseIp("10.0.0.2")!, 7, {
    onData: () => {},
    onEnd: () => {},
    onClose: (failure) => {
      ended = failure;
    },
  })!;
  ends.simulation.clock.run(100);
  const [, anew] = make(ends.simulation, 2, true);
  connect(ends.simulation, ends.devices[0], anew);
  assert.ok(connection.send(bytes(3)));
  ends.simulation.clock.run(100);
  assert.equal(ended, "Connection reset by peer");
});

test("more than may wait is not taken", () => {
  const ends = pair();
  const connection = ends.client.tcp.connect(parseIp("10.0.0.2")!, 7, {
    onData: () => {},
    onEnd: () => {},
    onClose: () => {},
  })!;
  assert.equal(connection.send(bytes(SEND_MAX)), true);
  assert.equal(connection.send(bytes(1)), false);
});

test("a server that aborts resets its client", () => {
  const ends = pair();
  ends.server.tcp.listen(4, 7, (connection: TcpConnection) => ({
    onData: () => connection.abort(),
    onEnd: () => {},
    onClose: () => {},
  }));
  assert.equal(talk(ends, bytes(1))[1], "Connection reset by peer");
});

test("a segment that was damaged on the way is not believed", () => {
  const ends = pair();
  echo(ends);
  let isFirst = true;
  ends.devices[1].intake = (f) => {
    const isData = packets.protocolOf(f) === tcp.PROTOCOL && packets.payloadLength(f) > 20;
    if (isData && isFirst) {
      put8(f, f.length - 1, u8(f, f.length - 1) ^ 1);
      isFirst = false;
    }
    return false;
  };
  assert.deepEqual(talk(ends, bytes(9)), [bytes(9), "closed"]);
  assert.equal(isFirst, false);
});

test("a namespace has so many sockets, and no more", () => {
  const { client } = pair();
  const user = { onDatagram: () => {} };
  for (let port = 1; port <= SOCKETS_MAX; port++) assert.ok(client.udp.bind(4, port, user));
  assert.equal(client.udp.bind(4, 0, user), undefined);
});

test("UDP: who asks hears the answer, or that nobody listens", () => {
  const { simulation, client, server } = pair();
  const heard: string[] = [];
  const socket = client.udp.bind(4, 0, {
    onDatagram: ({ srcPort }, payload) => heard.push(`${srcPort}: ${payload}`),
    onFailure: (failure) => heard.push(failure),
  })!;
  const to = parseIp("10.0.0.2")!;
  socket.send(to, 53, Uint8Array.of(1));
  simulation.clock.run(100);
  const answering = server.udp.bind(4, 53, {
    onDatagram: ({ src, srcPort }, payload) => answering!.send(src, srcPort, payload),
  });
  assert.equal(server.udp.bind(4, 53, { onDatagram: () => {} }), undefined);
  socket.send(to, 53, Uint8Array.of(2, 3));
  simulation.clock.run(100);
  answering!.close();
  socket.send(to, 53, Uint8Array.of(4));
  simulation.clock.run(100);
  assert.deepEqual(heard, ["no port", "53: 2,3", "no port"]);
});
