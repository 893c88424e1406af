import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { inScratch, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { ip } from "../../../test/topology.ts";
import { formatIp } from "../../wire/address.ts";
import { withNetns } from "../netns.ts";
import { AF_INET, AF_INET6 } from "../sys.ts";
import { addAddress, IFA_F_NODAD } from "./address.ts";
import { addVeth, getLink, setLink } from "./link.ts";
import * as neighbour from "./neighbour.ts";
import * as route from "./route.ts";
import { addRule, deleteRule, dumpRules } from "./rule.ts";
import type { NetlinkSocket } from "./socket.ts";

const skip = needsNamespaces;
const needsIp = spawnSync("ip", ["-V"]).status === 0 ? false : "needs ip";
const TABLE = 770_002;
const PEER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x22);

/** h0 (10.0.0.1, fd00::1) and, in another namespace, p0 (10.0.0.2, fd00::2). */
function pair(scratch: Scratch) {
  const there = scratch.namespace();
  const netns = scratch.namespace();
  const socket = scratch.socket(netns);
  const far = scratch.socket(there);
  const h0 = addVeth(socket, { name: "h0", up: true, peer: { name: "p0", netnsFd: there } });
  setLink(far, h0.link!, { up: true, mac: PEER_MAC });
  const nodad = { prefixLength: 24, flags: IFA_F_NODAD };
  addAddress(socket, { ...nodad, ifindex: h0.index, ip: ip("10.0.0.1") });
  addAddress(socket, { ...nodad, ifindex: h0.index, ip: ip("fd00::1") });
  addAddress(far, { ...nodad, ifindex: h0.link!, ip: ip("10.0.0.2") });
  addAddress(far, { ...nodad, ifindex: h0.link!, ip: ip("fd00::2") });
  const lookup = (dst: string, more = {}) => route.getRoute(socket, { dst: ip(dst), ...more });
  const isUp = (of: NetlinkSocket, index: number) => getLink(of, index)?.operstate === "UP";
  // The kernel sees the carrier, and makes IPv6 addresses its own, a moment after it has answered.
  until(() => isUp(socket, h0.index) && isUp(far, h0.link!) && lookup("fd00::1")?.type === "local");
  return { netns, socket, h0, lookup };
}

test(
  "a destination's kind is told: on the link, local, broadcast, group, nowhere",
  { skip },
  inScratch((scratch) => {
    const { h0, lookup } = pair(scratch);
    const near = lookup("10.0.0.2")!;
    assert.equal(near.type, "unicast");
    assert.equal(near.oif, h0.index);
    assert.equal(near.gateway, undefined);
    assert.equal(formatIp(near.prefsrc!), "10.0.0.1");
    assert.equal(lookup("10.0.0.1")?.type, "local");
    assert.equal(lookup("10.0.0.255")?.type, "broadcast");
    assert.equal(lookup("224.0.0.1", { oif: h0.index })?.type, "multicast");
    assert.equal(lookup("192.0.2.1"), undefined);
    assert.equal(lookup("fd00::2")?.type, "unicast");
    assert.equal(lookup("fd00::1")?.type, "local");
    assert.equal(lookup("2001:db8::1"), undefined);
  }),
);

test(
  "with an output device an IPv4 destination without a route is on its link, an IPv6 one is not",
  { skip },
  inScratch((scratch) => {
    const { h0, lookup } = pair(scratch);
    const far = lookup("192.0.2.1", { oif: h0.index });
    assert.equal(far?.type, "unicast");
    assert.equal(far?.gateway, undefined);
    assert.equal(lookup("2001:db8::1", { oif: h0.index }), undefined);
  }),
);

test(
  "a gateway is told, of the same family or of the other",
  { skip },
  inScratch((scratch) => {
    const { socket, h0, lookup } = pair(scratch);
    const base = { family: AF_INET, table: route.RT_TABLE_MAIN, type: "unicast" } as const;
    const dst = (text: string) => ({ dst: ip(text), prefixLength: 16 });
    route.addRoute(socket, { ...base, ...dst("10.5.0.0"), gateway: ip("10.0.0.2") });
    route.addRoute(socket, { ...base, ...dst("10.6.0.0"), gateway: ip("fd00::2"), oif: h0.index });
    assert.deepEqual(lookup("10.5.1.1")?.gateway, ip("10.0.0.2"));
    assert.deepEqual(lookup("10.6.1.1")?.gateway, ip("fd00::2"));
  }),
);

