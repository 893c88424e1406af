import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIp, parseIp, parsePrefix } from "../wire/address.ts";
import { Clock } from "./clock.ts";
import { Device } from "./device.ts";
import { DEFAULT, MAIN, REDIRECTS_MAX, Routing, RULES_MAX, TABLES_MAX } from "./routing.ts";

const ip = (text: string) => parseIp(text)!;
const prefix = (text: string) => parsePrefix(text)!;

const up = (name: string): Device => {
  const device = new Device({ name, mac: new Uint8Array(6) });
  device.setUp(true);
  return device;
};
const [left, right] = [up("left"), up("right")];

/** Everything leads left; in table 7, right. */
function twoWays(clock: Clock = new Clock()): Routing {
  const routing = new Routing(clock);
  routing.main.add({ to: prefix("0.0.0.0/0"), device: left, via: ip("10.0.0.1") });
  routing.makeTable(7)!.add({ to: prefix("0.0.0.0/0"), device: right });
  return routing;
}

const way = (routing: Routing, src?: string, by?: Device): string | undefined =>
  routing.find(ip("192.0.2.1"), { ...(src && { src: ip(src) }), ...(by && { by }) })?.device.name;

test("a rule is asked before those with greater numbers, and one without a route is passed by", () => {
  const routing = twoWays();
  assert.equal(way(routing, "10.0.0.2"), "left");
  routing.addRule({ priority: 10, from: prefix("10.0.0.0/24"), table: 7 });
  routing.addRule({ priority: 5, from: prefix("10.0.0.9/32"), table: MAIN });
  routing.addRule({ priority: 1, table: 99 });
  assert.deepEqual(
    ["10.0.0.2", "10.0.0.9", "10.0.1.2", undefined].map((src) => way(routing, src)),
    ["right", "left", "left", "left"],
  );
  assert.ok(routing.removeRule(({ priority }) => priority === 10));
  assert.ok(!routing.removeRule(({ priority }) => priority === 10));
  assert.equal(way(routing, "10.0.0.2"), "left");
});

test("a rule may ask where a packet goes", () => {
  const routing = twoWays();
  routing.addRule({ priority: 1, to: prefix("192.0.3.0/24"), table: 7 });
  assert.equal(way(routing), "left");
  routing.addRule({ priority: 2, to: prefix("192.0.2.0/24"), table: 7 });
  assert.equal(way(routing), "right");
});

test("a rule may ask by which device a packet came in; own ones came by lo", () => {
  const routing = twoWays();
  routing.addRule({ priority: 1, by: "right", table: 7 });
  assert.deepEqual([way(routing, undefined, right), way(routing)], ["right", "left"]);
  routing.addRule({ priority: 2, by: "lo", table: 7 });
  assert.deepEqual([way(routing, undefined, left), way(routing)], ["left", "right"]);
});

test("the default table is asked when the main one has nothing", () => {
  const routing = new Routing(new Clock());
  routing.makeTable(DEFAULT)!.add({ to: prefix("0.0.0.0/0"), device: right });
  assert.equal(way(routing), "right");
  routing.main.add({ to: prefix("0.0.0.0/0"), device: left });
  assert.equal(way(routing), "left");
});

test("a redirect holds for five minutes, for its destination and device only", () => {
  const clock = new Clock();
  const routing = twoWays(clock);
  const via = (to: string) => routing.find(ip(to))?.via;
  routing.redirect(ip("192.0.2.1"), left, ip("10.0.0.3"));
  routing.redirect(ip("192.0.2.2"), right, ip("10.0.0.3"));
  const vias = () => ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((to) => formatIp(via(to)!));
  assert.deepEqual(vias(), ["10.0.0.3", "10.0.0.1", "10.0.0.1"]);
  clock.run(300_000);
  assert.deepEqual(vias(), ["10.0.0.1", "10.0.0.1", "10.0.0.1"]);
});

test("rules, tables and redirects have limits", () => {
  const routing = new Routing(new Clock());
  let rules = routing.rules.length;
  while (routing.addRule({ priority: 1, table: 7 })) rules++;
  assert.equal(rules, RULES_MAX);
  let tables = 0;
  while (routing.makeTable(tables + 1) !== undefined) tables++;
  assert.equal(tables, TABLES_MAX + 1); // the main one is there already
  routing.main.add({ to: prefix("0.0.0.0/0"), device: left, via: ip("10.0.0.1") });
  for (let i = 0; i <= REDIRECTS_MAX; i++)
    routing.redirect(Uint8Array.of(192, 0, i >> 8, i & 255), left, ip("10.0.0.3"));
  const told = Array.from({ length: REDIRECTS_MAX + 1 }, (_, i) =>
    formatIp(routing.find(Uint8Array.of(192, 0, i >> 8, i & 255))!.via!),
  );
  assert.equal(told.filter((via) => via === "10.0.0.3").length, 1);
});
