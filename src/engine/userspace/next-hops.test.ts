import assert from "node:assert/strict";
import { test } from "node:test";
import { claim, disclaim, type Link, linkToLan, until } from "../../../test/neighbours.ts";
import { inScratch, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { frame, ip, mac } from "../../../test/topology.ts";
import { addVeth, setLink } from "../../linux/netlink/link.ts";
import { addNeighbour, deleteNeighbour } from "../../linux/netlink/neighbour.ts";
import { addRoute, deleteRoute, RT_TABLE_MAIN } from "../../linux/netlink/route.ts";
import { withNetns } from "../../linux/netns.ts";
import { EPOLLIN, poll } from "../../linux/sys.ts";
import { setSysctl } from "../../linux/sysctl.ts";
import { formatMac, macFrom } from "../../wire/address.ts";
import * as nextHops from "./next-hops.ts";

const skip = needsNamespaces;
const KINDS = ["", "nowhere", "host", "neighbour", "waiting", "silent", "group"];
const FORGET_MS = 15_000;

class Hops {
  readonly #hops: nextHops.NextHops;

  constructor(scratch: Scratch, { netns, master }: Link) {
    this.#hops = withNetns(netns, () => new nextHops.NextHops(master));
    scratch.later(() => this.#hops.close());
  }

  /** A kind, or the MAC of a neighbour or group; without `resolve` always a kind. */
  of(dst: string, resolve = true): string {
    const src = dst.includes(":") ? "fd00::10" : "10.0.0.10";
    const hop = this.#hops.find(frame(`own>own ${src}>${dst}`), resolve);
    const kind = this.#hops.kind(hop);
    if (!resolve || (kind !== nextHops.NEIGHBOUR && kind !== nextHops.GROUP)) return KINDS[kind]!;
    return formatMac(macFrom(this.#hops.macHigh(hop), this.#hops.macLow(hop)));
  }

  hears(): boolean {
    return poll(this.#hops.fd, EPOLLIN, 1000);
  }
  forget(): boolean {
    return this.#hops.forget();
  }
  get asked(): number {
    return this.#hops.asked;
  }
  forgetOld(nowMs: number): void {
    this.#hops.forgetOld(nowMs);
  }
}

const inLan = (body: (link: Link, hops: Hops) => void) =>
  inScratch((scratch) => {
    const link = linkToLan(scratch);
    body(link, new Hops(scratch, link));
  });

const W0 = "02:00:00:00:00:01";
const OTHER = "02:00:00:00:00:99";

function settle(hops: Hops, dst: string, expected: string): void {
  until(() => {
    hops.forget();
    return hops.of(dst) === expected;
  });
}

test(
  "a neighbour on the link has no MAC until it answers, and then its own",
  { skip },
  inLan((_, hops) => {
    for (const dst of ["10.0.0.1", "fd00::1"]) {
      assert.equal(hops.of(dst), "waiting");
      assert.ok(hops.hears());
      settle(hops, dst, W0);
    }
  }),
);

test(
  "behind a gateway it is the gateway's MAC, of either family",
  { skip },
  inLan(({ socket, master }, hops) => {
    const route = { table: RT_TABLE_MAIN, type: "unicast", oif: master } as const;
    const four = { ...route, family: 2, prefixLength: 16 };
    addRoute(socket, { ...four, dst: ip("10.5.0.0"), gateway: ip("10.0.0.1") });
    addRoute(socket, { ...four, dst: ip("10.6.0.0"), gateway: ip("fd00::1") });
    addRoute(socket, { ...route, family: 10, prefixLength: 0, gateway: ip("fd00::1") });
    for (const dst of ["10.5.0.1", "10.6.0.1", "2001:db8::1"]) settle(hops, dst, W0);
  }),
);

test(
  "without a route IPv4 is on the master's link and IPv6 goes nowhere",
  { skip },
  inLan((link, hops) => {
    claim(link, "192.0.2.1");
    settle(hops, "192.0.2.1", W0);
    assert.equal(hops.of("2001:db8::1"), "nowhere");
  }),
);

test(
  "the host's own addresses and 0.0.0.0 are the host",
  { skip },
  inLan((_, hops) => {
    for (const dst of ["10.0.0.2", "fd00::2", "0.0.0.0"]) assert.equal(hops.of(dst), "host");
  }),
);

test(
  "an IPv6 group has the MAC that follows from its address",
  { skip },
  inLan((_, hops) => {
    assert.equal(hops.of("ff02::1"), "33:33:00:00:00:01");
    assert.equal(hops.of("ff05::1:2:abcd"), "33:33:00:02:ab:cd");
  }),
);

test(
  "a route that swallows or refuses leads IPv6 nowhere; IPv4 it leaves on the link, as on Linux",
  { skip },
  inLan(({ socket }, hops) => {
    const base = { table: RT_TABLE_MAIN, prefixLength: 32 };
    for (const [i, type] of (["blackhole", "unreachable", "prohibit"] as const).entries()) {
      addRoute(socket, { ...base, type, family: 2, dst: ip(`10.0.0.${100 + i}`) });
      addRoute(socket, { ...base, type, family: 10, dst: ip(`fd2${i}::`) });
      assert.equal(hops.of(`10.0.0.${100 + i}`), "waiting");
      assert.equal(hops.of(`fd2${i}::`), "nowhere");
    }
  }),
);

test(
  "an IPv4 group or broadcast is no next hop",
  { skip },
  inLan((_, hops) => {
    for (const dst of ["224.0.0.251", "10.0.0.255", "255.255.255.255"])
      assert.equal(hops.of(dst), "nowhere", dst);
  }),
);

test(
  "whom the kernel has asked for in vain is silent, and found when it comes back",
  { skip },
  inLan((link, hops) => {
    withNetns(link.netns, () => setSysctl("ipv4/neigh/m0/retrans_time_ms", 20));
    settle(hops, "10.0.0.77", "silent"); // after three requests
    claim(link, "10.0.0.77");
    settle(hops, "10.0.0.77", W0);
  }),
);

test(
  "a neighbour's MAC is kept until an event tells of another",
  { skip },
  inLan(({ socket, master }, hops) => {
    const neighbour = { ifindex: master, ip: ip("10.0.0.7") };
    addNeighbour(socket, { ...neighbour, mac: mac("w0") });
    hops.forget();
    assert.equal(hops.of("10.0.0.7"), W0);
    addNeighbour(socket, { ...neighbour, mac: mac("other") });
    assert.equal(hops.of("10.0.0.7"), W0, "from memory");
    assert.ok(hops.hears());
    hops.forget();
    assert.equal(hops.of("10.0.0.7"), OTHER);
    deleteNeighbour(socket, master, ip("10.0.0.7"));
    assert.ok(hops.hears());
  }),
);

test(
  "an event of one neighbour leaves the memory of what goes through others",
  { skip },
  inLan(({ socket, master }, hops) => {
    for (const dst of ["10.0.0.7", "10.0.0.8", "10.0.0.9"])
      addNeighbour(socket, { ifindex: master, ip: ip(dst), mac: mac("w0") });
    const route = { table: RT_TABLE_MAIN, type: "unicast", oif: master } as const;
    const behind7 = { dst: ip("10.5.0.0"), prefixLength: 16, gateway: ip("10.0.0.7") };
    addRoute(socket, { ...route, ...behind7, family: 2 });
    hops.forget();
    const all = ["10.0.0.7", "10.5.0.1", "10.0.0.8", "10.0.0.9"];
    for (const dst of all) assert.equal(hops.of(dst), W0);
    assert.equal(hops.asked, all.length);
    addNeighbour(socket, { ifindex: master, ip: ip("10.0.0.7"), mac: mac("other") });
    assert.equal(hops.forget(), true);
    assert.deepEqual(
      all.map((dst) => hops.of(dst)),
      [OTHER, OTHER, W0, W0],
    );
    assert.equal(hops.asked, all.length + 2);
  }),
);

test(
  "neighbours of other devices change nothing",
  { skip },
  inLan(({ socket, netns, master }, hops) => {
    const other = withNetns(netns, () =>
      addVeth(socket, { name: "x0", mac: mac("other"), peer: { name: "x1", mac: mac("w0") } }),
    );
    setLink(socket, other.index, { up: true });
    for (const ifindex of [master, other.index])
      addNeighbour(socket, { ifindex, ip: ip("10.0.0.7"), mac: mac("w0") });
    until(() => !hops.forget()); // all that a new device tells
    assert.equal(hops.of("10.0.0.7"), W0);
    addNeighbour(socket, { ifindex: other.index, ip: ip("10.0.0.7"), mac: mac("other") });
    assert.ok(hops.hears());
    assert.equal(hops.forget(), false);
    hops.of("10.0.0.7");
    assert.equal(hops.asked, 1);
  }),
);

test(
  "routes that change, of main or another table, are told",
  { skip },
  inLan(({ socket }, hops) => {
    hops.forget();
    assert.equal(hops.of("fd05::1"), "nowhere");
    for (const change of [addRoute, deleteRoute])
      for (const table of [RT_TABLE_MAIN, 777])
        for (const [family, dst] of [
          [2, "10.5.0.1"],
          [10, "fd05::1"],
        ] as const) {
          const prefixLength = family === 2 ? 32 : 128;
          change(socket, { family, dst: ip(dst), prefixLength, table, type: "blackhole" });
          assert.ok(hops.hears(), `${change.name} ${dst} ${table}`);
          hops.forget();
        }
  }),
);

test(
  "what was remembered long ago is asked for anew, though nothing was told",
  { skip },
  inLan((link, hops) => {
    settle(hops, "10.0.0.1", W0);
    const since = performance.now();
    const changed = { ifindex: link.master, ip: ip("10.0.0.1"), mac: mac("other") };
    addNeighbour(link.socket, changed);
    hops.forgetOld(since + FORGET_MS - 1000);
    assert.equal(hops.of("10.0.0.1"), W0);
    hops.forgetOld(since + FORGET_MS + 1000);
    assert.equal(hops.of("10.0.0.1"), OTHER);
    disclaim(link, "10.0.0.1");
  }),
);

test(
  "more destinations than are remembered are all found",
  { skip },
  inLan((_, hops) => {
    const groups = Array.from({ length: 5000 }, (_, i) => i.toString(16).padStart(4, "0"));
    for (let round = 0; round < 2; round++)
      for (const n of groups)
        assert.equal(hops.of(`ff02::1:${n}`), `33:33:00:01:${n.slice(0, 2)}:${n.slice(2)}`);
  }),
);

test(
  "where the kernel forwards, the neighbour is its business: none is asked for",
  { skip },
  inLan((_, hops) => {
    assert.equal(hops.of("10.0.0.1", false), "neighbour");
    assert.equal(hops.of("10.0.0.2", false), "host");
    assert.equal(hops.of("10.0.0.1", true), "waiting", "remembered apart");
  }),
);
