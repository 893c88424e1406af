import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checksum } from "./checksum.ts";
import { Frame, put8, put16 } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";

/** A datagram of 21 bytes from 10.0.0.1 to 10.0.0.10; from test/kernel/verdicts.json. */
const HEADER = "4500002912344000401114860a0000010a00000a";
const PACKET = `${HEADER}15b31e6100150e1d6970766c616e2d6f7261636c65`;

const packet = (): Frame => Frame.of(Buffer.from(PACKET, "hex"));
const hex = (f: Frame): string => Buffer.from(f.view()).toString("hex");

test("a header taken apart", () => {
  const f = packet();
  assert.ok(ipv4.check(f, 0));
  assert.equal(ipv4.version(f, 0), 4);
  assert.equal(ipv4.headerLength(f, 0), 20);
  assert.equal(ipv4.tos(f, 0), 0);
  assert.equal(ipv4.totalLength(f, 0), 41);
  assert.equal(ipv4.identification(f, 0), 0x1234);
  assert.equal(ipv4.dontFragment(f, 0), true);
  assert.equal(ipv4.moreFragments(f, 0), false);
  assert.equal(ipv4.fragmentOffset(f, 0), 0);
  assert.equal(ipv4.ttl(f, 0), 64);
  assert.equal(ipv4.protocol(f, 0), 17);
  assert.equal(ipv4.headerChecksum(f, 0), 0x1486);
  assert.equal(ipv4.src(f, 0), 0x0a000001);
  assert.equal(ipv4.dst(f, 0), 0x0a00000a);
  assert.equal(ipv4.payloadAt(f, 0), 20);
  assert.equal(ipv4.payloadLength(f, 0), 21);
});

test("the same header built again, checksum and all", () => {
  const f = Frame.of(new Uint8Array(20).fill(0xee));
  ipv4.write(f, 0, {
    totalLength: 41,
    identification: 0x1234,
    ttl: 64,
    protocol: 17,
    src: 0x0a000001,
    dst: 0x0a00000a,
  });
  assert.equal(hex(f), HEADER);
});

test("a first fragment says that more follow, a later one where it belongs", () => {
  const f = packet();
  put16(f, 6, 0x20b9);
  assert.deepEqual([ipv4.moreFragments(f, 0), ipv4.fragmentOffset(f, 0)], [true, 185]);
  assert.equal(ipv4.dontFragment(f, 0), false);
});

test("check refuses truncation, another version and lengths that contradict each other", () => {
  const broken: Record<string, (f: Frame) => void> = {
    "19 bytes": (f) => f.set(f.bytes, 0, 19),
    "version 6": (f) => put8(f, 0, 0x65),
    "IHL 4": (f) => put8(f, 0, 0x44),
    "total length beyond the frame": (f) => put16(f, 2, 42),
    "total length below the header": (f) => put16(f, 2, 19),
    "options beyond the total length": (f) => put8(f, 0, 0x4f),
  };
  for (const [name, breakIt] of Object.entries(broken)) {
    const f = packet();
    breakIt(f);
    assert.equal(ipv4.check(f, 0), false, name);
  }
});

test("bytes behind the total length are padding, not an error", () => {
  assert.ok(ipv4.check(Frame.of(Buffer.from(`${PACKET}0000`, "hex")), 0));
});

test("any TTL set in place leaves the checksum right, and the rest alone", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), (ttl) => {
      const f = packet();
      ipv4.setTtl(f, 0, ttl);
      assert.equal(ipv4.ttl(f, 0), ttl);
      assert.equal(checksum(f, 0, 20), 0);
      ipv4.setTtl(f, 0, 64);
      assert.equal(hex(f), PACKET);
    }),
  );
});

test("a header that came with a wrong checksum is not made right by a new TTL", () => {
  const f = packet();
  put16(f, 10, 0xbad0);
  ipv4.setTtl(f, 0, 63);
  assert.notEqual(checksum(f, 0, 20), 0);
});

test("kinds of addresses end where their prefixes end", () => {
  assert.deepEqual([0x7effffff, 0x7f000000, 0x7fffffff, 0x80000000].map(ipv4.isLoopback), [
    false,
    true,
    true,
    false,
  ]);
  assert.deepEqual([0xdfffffff, 0xe0000000, 0xefffffff, 0xf0000000].map(ipv4.isMulticast), [
    false,
    true,
    true,
    false,
  ]);
  assert.deepEqual([0xfffffffe, 0xffffffff].map(ipv4.isLimitedBroadcast), [false, true]);
});

test("a group's MAC keeps its lower 23 bits", () => {
  assert.equal(ipv4.GROUP_MAC_HIGH, 0x0100);
  assert.equal(ipv4.groupMacLow(0xef010101), 0x5e010101); // 239.1.1.1
  assert.equal(ipv4.groupMacLow(0xe0ffffff), 0x5e7fffff); // 224.255.255.255
});
