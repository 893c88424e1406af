/** Packets followed from device to device, and the film that is made of it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tellPlace } from "../sim/tell.ts";
import { Film, HOP_MS, IDLE_MS_MAX, SHOTS_MAX } from "./film.ts";
import { hopsOf, lossesOf, PACKETS_MAX, type Packet } from "./record.ts";
import { linesOf, Session } from "./session.ts";

const HOWTO = linesOf(readFileSync("examples/howto.sh", "utf8"));

/** The HOWTO's host, and these lines, of which the packets are listed and shown. */
function watch(...lines: readonly string[]) {
  const film = new Film();
  const session = new Session((step) => film.add(step));
  for (const line of HOWTO) session.run(line, false);
  for (const line of lines) session.run(line);
  return { record: session.record, film };
}

const wayOf = (packet: Packet): string[] =>
  hopsOf(packet).map(({ from, to }) => `${tellPlace(from)} > ${tellPlace(to)}`);

test("a ping of the LAN is a question and an answer, each one packet all the way", () => {
  const { packets } = watch("ip netns exec ns1 ping -c 1 10.0.0.1").record;
  const echoes = packets.filter(({ kind }) => kind === "icmp");
  assert.deepEqual(echoes.map(wayOf), [
    ["ns1/ipvl1 > host/eth0", "host/eth0 > lan/w0"],
    ["lan/w0 > host/eth0", "host/eth0 > ns1/ipvl1"],
  ]);
});

test("the copies of a flood are one packet", () => {
  const [first] = watch("ip netns exec ns0 ping -c 1 10.0.0.77").record.packets;
  assert.equal(first!.text, "arp who-has 10.0.0.77 tell 10.0.0.10");
  assert.deepEqual(wayOf(first!), [
    "ns0/ipvl0 > host/eth0",
    "host/eth0 > lan/w0",
    "host/eth0 > ns1/ipvl1",
  ]);
});

test("what is sent again is another packet", () => {
  const { packets } = watch("ip netns exec ns0 ping -c 1 -W 4 10.0.0.77").record;
  const questions = packets.filter(({ text }) => text.includes("who-has 10.0.0.77"));
  assert.equal(questions.length, 3);
  for (const question of questions) assert.equal(hopsOf(question).length, 3);
});

test("a packet that a router forwards stays one, though MACs and TTL change", () => {
  const session = watch(
    "ip netns add far",
    "ip -n lan link add w1 type veth peer name f0 netns far",
    "ip -n lan link set w1 up",
    "ip -n far link set f0 up",
    "ip -n lan addr add 192.168.0.1/24 dev w1",
    "ip -n far addr add 192.168.0.2/24 dev f0",
    "ip -n far route add default via 192.168.0.1",
    "ip netns exec lan sysctl -w net.ipv4.ip_forward=1",
    "ip netns exec ns0 ping -c 1 192.168.0.2",
  );
  const request = session.record.packets.find(({ text }) => text.includes("echo request"))!;
  assert.deepEqual(wayOf(request), [
    "ns0/ipvl0 > host/eth0",
    "host/eth0 > lan/w0",
    "lan/w1 > far/f0",
  ]);
});

test("under private a packet is lost where it is decided, with the decision before it", () => {
  const session = watch(
    "ip -n ns0 link set ipvl0 type ipvlan mode l2 private",
    "ip netns exec ns0 ping -c 1 10.0.0.11",
  );
  const request = session.record.packets.find(({ text }) => text.includes("echo request"))!;
  assert.deepEqual(
    request.events.map(({ kind }) => kind),
    ["decision", "loss"],
  );
  assert.equal(lossesOf(request)[0]!.reason, "isolated");
});

test("the oldest packets are forgotten, and the oldest of the film", () => {
  const { record, film } = watch(
    "ip netns exec ns0 ping -c 1000 10.0.0.11",
    `${"ip netns exec ns1 ping -c 1000 10.0.0.1;".repeat(2)}`,
  );
  assert.equal(record.packets.length, PACKETS_MAX);
  assert.ok(record.packets[0]!.number > 1);
  assert.ok(film.shots.length <= SHOTS_MAX);
  assert.ok(film.startMs > 0 && film.startMs < film.lengthMs);
});

test("the film shows an answer behind its question, and copies at once", () => {
  const { shots } = watch("ip netns exec ns0 ping -c 1 10.0.0.77", "sleep 60").film;
  const [up, ...copies] = shots.filter(({ packet }) => packet.number === 1);
  assert.equal(copies.length, 2);
  for (const copy of copies) assert.equal(copy.startMs, up!.endMs);
  const pinged = watch("ip netns exec ns1 ping -c 1 10.0.0.1").film.shots;
  const [request, reply] = ["request", "reply"].map((word) =>
    pinged.filter(({ packet }) => packet.text.includes(word)),
  );
  assert.ok(reply![0]!.startMs >= request!.at(-1)!.endMs);
});

test("the film shortens waits", () => {
  const ping = "ip netns exec ns0 ping -c 1 10.0.0.11";
  const { film } = watch(ping, "sleep 4000", ping);
  assert.ok(film.lengthMs <= film.shots.length * (HOP_MS + IDLE_MS_MAX) + HOP_MS);
  assert.equal(film.at(film.lengthMs).length, 0);
});
