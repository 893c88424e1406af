import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  inScratch,
  inScratchAsync,
  needsNamespaces,
  type Scratch,
} from "../../../test/scratch-netns.ts";
import { watch } from "../sys.ts";
import { addAddress } from "./address.ts";
import { RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK } from "./constants.ts";
import * as link from "./link.ts";
import { assignNsid, nsidOfFd, nsidOfPid } from "./nsid.ts";
import { type Event, NetlinkError, type NetlinkSocket } from "./socket.ts";

const skip = needsNamespaces;
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);

/** h0 in one namespace, ipvl0 in another. */
function pair(scratch: Scratch) {
  const here = scratch.namespace();
  const there = scratch.namespace();
  const socket = scratch.socket(here);
  const peer = { name: "ipvl0", mac: MAC, noarp: true, netnsFd: there };
  const h0 = link.addVeth(socket, { name: "h0", mac: MAC, mtu: 1400, peer });
  return { here, there, socket, h0, far: scratch.socket(there) };
}

function eventsOf(socket: NetlinkSocket): Event[] {
  const all: Event[] = [];
  for (;;) {
    const events = socket.receive();
    if (events === undefined) return all;
    assert.notEqual(events, "overrun");
    all.push(...(events as Event[]));
  }
}

test(
  "a veth's other end is born in the other namespace, and each names the other",
  { skip },
  inScratch((scratch) => {
    const { there, socket, h0, far } = pair(scratch);
    const slave = link.getLink(far, "ipvl0")!;
    assert.equal(h0.kind, "veth");
    assert.equal(h0.mtu, 1400);
    assert.equal(h0.up, false);
    assert.deepEqual(h0.mac, MAC);
    assert.equal(h0.link, slave.index);
    assert.equal(h0.linkNsid, nsidOfFd(socket, there));
    assert.equal(slave.link, h0.index);
    assert.equal(slave.flags & 0x80, 0x80);
    assert.deepEqual(slave.mac, MAC);
  }),
);

test(
  "a device made with an alias has it, and one whose alias is refused is not left behind",
  { skip },
  inScratch((scratch) => {
    const socket = scratch.socket(scratch.namespace());
    const spec = { name: "h0", up: true, peer: { name: "p0" } };
    assert.equal(link.addVeth(socket, { ...spec, alias: "ours" }).alias, "ours");
    link.setLink(socket, link.getLink(socket, "h0")!.index, { alias: "" });
    assert.equal(link.getLink(socket, "h0")?.alias, undefined);
    const bad = { ...spec, name: "h1", peer: { name: "p1" }, alias: "x".repeat(256) };
    assert.throws(() => link.addVeth(socket, bad), NetlinkError);
    assert.equal(link.getLink(socket, "h1"), undefined);
    assert.equal(link.getLink(socket, "p1"), undefined);
  }),
);

test(
  "a device that is not there is undefined, by name, long name or index",
  { skip },
  inScratch((scratch) => {
    const socket = scratch.socket(scratch.namespace());
    assert.equal(link.getLink(socket, "nobody"), undefined);
    assert.equal(link.getLink(socket, "longer-than-a-name-may-be"), undefined);
    assert.equal(link.getLink(socket, 77), undefined);
    assert.equal(link.getLink(socket, "lo")?.index, 1);
  }),
);

test(
  "changes of a device are what it then says of itself",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
    link.setLink(socket, h0.index, { name: "h9", mac, mtu: 1300, noarp: true });
    link.setLink(socket, h0.index, { up: true, addrGenModeNone: true });
    const changed = link.getLink(socket, h0.index)!;
    assert.equal(changed.name, "h9");
    assert.equal(changed.mtu, 1300);
    assert.equal(changed.up, true);
    assert.equal(changed.flags & 0x80, 0x80);
    assert.deepEqual(changed.mac, mac);
    link.setLink(socket, h0.index, { noarp: false });
    const after = link.getLink(socket, h0.index)!;
    assert.equal(after.flags & 0x80, 0);
    assert.equal(after.up, true);
  }),
);

test(
  "the devices of another namespace are listed by its id, and a wrong id is refused",
  { skip },
  inScratch((scratch) => {
    const { socket, h0 } = pair(scratch);
    const names = (targetNsid: number) =>
      link.dumpLinks(socket, { targetNsid }).map(({ name }) => name);
    assert.deepEqual(names(h0.linkNsid!), ["lo", "ipvl0"]);
    assert.throws(() => names(-1), RangeError);
    assert.throws(() => names(99), { name: "NetlinkError", code: "EINVAL" });
  }),
);

test(
  "with one end of a veth goes the other",
  { skip },
  inScratch((scratch) => {
    const { socket, h0, far } = pair(scratch);
    link.deleteLink(socket, h0.index);
    assert.equal(link.getLink(far, "ipvl0"), undefined);
    assert.throws(() => link.deleteLink(socket, h0.index), { code: "ENODEV" });
  }),
);

test(
  "many devices go at once, those that are gone already and all others are passed over",
  { skip },
  inScratch((scratch) => {
    const socket = scratch.socket(scratch.namespace());
    const made = ["a", "b", "c", "d"].map((name) =>
      link.addVeth(socket, { name, peer: { name: `${name}1` } }),
    );
    const [a, b, c, d] = made.map(({ index }) => index) as [number, number, number, number];
    link.deleteLink(socket, b);
    link.deleteLinks(socket, [a, b, c]);
    const left = link.dumpLinks(socket).map(({ name }) => name);
    assert.deepEqual(left.sort(), ["d", "d1", "lo"]);
    link.deleteLinks(socket, [a, b]);
    assert.ok(link.getLink(socket, d));
  }),
);

