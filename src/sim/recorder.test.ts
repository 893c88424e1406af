/** What a recorder hears of a ping, and how it is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dump } from "../wire/dump.ts";
import { Frame } from "../wire/frame.ts";
import { type Event, Recorder } from "./recorder.ts";
import { Shell } from "./shell/shell.ts";
import { tell, tellPlace } from "./tell.ts";

/** Two slaves, 10.0.0.10 in ns0 and 10.0.0.11 in ns1, and a ping between them that is recorded. */
function record(type: string, ping: string): readonly Event[] {
  const shell = new Shell({ print: () => {}, complain: assert.fail });
  shell.run(
    [0, 1]
      .map(
        (n) => `
          ip netns add ns${n}
          ip link add link eth0 ipvl${n} netns ns${n} type ipvlan ${type}
          ip -n ns${n} link set ipvl${n} up
          ip -n ns${n} addr add 10.0.0.1${n}/24 dev ipvl${n}`,
      )
      .join(""),
    "script",
  );
  shell.run("sleep 5", "script");
  const events: Event[] = [];
  const { simulation } = shell.world;
  simulation.witness = new Recorder(simulation, (event) => events.push(event));
  shell.run(`ip netns exec ns0 ping -c 1 ${ping}`, "script");
  return events;
}

const what = ({ bytes }: Event) => dump(Frame.of(bytes));

test("a ping between slaves: hops from slave to slave, and a decision at each", () => {
  const events = record("mode l2", "10.0.0.11");
  const hops = events.flatMap((one) =>
    one.kind === "hop" && what(one).includes("echo")
      ? [`${tellPlace(one.from)} > ${tellPlace(one.to)}`]
      : [],
  );
  assert.deepEqual(hops, ["ns0/ipvl0 > ns1/ipvl1", "ns1/ipvl1 > ns0/ipvl0"]);
  const outcomes = events.flatMap((one) => (one.kind === "decision" ? [one.outcome] : []));
  assert.deepEqual(outcomes, [
    "to every other slave that listens, and out of eth0",
    "to ipvl0",
    "to ipvl1",
    "to ipvl0",
  ]);
});

test("out of the master, along the cable, and back", () => {
  const hops = record("mode l2", "10.0.0.1").flatMap((one) =>
    one.kind === "hop" && what(one).includes("echo")
      ? [`${tellPlace(one.from)} > ${tellPlace(one.to)} ${(one.untilMs - one.atMs).toFixed(2)}`]
      : [],
  );
  assert.deepEqual(hops, [
    "ns0/ipvl0 > host/eth0 0.00",
    "host/eth0 > lan/w0 0.01",
    "lan/w0 > host/eth0 0.01",
    "host/eth0 > ns0/ipvl0 0.00",
  ]);
});

test("private, l3: the driver's drop is a loss with its reason, and told with the rule", () => {
  const events = record("mode l3 private", "10.0.0.11");
  const losses = events.flatMap((one) => (one.kind === "loss" ? [one.reason] : []));
  assert.deepEqual(losses, ["isolated"]);
  const told = events.map(tell).join("");
  assert.match(
    told,
    /ns0\/ipvl0 {2}10\.0\.0\.10 > 10\.0\.0\.11 icmp echo request .*, asked at xmit\n/,
  );
  assert.match(
    told,
    /L3\.1 +yes +not vepa, and a slave has the address \(.*10\.0\.0\.11 is ipvl1's\)/,
  );
  assert.match(told, /=> dropped: isolated, by F\.1\n/);
  assert.match(told, /=> lost: isolated: for another slave, and the port is private\n/);
});

test("what a stack does not want is a loss where it is", () => {
  const events = record("mode l3", "10.0.0.1");
  const losses = events.flatMap((one) =>
    one.kind === "loss" ? [`${tellPlace(one.at)} ${one.reason}`] : [],
  );
  assert.ok(losses.includes("ns0/ipvl0 noarp"), losses.join());
});
