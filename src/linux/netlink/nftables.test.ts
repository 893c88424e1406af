/**
 * The rules in the kernel against the driver's own decision, frame by frame: recorded ones, and damaged ones
 * made of them.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Stack, sender } from "../../../test/scratch-frames.ts";
import { inScratch, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { ip } from "../../../test/topology.ts";
import { AddressTable } from "../../driver/address-table.ts";
import { BRIDGE, HOWTO, L2, L3 } from "../../driver/decide/machine.ts";
import { receive } from "../../driver/decide/receive.ts";
import * as verdict from "../../driver/decide/verdict.ts";
import * as eth from "../../wire/ethernet.ts";
import { Frame } from "../../wire/frame.ts";
import { withNetns } from "../netns.ts";
import { NETLINK_NETFILTER } from "./constants.ts";
import { addVeth, setLink } from "./link.ts";
import * as nft from "./nftables.ts";

const skip = needsNamespaces || noNftables();
const noTool = skip || missingNft();

const TABLE = "ipvlan-2";
const SLAVES = ["10.0.0.10", "10.0.0.11", "fd00::10", "fd00::11", "fe80::10"].map(ip);
const PROTOCOLS = [eth.ETH_P_IP, eth.ETH_P_IPV6, eth.ETH_P_ARP];
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
/** The kernel loses tagged frames that end with the inner ethertype. */
const SHORTEST = eth.HEADER + eth.TAG + 2;
/** IPv4 to nobody. */
const MARKER = Buffer.from("020000000002020000000001080045000014ffff", "hex");

/** The wire's end of a pair, and the master: eth0. */
function wire(scratch: Scratch) {
  const lan = scratch.namespace();
  const host = scratch.namespace();
  const socket = scratch.socket(host);
  const peer = { name: "w0", netnsFd: lan };
  const eth0 = addVeth(socket, { name: "eth0", mac: MAC, noarp: true, up: true, peer });
  setLink(scratch.socket(lan), eth0.link!, { up: true, noarp: true });
  return {
    host,
    nf: scratch.socket(host, { protocol: NETLINK_NETFILTER }),
    send: sender(scratch, lan, eth0.link!),
    stack: new Stack(scratch, host, eth0.index, PROTOCOLS),
  };
}

/** What the driver leaves to the master's own stack. */
function passes(mode: number, frame: Uint8Array): boolean {
  const addresses = new AddressTable();
  for (const [i, slave] of SLAVES.entries()) addresses.set(slave, 1 + i, true);
  const port = { mode, flag: BRIDGE, compat: HOWTO, macHigh: 0x0200, macLow: 2, addresses };
  return verdict.kind(receive(port, Frame.of(frame))) !== verdict.DELIVER;
}