test(
  "a route may stand beside another for the same destination, but not beside itself",
  { skip: skip || needsIp },
  inScratch((scratch) => {
    const { netns, socket, h0 } = pair(scratch);
    const spec = (to: string, gateway: string, more: object = {}): route.RouteSpec => {
      const family = to.includes(":") ? AF_INET6 : AF_INET;
      const prefix = { dst: ip(to), prefixLength: 16 };
      const way = { type: "unicast", oif: h0.index, gateway: ip(gateway) } as const;
      return { family, table: TABLE, ...prefix, ...way, ...more };
    };
    for (const [first, second] of [
      [spec("10.5.0.0", "10.0.0.2"), spec("10.5.0.0", "10.0.0.3")],
      [spec("fd05::", "fd00::2"), spec("fd05::", "fd00::3")],
    ] as const) {
      route.appendRoute(socket, first);
      assert.throws(() => route.addRoute(socket, second), { code: "EEXIST" });
      route.appendRoute(socket, second);
      assert.throws(() => route.appendRoute(socket, second), { code: "EEXIST" });
      const all = route.dumpRoutes(socket, { family: first.family, table: TABLE });
      const gateways = all.flatMap(
        ({ gateway, hops }) => gateway ?? hops!.map((hop) => hop.gateway),
      );
      assert.deepEqual(gateways.sort(), [first.gateway, second.gateway].sort());
    }
    route.appendRoute(socket, spec("10.6.0.0", "10.0.0.2", { mtu: 1400, advmss: 1300 }));
    const shown = withNetns(netns, () =>
      execFileSync("ip", `route show table ${TABLE}`.split(" ")),
    );
    assert.match(String(shown), /10\.6\.0\.0\/16 via 10\.0\.0\.2 .*mtu 1400 advmss 1300/);
  }),
);

test(
  "of a route with several next hops each is told",
  { skip: skip || needsIp },
  inScratch((scratch) => {
    const { netns, socket, h0 } = pair(scratch);
    const hops = "nexthop via 10.0.0.2 dev h0 nexthop via 10.9.9.9 dev h0 onlink nexthop dev h0";
    withNetns(netns, () => execFileSync("ip", `route add 10.5.0.0/16 ${hops}`.split(" ")));
    const [found] = route
      .dumpRoutes(socket, { family: AF_INET, table: route.RT_TABLE_MAIN })
      .filter(({ dst }) => sameBytes(dst, ip("10.5.0.0")));
    const hop = { oif: h0.index, onlink: false };
    assert.deepEqual(found?.hops, [
      { ...hop, gateway: ip("10.0.0.2") },
      { ...hop, gateway: ip("10.9.9.9"), onlink: true },
      hop,
    ]);
    assert.equal(found.oif, undefined);
  }),
);

test(
  "where packets are swallowed or refused there is no way",
  { skip },
  inScratch((scratch) => {
    const { socket, lookup } = pair(scratch);
    const types = ["blackhole", "unreachable", "prohibit"] as const;
    types.forEach((type, i) => {
      const more = { prefixLength: 16, table: route.RT_TABLE_MAIN, type };
      route.addRoute(socket, { family: AF_INET, dst: ip(`10.${i + 20}.0.0`), ...more });
      route.addRoute(socket, { family: AF_INET6, dst: ip(`fd2${i}::`), ...more });
      assert.equal(lookup(`10.${i + 20}.0.1`), undefined);
      assert.equal(lookup(`fd2${i}::1`), undefined);
    });
  }),
);

test(
  "a table's routes are listed as they were added, and deleted as they were listed",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    const four = { family: AF_INET, table: TABLE };
    const specs: route.RouteSpec[] = [
      { ...four, dst: ip("10.9.0.1"), prefixLength: 32, type: "blackhole" },
      { ...four, dst: ip("10.9.0.2"), prefixLength: 32, type: "local", oif: 1 },
      {
        ...four,
        dst: ip("10.9.0.3"),
        prefixLength: 32,
        type: "unicast",
        oif: h0.index,
        gateway: ip("192.0.2.9"),
        onlink: true,
        priority: 5,
      },
      { family: AF_INET6, table: TABLE, dst: ip("fd09::1"), prefixLength: 128, type: "blackhole" },
      { family: AF_INET6, table: TABLE, prefixLength: 0, type: "unicast", oif: h0.index },
    ];
    const list = () =>
      [AF_INET, AF_INET6].flatMap((family) => route.dumpRoutes(socket, { family, table: TABLE }));
    assert.deepEqual(list(), []);
    for (const spec of specs) route.addRoute(socket, spec);
    assert.throws(() => route.addRoute(socket, specs[0]!), { code: "EEXIST" });
    route.replaceRoute(socket, specs[0]!);
    const all = list();
    assert.equal(all.length, specs.length);
    for (const spec of specs) {
      const found = all.find((r) => r.family === spec.family && sameBytes(r.dst, spec.dst))!;
      for (const [field, value] of Object.entries(spec))
        if (field !== "oif" || spec.type === "unicast")
          assert.deepEqual(found[field as keyof route.Route], value, field);
    }
    assert.equal(route.dumpRoutes(socket, { ...four, oif: h0.index }).length, 1);
    for (const found of all) route.deleteRoute(socket, found);
    assert.deepEqual(list(), []);
    assert.throws(() => route.deleteRoute(socket, specs[0]!), { code: "ESRCH" });
  }),
);
const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  Buffer.compare(a ?? new Uint8Array(0), b ?? new Uint8Array(0)) === 0;

