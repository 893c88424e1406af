import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "./address.ts";
import { Frame, put8 } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import { transportChecksum4, transportChecksum6 } from "./pseudo-header.ts";
import * as tcp from "./tcp.ts";

/**
 * "ipvlan" to port 7 and a refused connection, as Linux 6.12 sent them over lo; without MACs. It leaves checksums there
 * to the device: they are those that tcpdump counted.
 */
const DATA =
  "4500003a68b040004006d40b7f0000017f000001b3fc0007dd954eb1436d1c36801800406896" +
  "00000101080a4c2d4627bfbe3c8a6970766c616e";
const REFUSED4 =
  "450000280000400040063cce7f0000017f0000010007ce6600000000fb9dafd5501400003" + "7ed0000";
const REFUSED6 =
  "600a561b00140640000000000000000000000000000000010000000000000000000000000000000" +
  "10007ab4c00000000853c1cf250140000624d0000";

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const hex = (f: Frame): string => Buffer.from(f.bytes).toString("hex");
const rubbish = (length: number): Frame => frame("ee".repeat(length));

test("a segment with options and data taken apart", () => {
  const f = frame(DATA);
  assert.ok(tcp.check(f, 20));
  assert.deepEqual([tcp.srcPort(f, 20), tcp.dstPort(f, 20)], [46076, 7]);
  assert.equal(tcp.sequence(f, 20), 0xdd954eb1);
  assert.equal(tcp.acknowledgement(f, 20), 0x436d1c36);
  assert.equal(tcp.headerLength(f, 20), 32);
  assert.equal(tcp.flags(f, 20), tcp.PSH | tcp.ACK);
  assert.equal(tcp.window(f, 20), 64);
  assert.equal(tcp.checksum(f, 20), 0x6896);
  assert.equal(transportChecksum4(f, 0), 0);
  assert.equal(Buffer.from(f.bytes.subarray(tcp.payloadAt(f, 20))).toString(), "ipvlan");
});

const flags = tcp.RST | tcp.ACK;

test("a refusal built again over IPv4", () => {
  const f = rubbish(40);
  const addresses = { src: 0x7f000001, dst: 0x7f000001 };
  ipv4.write(f, 0, { totalLength: 40, ttl: 64, protocol: tcp.PROTOCOL, ...addresses });
  const ports = { srcPort: 7, dstPort: 52838 };
  tcp.write(f, 20, { ...ports, sequence: 0, acknowledgement: 0xfb9dafd5, flags, window: 0 });
  tcp.fillChecksum4(f, 0);
  assert.equal(hex(f), REFUSED4);
});

test("and over IPv6", () => {
  const f = rubbish(60);
  const addresses = { src: parseIp("::1")!, dst: parseIp("::1")! };
  const header = { payloadLength: 20, nextHeader: tcp.PROTOCOL, hopLimit: 64, ...addresses };
  ipv6.write(f, 0, { ...header, flowLabel: 0xa561b });
  const ports = { srcPort: 7, dstPort: 43852 };
  tcp.write(f, 40, { ...ports, sequence: 0, acknowledgement: 0x853c1cf2, flags, window: 0 });
  tcp.fillChecksum6(f, 0);
  assert.equal(hex(f), REFUSED6);
  assert.equal(transportChecksum6(f, 0), 0);
});

test("check refuses truncation, and a header length below 20 or beyond the frame", () => {
  assert.ok(!tcp.check(frame(REFUSED4.slice(0, -2)), 20));
  for (const words of [4, 14]) {
    const f = frame(DATA);
    put8(f, 32, words << 4);
    assert.ok(!tcp.check(f, 20), `${words} words`);
  }
});
