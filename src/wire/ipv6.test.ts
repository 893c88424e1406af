import assert from "node:assert/strict";
import { test } from "node:test";
import { ip6From, parseIp } from "./address.ts";
import { Frame } from "./frame.ts";
import * as ipv6 from "./ipv6.ts";

/** An echo reply of 21 bytes from fd00::10 to fd00::1, header only; from test/kernel/verdicts.json. */
const HEADER = "6003f28b00153a40fd000000000000000000000000000010fd000000000000000000000000000001";

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const addresses = (...texts: string[]): Frame =>
  Frame.of(Buffer.concat(texts.map((text) => parseIp(text)!)));

test("a header taken apart", () => {
  const f = frame(HEADER);
  assert.ok(ipv6.check(f, 0));
  assert.equal(ipv6.version(f, 0), 6);
  assert.equal(ipv6.trafficClass(f, 0), 0);
  assert.equal(ipv6.flowLabel(f, 0), 0x3f28b);
  assert.equal(ipv6.payloadLength(f, 0), 21);
  assert.equal(ipv6.nextHeader(f, 0), 58);
  assert.equal(ipv6.hopLimit(f, 0), 64);
  assert.deepEqual(ip6From(f, ipv6.srcAt(0)), parseIp("fd00::10"));
  assert.deepEqual(ip6From(f, ipv6.dstAt(0)), parseIp("fd00::1"));
});

test("the same header built again", () => {
  const f = Frame.of(new Uint8Array(ipv6.HEADER).fill(0xee));
  ipv6.write(f, 0, {
    payloadLength: 21,
    nextHeader: 58,
    hopLimit: 64,
    flowLabel: 0x3f28b,
    src: parseIp("fd00::10")!,
    dst: parseIp("fd00::1")!,
  });
  assert.equal(Buffer.from(f.bytes).toString("hex"), HEADER);
});

test("the traffic class lies across the first two bytes", () => {
  assert.equal(ipv6.trafficClass(frame("6ab00000"), 0), 0xab);
});

test("check asks for 40 bytes and version 6, nothing else", () => {
  assert.ok(!ipv6.check(frame(HEADER.slice(0, -2)), 0));
  assert.ok(!ipv6.check(frame(HEADER.replace("6", "4")), 0));
  assert.ok(ipv6.check(frame(HEADER.replace("0015", "ffff")), 0));
});

test("a new hop limit changes that byte only", () => {
  const f = frame(HEADER);
  ipv6.setHopLimit(f, 0, 63);
  assert.equal(Buffer.from(f.bytes).toString("hex"), HEADER.replace("3a40", "3a3f"));
});

test("only :: is unspecified, only ff00::/8 is multicast", () => {
  const f = addresses("::", "::1", "1::", "0:0:1::", "0:0:0:0:1::", "ff02::1", "feff::1");
  const offsets = [0, 16, 32, 48, 64, 80, 96];
  assert.deepEqual(
    offsets.filter((at) => ipv6.isUnspecified(f, at)),
    [0],
  );
  assert.deepEqual(
    offsets.filter((at) => ipv6.isMulticast(f, at)),
    [80],
  );
});

test("the solicited-node group ends in the address's last three bytes (RFC 4291 §2.7.1)", () => {
  const f = addresses("4037::1:800:200e:8c6c", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  ipv6.putSolicitedNode(f, 16, 0);
  assert.deepEqual(ip6From(f, 16), parseIp("ff02::1:ff0e:8c6c"));
});

test("a group's MAC is 33:33 and its last four bytes", () => {
  assert.equal(ipv6.GROUP_MAC_HIGH, 0x3333);
  assert.equal(ipv6.groupMacLow(addresses("ff02::1:ff00:10"), 0), 0xff000010);
});