test(
  "rules are listed as they were added, and decide which table is asked",
  { skip },
  inScratch((scratch) => {
    const { socket, lookup } = pair(scratch);
    for (const family of [AF_INET, AF_INET6]) {
      const look = {
        family,
        priority: 100,
        action: "lookup",
        table: TABLE,
        iif: "lo",
        protocol: 105,
      } as const;
      const hole = { family, priority: 101, action: "blackhole", iif: "h0", oif: "lo" } as const;
      addRule(socket, look);
      addRule(socket, hole);
      assert.throws(() => addRule(socket, look), { code: "EEXIST" });
      const ours = dumpRules(socket, { family }).filter(({ priority }) =>
        [100, 101].includes(priority),
      );
      assert.deepEqual(ours, [look, hole]);
    }
    const swallow = { family: AF_INET, dst: ip("10.0.0.2"), prefixLength: 32, table: TABLE };
    assert.equal(lookup("10.0.0.2")?.type, "unicast");
    route.addRoute(socket, { ...swallow, type: "blackhole" });
    assert.equal(lookup("10.0.0.2"), undefined);
    const rule = { family: AF_INET, priority: 100, table: TABLE, iif: "lo" };
    deleteRule(socket, rule);
    assert.equal(lookup("10.0.0.2")?.type, "unicast");
    assert.throws(() => deleteRule(socket, rule), { code: "ENOENT" });
  }),
);

test(
  "a neighbour is unknown until it is asked for, and then the kernel finds its MAC",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    // Solicitations leave from a link-local address, and the kernel's own is tentative for a second.
    const linkLocal = { ip: ip("fe80::1"), prefixLength: 64, flags: IFA_F_NODAD };
    addAddress(socket, { ...linkLocal, ifindex: h0.index });
    for (const text of ["10.0.0.2", "fd00::2"]) {
      assert.equal(neighbour.getNeighbour(socket, h0.index, ip(text)), undefined);
      neighbour.askNeighbour(socket, h0.index, ip(text));
      const found = until(() => {
        const n = neighbour.getNeighbour(socket, h0.index, ip(text));
        return n?.mac && n;
      });
      assert.deepEqual(found?.mac, PEER_MAC);
      assert.equal(found?.state, neighbour.NUD_REACHABLE);
    }
    neighbour.askNeighbour(socket, h0.index, ip("10.0.0.99"));
    const silent = neighbour.getNeighbour(socket, h0.index, ip("10.0.0.99"));
    assert.equal(silent?.state, neighbour.NUD_INCOMPLETE);
    assert.equal(silent?.mac, undefined);
  }),
);

test(
  "a neighbour that was added is permanent and listed with its device",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 0x77);
    neighbour.addNeighbour(socket, { ifindex: h0.index, ip: ip("10.0.0.77"), mac });
    const four = { family: AF_INET, ifindex: h0.index };
    assert.deepEqual(neighbour.dumpNeighbours(socket, four), [
      { ifindex: h0.index, ip: ip("10.0.0.77"), mac, state: neighbour.NUD_PERMANENT },
    ]);
    assert.deepEqual(neighbour.dumpNeighbours(socket, { family: AF_INET, ifindex: 1 }), []);
    neighbour.deleteNeighbour(socket, h0.index, ip("10.0.0.77"));
    assert.deepEqual(neighbour.dumpNeighbours(socket, four), []);
  }),
);

/** Asks again until there is an answer, for up to two seconds. */
function until<T>(ask: () => T | undefined | false): T | undefined {
  const end = performance.now() + 2000;
  while (performance.now() < end) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
  return undefined;
}
