import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "./address.ts";
import { Frame } from "./frame.ts";
import * as icmp from "./icmp.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";

/** Echo with id 0x77, sequence 1, "ipvlan-oracle"; without MACs, from test/kernel/verdicts.json. */
const PAYLOAD = "6970766c616e2d6f7261636c65";
const REQUEST4 = `4500002912344000400114960a0000010a00000a08004dff00770001${PAYLOAD}`;
const REPLY6 =
  "6003f28b00153a40fd000000000000000000000000000010fd000000000000000000000000000001" +
  `8100da9c00770001${PAYLOAD}`;

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const hex = (f: Frame): string => Buffer.from(f.bytes).toString("hex");
/** The payload behind this many bytes of rubbish, where the headers go. */
const around = (header: number): Frame => frame("ee".repeat(header) + PAYLOAD);

test("an echo request taken apart", () => {
  const f = frame(REQUEST4);
  assert.ok(icmp.check(f, 20));
  assert.equal(icmp.type(f, 20), icmp.ECHO_REQUEST);
  assert.equal(icmp.code(f, 20), 0);
  assert.equal(icmp.checksum(f, 20), 0x4dff);
  assert.equal(icmp.identifier(f, 20), 0x77);
  assert.equal(icmp.sequence(f, 20), 1);
  assert.equal(hex(f).slice(2 * icmp.payloadAt(20)), PAYLOAD);
});

test("the same request built again", () => {
  const f = around(28);
  const addresses = { src: 0x0a000001, dst: 0x0a00000a };
  ipv4.write(f, 0, { totalLength: 41, identification: 0x1234, ttl: 64, protocol: 1, ...addresses });
  icmp.writeEcho(f, 20, { type: icmp.ECHO_REQUEST, identifier: 0x77, sequence: 1 });
  icmp.fillChecksum4(f, 0);
  assert.equal(hex(f), REQUEST4);
});

test("an ICMPv6 reply built again: its checksum covers the addresses too", () => {
  const f = around(48);
  ipv6.write(f, 0, {
    payloadLength: 21,
    nextHeader: icmp.PROTOCOL6,
    hopLimit: 64,
    flowLabel: 0x3f28b,
    src: parseIp("fd00::10")!,
    dst: parseIp("fd00::1")!,
  });
  icmp.writeEcho(f, 40, { type: icmp.ECHO_REPLY6, identifier: 0x77, sequence: 1 });
  icmp.fillChecksum6(f, 0);
  assert.equal(hex(f), REPLY6);
});

test("seven bytes are no ICMP header", () => {
  assert.ok(!icmp.check(frame(REQUEST4.slice(0, 54)), 20));
});
