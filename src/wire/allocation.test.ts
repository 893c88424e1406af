/** The frame path must leave the collector nothing to do, however many frames pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as arp from "./arp.ts";
import * as eth from "./ethernet.ts";
import { Frame } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import * as ndisc from "./ndisc.ts";
import { transportChecksum4 } from "./pseudo-header.ts";
import * as udp from "./udp.ts";

/** Few enough that what one round allocates fits the young generation: few rounds meet a collection. */
const FRAMES = 5_000;
const ROUNDS = 101;

const at = eth.HEADER;
const bytes = Buffer.from(
  "f2000000000202000000000108004500002912344000401114860a000001fa00000a15b31e6100150e1d6970766c616e2d6f7261636c65",
  "hex",
);

/**
 * Fields above 2^31 are where a number could end up on the heap: the engine keeps them in registers only while it
 * inlines the accessors, which it does in functions of the size that decisions have. Each answers
 * with few bits, since its own result is not inlined here.
 */
const readers: Record<string, (f: Frame) => number> = {
  ethernet: (f) => {
    const same = eth.isLocal(f) || eth.isGroup(f) || eth.isFrom(f, 0x0200, 1);
    return (eth.dstLow(f) + eth.srcLow(f) + eth.type(f) + Number(same)) & 0xff;
  },
  arp: (f) =>
    arp.check(f, at) ? (arp.senderMacLow(f, at) + arp.sender(f, at) + arp.target(f, at)) & 0xff : 0,
  ipv4: (f) =>
    ipv4.check(f, at) ? (ipv4.src(f, at) + ipv4.dst(f, at) + ipv4.ttl(f, at)) & 0xff : 0,
  ipv6: (f) => Number(ipv6.isUnspecified(f, ipv6.srcAt(at)) || ipv6.isMulticast(f, ipv6.dstAt(at))),
  ndisc: (f) => Number(ndisc.isDadProbe(f, at)),
  udp: (f) => (udp.check(f, at + 20) ? udp.srcPort(f, at + 20) + udp.dstPort(f, at + 20) : 0),
};

function rewrite(f: Frame): number {
  ipv4.setTtl(f, at, (ipv4.ttl(f, at) + 1) & 0xff);
  eth.setDst(f, 0xf200, 0xfffffffe);
  return transportChecksum4(f, at);
}

/** Middle one of several rounds: a collection in between makes one round negative, a recompilation one large. */
function bytesPerFrame(work: (f: Frame) => unknown): number {
  const f = new Frame();
  const grown: number[] = [];
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < FRAMES; i++) work(f.set(bytes, 0, bytes.length));
    grown.push(process.memoryUsage().heapUsed - before);
  }
  const warm = grown.slice(ROUNDS).sort((a, b) => a - b);
  return warm[ROUNDS >> 1]! / FRAMES;
}

test("the measure sees one small object per frame", () => {
  const kept: unknown[] = [undefined];
  assert.ok(bytesPerFrame((f) => (kept[0] = { f })) > 8);
});

for (const [header, read] of Object.entries(readers))
  test(`${header}: reading fields allocates nothing`, () => {
    assert.ok(bytesPerFrame(read) < 2);
  });

test("rewriting a header and counting a checksum allocates nothing", () => {
  assert.ok(bytesPerFrame(rewrite) < 2);
});