test(
  "a namespace gets an id once; asking for another one is an error",
  { skip },
  inScratch((scratch) => {
    const other = scratch.namespace();
    const socket = scratch.socket(scratch.namespace());
    assert.equal(nsidOfFd(socket, other), undefined);
    assert.equal(assignNsid(socket, other, 77), 77);
    assert.equal(nsidOfFd(socket, other), 77);
    assert.equal(assignNsid(socket, other), 77);
    assert.throws(() => assignNsid(socket, other, 78), { code: "EEXIST" });
    assert.equal(nsidOfPid(socket, process.pid), undefined);
  }),
);

test(
  "one socket hears of addresses in every namespace with an id, and which one it was",
  { skip },
  inScratch((scratch) => {
    const { here, h0, far } = pair(scratch);
    const groups = [link.RTNLGRP_LINK, link.RTNLGRP_IPV4_IFADDR];
    const events = scratch.socket(here, { groups, allNsid: true });
    addAddress(far, { ifindex: h0.link!, ip: Uint8Array.of(10, 0, 0, 7), prefixLength: 24 });
    const [added] = eventsOf(events);
    assert.equal(added?.type, RTM_NEWADDR);
    assert.equal(added?.nsid, h0.linkNsid);
  }),
);

test(
  "a device that moved on is silent until its other end is asked where it is",
  { skip },
  inScratch((scratch) => {
    const { here, socket, h0, far } = pair(scratch);
    const groups = [link.RTNLGRP_LINK, link.RTNLGRP_IPV4_IFADDR];
    const events = scratch.socket(here, { groups, allNsid: true });
    const third = scratch.namespace();
    link.setLink(far, h0.link!, { netnsFd: third });
    const left = eventsOf(events).find(({ type }) => type === RTM_DELLINK)!;
    assert.equal(left.nsid, h0.linkNsid);
    const { newIfindex: ifindex } = link.parseLink(left.payload);
    const inThird = scratch.socket(third);
    const add = (last: number) => {
      const ip = Uint8Array.of(10, 0, 0, last);
      addAddress(inThird, { ifindex: ifindex!, ip, prefixLength: 24 });
    };
    add(1);
    assert.deepEqual(eventsOf(events), []);
    const { linkNsid, link: index } = link.getLink(socket, h0.index)!;
    assert.equal(index, ifindex);
    add(2);
    assert.deepEqual(
      eventsOf(events).map(({ type, nsid }) => [type, nsid]),
      [[RTM_NEWADDR, linkNsid]],
    );
  }),
);

test(
  "events of the own namespace have the id -1",
  { skip },
  inScratch((scratch) => {
    const { here, socket, h0 } = pair(scratch);
    const events = scratch.socket(here, { groups: [link.RTNLGRP_LINK], allNsid: true });
    link.setLink(socket, h0.index, { mtu: 1300 });
    const own = eventsOf(events).filter(({ nsid }) => nsid === -1);
    assert.ok(own.some(({ type, payload }) => type === RTM_NEWLINK && mtuOf(payload) === 1300));
  }),
);
const mtuOf = (payload: Uint8Array): number => link.parseLink(payload).mtu;

test(
  "a listener that was too slow is told so, and hears what comes after",
  { skip },
  inScratch((scratch) => {
    const { here, socket, h0 } = pair(scratch);
    const events = scratch.socket(here, { groups: [link.RTNLGRP_LINK], receiveBuffer: 8192 });
    for (let i = 0; i < 50; i++) link.setLink(socket, h0.index, { mtu: 1000 + i });
    assert.equal(events.receive(), "overrun");
    link.setLink(socket, h0.index, { mtu: 1234 });
    assert.equal(
      eventsOf(events).some(({ payload }) => mtuOf(payload) === 1234),
      true,
    );
  }),
);

test(
  "a listener that lost events is still called back for those to come",
  { skip },
  inScratchAsync(async (scratch) => {
    const { here, socket, h0 } = pair(scratch);
    const events = scratch.socket(here, { groups: [link.RTNLGRP_LINK], receiveBuffer: 8192 });
    const seen: ReturnType<NetlinkSocket["receive"]>[] = [];
    const watched = watch(events.fd, () => seen.push(events.receive()));
    scratch.later(() => watched.close());
    for (let i = 0; i < 50; i++) link.setLink(socket, h0.index, { mtu: 1000 + i });
    for (let tries = 0; tries < 1000 && seen.length === 0; tries++) await sleep(1);
    assert.deepEqual(seen, ["overrun"]);
    link.setLink(socket, h0.index, { mtu: 1234 });
    for (let tries = 0; tries < 1000 && seen.length === 1; tries++) await sleep(1);
    assert.ok(Array.isArray(seen[1]));
  }),
);

test(
  "a socket that listens cannot ask",
  { skip },
  inScratch((scratch) => {
    const socket = scratch.socket(scratch.namespace(), { groups: [link.RTNLGRP_LINK] });
    assert.throws(() => link.getLink(socket, "lo"), /listens/);
  }),
);

test(
  "a list longer than one datagram is whole",
  { skip },
  inScratch((scratch) => {
    const socket = scratch.socket(scratch.namespace());
    for (let i = 0; i < 60; i++) link.addVeth(socket, { name: `a${i}`, peer: { name: `b${i}` } });
    assert.equal(link.dumpLinks(socket).length, 121);
  }),
);
