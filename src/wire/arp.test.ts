import assert from "node:assert/strict";
import { test } from "node:test";
import * as arp from "./arp.ts";
import * as eth from "./ethernet.ts";
import { Frame } from "./frame.ts";

/** The router 10.0.0.1 asks for 10.0.0.10, which answers; recorded in test/kernel/verdicts.json. */
const REQUEST =
  "ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a00000a";
const REPLY =
  "020000000001020000000002080600010800060400020200000000020a00000a0200000000010a000001";

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const at = eth.HEADER;

test("a request taken apart", () => {
  const f = frame(REQUEST);
  assert.ok(arp.check(f, at));
  assert.ok(arp.isIpv4(f, at));
  assert.equal(arp.operation(f, at), arp.REQUEST);
  assert.deepEqual([arp.senderMacHigh(f, at), arp.senderMacLow(f, at)], [0x0200, 1]);
  assert.equal(arp.sender(f, at), 0x0a000001);
  assert.deepEqual([arp.targetMacHigh(f, at), arp.targetMacLow(f, at)], [0, 0]);
  assert.equal(arp.target(f, at), 0x0a00000a);
});

test("the reply to it, built", () => {
  const f = Frame.of(new Uint8Array(at + arp.LENGTH).fill(0xee));
  eth.setDst(f, 0x0200, 1);
  eth.setSrc(f, 0x0200, 2);
  eth.setType(f, eth.ETH_P_ARP);
  arp.write(f, at, {
    operation: arp.REPLY,
    senderMacHigh: 0x0200,
    senderMacLow: 2,
    sender: 0x0a00000a,
    targetMacHigh: 0x0200,
    targetMacLow: 1,
    target: 0x0a000001,
  });
  assert.equal(Buffer.from(f.bytes).toString("hex"), REPLY);
});

test("one byte short is not there", () => {
  assert.ok(!arp.check(frame(REQUEST.slice(0, -2)), at));
});

test("ARP for another protocol than IPv4 is told apart", () => {
  const f = frame(REQUEST);
  f.bytes[at + 3] = 1;
  assert.ok(!arp.isIpv4(f, at));
  const longMac = frame(REQUEST);
  longMac.bytes[at + 4] = 8;
  assert.ok(!arp.isIpv4(longMac, at));
});