/** Those the sockets can see, tags off: by ethertype, behind at most one tag. */
function asSeen(frame: Uint8Array): string[] {
  const f = Frame.of(frame);
  if (!eth.isTag(eth.type(f))) return PROTOCOLS.includes(eth.type(f)) ? [hex(frame)] : [];
  if (!PROTOCOLS.includes(eth.innerType(f))) return [];
  return [hex(frame.subarray(0, 12)) + hex(frame.subarray(16))];
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function compare(scratch: Scratch, mode: number, frames: readonly Uint8Array[]): void {
  const { nf, send, stack } = wire(scratch);
  nft.installConsumption(nf, { table: TABLE, device: "eth0", groups: mode === L3 });
  nft.addElements(nf, TABLE, SLAVES);
  for (const frame of frames) {
    send(frame);
    stack.drain();
  }
  stack.settle(send, MARKER);
  const sent = frames.flatMap(asSeen);
  const expected = frames.filter((frame) => passes(mode, frame)).flatMap(asSeen);
  assert.ok(0 < expected.length && expected.length < sent.length);
  const seen = stack.seen.filter((text) => sent.includes(text)); // not what kernels say by themselves
  assert.deepEqual(difference(seen, expected), [], "a slave's, but the stack has it");
  assert.deepEqual(difference(expected, seen), [], "the stack's, but it does not have it");
}

/** What is in `all` more often than in `others`. */
function difference(all: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const text of others) left.set(text, (left.get(text) ?? 0) + 1);
  return all.filter((text) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}

/** Every frame that was ever sent from the wire in test/kernel. */
function recorded(): Uint8Array[] {
  const file = new URL("../../../../test/kernel/verdicts.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as {
    cases: { stimulus: string; frame: string }[];
  };
  const fromWire = cases.filter(({ stimulus }) => stimulus.startsWith("w-"));
  const frames = new Set(fromWire.map(({ frame }) => frame));
  return [...frames].map((f) => Buffer.from(f, "hex")).filter((f) => f.length >= eth.HEADER);
}

const DAD =
  "3333ff00001002000000000186dd6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff00001087000000000000";
const TARGET = "00fd000000000000000000000000000010";
/** Corners the recorded ones leave out. */
const MORE = [
  DAD + TARGET,
  DAD + TARGET.replace(/10$/, "99"), // nobody's
  (DAD + TARGET).slice(0, -2), // target cut
  DAD.slice(0, -8), // no room for the type's header
  (DAD + TARGET).replace("ff0200000000000000000001ff000010", "fd000000000000000000000000000010"),
  (DAD + TARGET).replace("00000018 3aff".replace(" ", ""), "000000183bff"),
].map((text) => Buffer.from(text, "hex"));

for (const [name, mode] of [
  ["L2", L2],
  ["L3", L3],
] as const) {
  test(
    `${name}: of the recorded frames the master's stack sees those that are no slave's`,
    { skip },
    inScratch((scratch) => compare(scratch, mode, [...recorded(), ...MORE])),
  );

  test(
    `${name}: of damaged frames the master's stack sees those that are no slave's`,
    { skip },
    inScratch((scratch) => {
      const damaged = fc
        .record({
          frame: fc.constantFrom(...recorded(), ...MORE),
          keep: fc.oneof(fc.constant(2000), fc.integer({ min: SHORTEST, max: 90 })),
          hits: fc.array(fc.tuple(fc.nat(69), fc.nat(255)), { maxLength: 3 }),
        })
        .map(({ frame, keep, hits }) => {
          const bytes = Uint8Array.from(frame.subarray(0, keep));
          for (const [at, value] of hits) if (at < bytes.length) bytes[at] = value;
          return bytes;
        })
        .filter((bytes) => bytes.length >= SHORTEST);
      compare(scratch, mode, fc.sample(damaged, 1500));
    }),
  );
}

test(
  "adding and removing addresses may be repeated, and thousands go in at once",
  { skip: noTool },
  inScratch((scratch) => {
    const { host, nf } = wire(scratch);
    nft.installConsumption(nf, { table: TABLE, device: "eth0", groups: false });
    const elements = () => ruleset(host).match(/10\.1\.\d+\.\d+/g)?.length ?? 0;
    const many = Array.from({ length: 2500 }, (_, i) => Uint8Array.of(10, 1, i >> 8, i & 255));
    for (let twice = 0; twice < 2; twice++) nft.addElements(nf, TABLE, many);
    assert.equal(elements(), 2500);
    for (let twice = 0; twice < 2; twice++) nft.deleteElements(nf, TABLE, many.slice(10));
    assert.equal(elements(), 10);
    assert.throws(() => nft.addElements(nf, "nobody", many), { code: "ENOENT" });
  }),
);

test(
  "installing again replaces the table, others cannot take it away; removing it may be repeated",
  { skip: noTool },
  inScratch((scratch) => {
    const { host, nf } = wire(scratch);
    nft.removeTable(nf, TABLE);
    const spec = { table: TABLE, device: "eth0" };
    nft.installConsumption(nf, { ...spec, groups: true });
    nft.addElements(nf, TABLE, SLAVES);
    nft.installConsumption(nf, { ...spec, groups: false });
    const shown = () => ruleset(host).replaceAll(/\s+/g, " ").trim();
    assert.equal(shown(), EXPECTED.replaceAll(/\s+/g, " ").trim());
    withNetns(host, () => spawnSync("nft", ["flush", "ruleset"])); // as a firewall that starts does
    assert.equal(shown(), EXPECTED.replaceAll(/\s+/g, " ").trim());
    nft.removeTable(nf, TABLE);
    assert.equal(ruleset(host), "");
  }),
);

/** nft(8) shows no trace of loading `meta l4proto`. */
const EXPECTED = `
  table netdev ipvlan-2 { # progname node
    flags owner
    set v4 { type ipv4_addr }
    set v6 { type ipv6_addr }
    chain ingress {
      type filter hook ingress device "eth0" priority -500; policy accept;
      meta pkttype != host meta pkttype != other accept
      ip daddr @v4 drop
      arp daddr ip @v4 drop
      ip6 version 6 ip6 saddr :: ip6 nexthdr ipv6-icmp @nh,320,8 0x87 @nh,384,128 @v6 drop
      ip6 version 6 ip6 saddr :: ip6 nexthdr ipv6-icmp @nh,320,8 0x87 accept
      ip6 version 6 ip6 daddr @v6 drop
    }
  }`;

test(
  "trying whether the kernel has it leaves nothing behind",
  { skip: noTool },
  inScratch((scratch) => {
    const host = scratch.namespace();
    const nf = scratch.socket(host, { protocol: NETLINK_NETFILTER });
    assert.equal(nft.isSupported(nf), true);
    assert.equal(ruleset(host), "");
  }),
);

const ruleset = (netns: number): string =>
  withNetns(netns, () => execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" }));

function noNftables(): string | false {
  let reason: string | false = false;
  inScratch((scratch) => {
    try {
      const nf = scratch.socket(scratch.namespace(), { protocol: NETLINK_NETFILTER });
      if (!nft.isSupported(nf)) reason = "needs nf_tables with netdev hooks";
    } catch (error) {
      reason = `needs nf_tables: ${error instanceof Error ? error.message : error}`;
    }
  })();
  return reason;
}

function missingNft(): string | false {
  try {
    execFileSync("nft", ["--version"]);
    return false;
  } catch {
    return "needs nft";
  }
}
