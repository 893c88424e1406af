import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "./address.ts";
import { Frame, put16 } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import { transportChecksum4, transportChecksum6 } from "./pseudo-header.ts";
import * as udp from "./udp.ts";

/** "ipvlan-oracle" from port 5555 to 7777 over both IPs, without MACs; from test/kernel/verdicts.json. */
const PAYLOAD = "6970766c616e2d6f7261636c65";
const PACKET4 = `4500002912344000401114860a0000010a00000a15b31e6100150e1d${PAYLOAD}`;
const PACKET6 =
  "6000000000151140fd000000000000000000000000000001fd000000000000000000000000000010" +
  `15b31e6100152815${PAYLOAD}`;

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const hex = (f: Frame): string => Buffer.from(f.bytes).toString("hex");
/** The payload behind this many bytes of rubbish, where the headers go. */
const around = (header: number): Frame => frame("ee".repeat(header) + PAYLOAD);
const fields: udp.Fields = { srcPort: 5555, dstPort: 7777, length: 21 };

test("a datagram taken apart", () => {
  const f = frame(PACKET4);
  assert.ok(udp.check(f, 20));
  assert.equal(udp.srcPort(f, 20), 5555);
  assert.equal(udp.dstPort(f, 20), 7777);
  assert.equal(udp.length(f, 20), 21);
  assert.equal(udp.checksum(f, 20), 0x0e1d);
  assert.equal(hex(f).slice(2 * udp.payloadAt(20)), PAYLOAD);
});

test("the same datagram built again over IPv4", () => {
  const f = around(28);
  const addresses = { src: 0x0a000001, dst: 0x0a00000a };
  ipv4.write(f, 0, {
    totalLength: 41,
    identification: 0x1234,
    ttl: 64,
    protocol: 17,
    ...addresses,
  });
  udp.write(f, 20, fields);
  udp.fillChecksum4(f, 0);
  assert.equal(hex(f), PACKET4);
  assert.equal(transportChecksum4(f, 0), 0);
});

test("and over IPv6", () => {
  const f = around(48);
  const addresses = { src: parseIp("fd00::1")!, dst: parseIp("fd00::10")! };
  ipv6.write(f, 0, { payloadLength: 21, nextHeader: udp.PROTOCOL, hopLimit: 64, ...addresses });
  udp.write(f, 40, fields);
  udp.fillChecksum6(f, 0);
  assert.equal(hex(f), PACKET6);
  assert.equal(transportChecksum6(f, 0), 0);
});

test("a checksum that comes out as 0 is sent as 0xffff", () => {
  const f4 = frame(PACKET4);
  put16(f4, 28, 0x6970 + 0x0e1d); // takes up what the checksum was there for
  udp.fillChecksum4(f4, 0);
  assert.equal(udp.checksum(f4, 20), 0xffff);
  const f6 = frame(PACKET6);
  put16(f6, 48, 0x6970 + 0x2815);
  udp.fillChecksum6(f6, 0);
  assert.equal(udp.checksum(f6, 40), 0xffff);
});

test("check refuses truncation and a length below the header or beyond the frame", () => {
  assert.ok(!udp.check(frame(PACKET4.slice(0, 54)), 20));
  for (const length of [7, 22]) {
    const f = frame(PACKET4);
    put16(f, 24, length);
    assert.ok(!udp.check(f, 20), `length ${length}`);
  }
});
