/** Where things stand in the drawing, and how links run. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Box, type Layout, layOut, linesOf as linesOfDevice, shortened } from "./layout.ts";
import { curvesOf, pathOf, pointOn } from "./paths.ts";
import { linesOf, Session } from "./session.ts";
import { NAMESPACES_MAX, type Topology, topologyOf } from "./topology.ts";

const WIDTHS = [300, 360, 520, 720, 1000];

const howto = topologyOf(Session.of(linesOf(readFileSync("examples/howto.sh", "utf8"))).world);

/** Slaves of eth0 in namespaces of their own. */
const manyNamespaces = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => [
    `ip netns add c${i}`,
    `ip link add link eth0 name e${i} netns c${i} type ipvlan mode l2`,
    `ip -n c${i} addr add 10.0.0.${20 + i}/24 dev e${i}`,
  ]).flat();

const crowd = (count: number): Topology => topologyOf(Session.of(manyNamespaces(count)).world);

const bridged = topologyOf(
  Session.of([
    "ip link add br0 type bridge",
    "ip netns add a",
    "ip link add va type veth peer name ca netns a",
    "ip link set va master br0",
  ]).world,
);

/** Names and addresses as long as may be, and many. */
const long = topologyOf(
  Session.of([
    `ip netns add ${"n".repeat(200)}`,
    "ip netns add a",
    "ip link add link eth0 abcdefghijklmno netns a type ipvlan mode l2",
    ...Array.from(
      { length: 20 },
      (_, i) =>
        `ip -n a addr add fd00:1111:2222:3333:4444:5555:6666:${7000 + i}/128 dev abcdefghijklmno`,
    ),
  ]).world,
);

const placeOf = (layout: Layout, netns: string) => layout.namespaces.get(netns)!;
const isApart = (a: Box, b: Box) =>
  a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
const isWithin = (a: Box, b: Box) =>
  b.x <= a.x && a.x + a.width <= b.x + b.width && b.y <= a.y && a.y + a.height <= b.y + b.height;

test("what is too long for its box is shortened in the middle", () => {
  assert.equal(shortened("fd00:1111:2222:3333::7777/64", 100), "fd00:1…777/64");
  assert.equal(shortened("fd00::1/64", 100), "fd00::1/64");
  const device = long.namespaces.find(({ name }) => name === "a")!.devices[0]!;
  assert.equal(linesOfDevice(device).at(-1), "and 15 more");
});

test("of very many namespaces some are left out, and links to them", () => {
  const many = topologyOf(Session.of(manyNamespaces(NAMESPACES_MAX + 20)).world);
  assert.equal(many.namespaces.length, NAMESPACES_MAX);
  assert.equal(many.omitted, 22); // host and lan are there already
  const names = new Set(many.namespaces.map(({ name }) => name));
  for (const { a, b } of many.links)
    assert.ok(names.has(a.netns!.name) && names.has(b.netns!.name));
});

test("the HOWTO's host: its slaves' namespaces above it, side by side, the LAN below it", () => {
  const layout = layOut(howto, 720);
  const [host, lan, ns0, ns1] = ["host", "lan", "ns0", "ns1"].map((name) => placeOf(layout, name));
  assert.ok(ns0!.y === ns1!.y && ns0!.x < ns1!.x);
  assert.ok(ns0!.y + ns0!.height < host!.y && host!.y + host!.height < lan!.y);
});

for (const [name, topology] of Object.entries({
  howto,
  bridged,
  "long names": long,
  "two slaves": crowd(2),
  "ten slaves": crowd(10),
  "forty slaves": crowd(40),
}))
  test(`${name}: boxes are apart, devices in their namespace's box, all in the drawing, however wide it is`, () => {
    for (const width of WIDTHS) {
      const layout = layOut(topology, width);
      const boxes = [...layout.namespaces.values()];
      const page = { x: 0, y: 0, width: layout.width, height: layout.height };
      for (const [i, box] of boxes.entries()) {
        assert.ok(isWithin(box, page), `${width}`);
        for (const other of boxes.slice(0, i)) assert.ok(isApart(box, other), `${width}`);
      }
      const devices = topology.namespaces.flatMap(({ name: netns, devices }) =>
        devices.map(({ device }) => ({ netns, box: layout.devices.get(device)! })),
      );
      for (const { netns, box } of devices) assert.ok(isWithin(box, placeOf(layout, netns)));
      for (const [i, { box }] of devices.entries())
        for (const other of devices.slice(0, i)) assert.ok(isApart(box, other.box));
    }
  });

test("a link passes between the boxes of other namespaces", () => {
  const topology = crowd(10);
  const layout = layOut(topology, 520);
  for (const link of topology.links) {
    const path = curvesOf(layout, topology.links, link);
    const ends = [link.a.netns?.name, link.b.netns?.name];
    for (const [name, { x, y, width, height }] of layout.namespaces)
      for (let t = 0; t <= 1; t += 0.01) {
        const point = pointOn(path, t);
        const isIn = x < point.x && point.x < x + width && y < point.y && point.y < y + height;
        assert.ok(!isIn || ends.includes(name), `${ends} in ${name}`);
      }
  }
});

test("a packet's way begins at the one device and ends at the other; between slaves it goes by the port", () => {
  const layout = layOut(howto, 720);
  const [ipvl0, ipvl1] = ["ns0", "ns1"].map(
    (netns) => howto.namespaces.find(({ name }) => name === netns)!.devices[0]!.device,
  );
  const path = pathOf(layout, howto.links, ipvl0!, ipvl1!);
  const port = [...layout.ports.values()][0]!;
  const touches = ({ x, y }: { x: number; y: number }, box: Box) =>
    box.x <= x && x <= box.x + box.width && box.y <= y && y <= box.y + box.height;
  assert.ok(touches(pointOn(path, 0), layout.devices.get(ipvl0!)!));
  assert.ok(touches(pointOn(path, 0.5), port));
  assert.ok(touches(pointOn(path, 1), layout.devices.get(ipvl1!)!));
});

test("devices without a link have no way between them", () => {
  const layout = layOut(howto, 720);
  const device = howto.namespaces[0]!.devices[0]!.device;
  assert.deepEqual(pathOf(layout, howto.links, device, device), []);
});
