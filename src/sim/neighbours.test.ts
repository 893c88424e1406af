import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMac, parseIp, parseMac } from "../wire/address.ts";
import { Frame } from "../wire/frame.ts";
import { Clock } from "./clock.ts";
import { NEIGHBOURS_MAX, Neighbours, WAITING_MAX } from "./neighbours.ts";

const IP = parseIp("10.0.0.1")!;
const MAC = parseMac("02:00:00:00:00:01")!;
const OTHER = parseMac("02:00:00:00:00:09")!;
const frame = () => Frame.of(new Uint8Array(60));

function start() {
  const clock = new Clock();
  const events: string[] = [];
  const neighbours = new Neighbours({
    clock,
    solicit: (_ip, mac) => events.push(`asked ${mac === undefined ? "all" : formatMac(mac)}`),
    send: (_f, mac) => events.push(`sent ${formatMac(mac)}`),
    unreachable: () => events.push("unreachable"),
  });
  return { clock, events, neighbours };
}
const state = (neighbours: Neighbours) => neighbours.list()[0]?.state;

test("frames wait until the neighbour has answered, and go in their order", () => {
  const { events, neighbours } = start();
  neighbours.output(frame(), IP);
  neighbours.output(frame(), IP);
  assert.deepEqual(events, ["asked all"]);
  neighbours.learn(IP, MAC, true, false);
  assert.deepEqual(events.slice(1), ["sent 02:00:00:00:00:01", "sent 02:00:00:00:00:01"]);
  assert.equal(state(neighbours), "reachable");
});

test("nobody answers: three are asked, a second apart, then all that waits is unreachable", () => {
  const { clock, events, neighbours } = start();
  neighbours.output(frame(), IP);
  clock.run(2999);
  assert.deepEqual(events, ["asked all", "asked all", "asked all"]);
  clock.run(1);
  assert.deepEqual(events.slice(3), ["unreachable"]);
  assert.equal(state(neighbours), "failed");
  neighbours.output(frame(), IP);
  assert.equal(events.at(-1), "asked all");
});

test("a neighbour that is used after its time is asked itself, and if it is silent, forgotten", () => {
  const { clock, events, neighbours } = start();
  neighbours.learn(IP, MAC, false, true);
  assert.equal(state(neighbours), "stale");
  neighbours.output(frame(), IP);
  assert.deepEqual([events.at(-1), state(neighbours)], ["sent 02:00:00:00:00:01", "delay"]);
  clock.run(5000);
  assert.deepEqual([events.at(-1), state(neighbours)], ["asked 02:00:00:00:00:01", "probe"]);
  clock.run(3000);
  assert.equal(state(neighbours), "failed");
});

test("who is reachable is so for 30 seconds, and again when another MAC is told", () => {
  const { clock, events, neighbours } = start();
  neighbours.learn(IP, MAC, true, true);
  clock.run(29_999);
  assert.equal(state(neighbours), "reachable");
  neighbours.learn(IP, OTHER, false, false);
  assert.equal(state(neighbours), "stale");
  neighbours.output(frame(), IP);
  assert.equal(events.at(-1), "sent 02:00:00:00:00:09");
});

test("what nobody asked for is not learnt unless it may be", () => {
  const { neighbours } = start();
  neighbours.learn(IP, MAC, true, false);
  assert.deepEqual(neighbours.list(), []);
});

test("a neighbour keeps the newest frames that wait, and the table does not grow without end", () => {
  const { events, neighbours } = start();
  for (let i = 0; i < WAITING_MAX + 5; i++) neighbours.output(frame(), IP);
  neighbours.learn(IP, MAC, true, false);
  assert.equal(events.filter((event) => event.startsWith("sent")).length, WAITING_MAX);
  for (let i = 1; i < NEIGHBOURS_MAX + 5; i++)
    neighbours.output(frame(), Uint8Array.of(10, 1, i >> 8, i & 0xff));
  assert.equal(neighbours.list().length, NEIGHBOURS_MAX);
  assert.equal(events.at(-1), "unreachable");
});
