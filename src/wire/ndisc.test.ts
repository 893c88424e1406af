import assert from "node:assert/strict";
import { test } from "node:test";
import { ip6From, parseIp } from "./address.ts";
import * as eth from "./ethernet.ts";
import { Frame, put8, put16 } from "./frame.ts";
import * as icmp from "./icmp.ts";
import * as ipv6 from "./ipv6.ts";
import * as ndisc from "./ndisc.ts";

/** All recorded in test/kernel/verdicts.json. */
const SOLICITATION =
  "3333ff00000202000000000186dd6000000000203afffd000000000000000000000000000001" +
  "ff0200000000000000000001ff00000287007d9700000000fd000000000000000000000000000002" +
  "0101020000000001";
const ADVERTISEMENT =
  "33330000000102000000000286dd6000000000203afffd000000000000000000000000000010" +
  "ff02000000000000000000000000000188005a7c20000000fd000000000000000000000000000010" +
  "0201020000000002";
const DAD_PROBE =
  "3333ff00001002000000000186dd6000000000183aff00000000000000000000000000000000" +
  "ff0200000000000000000001ff00001087007d8700000000fd000000000000000000000000000010";

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const hex = (f: Frame): string => Buffer.from(f.bytes).toString("hex");
const ip = (text: string): Uint8Array => parseIp(text)!;
const at = eth.HEADER;

test("a solicitation taken apart", () => {
  const f = frame(SOLICITATION);
  assert.ok(ndisc.isIcmp6(f, at));
  assert.equal(ndisc.type(f, at), ndisc.NEIGHBOUR_SOLICITATION);
  assert.deepEqual(ip6From(f, ndisc.targetAt(at)), ip("fd00::2"));
  const option = ndisc.findOption(f, at, ndisc.SOURCE_LINK_LAYER);
  assert.deepEqual([ndisc.optionMacHigh(f, option), ndisc.optionMacLow(f, option)], [0x0200, 1]);
  assert.equal(ndisc.isDadProbe(f, at), false);
});

test("the same solicitation built again, down to the group's MAC", () => {
  const f = Frame.of(new Uint8Array(SOLICITATION.length / 2).fill(0xee));
  ndisc.writeSolicitation(f, at, ip("fd00::2"));
  ndisc.writeLinkLayerOption(f, at, ndisc.SOURCE_LINK_LAYER, 0x0200, 1);
  writeIp(f, ip("fd00::1"), ip("::"));
  ipv6.putSolicitedNode(f, ipv6.dstAt(at), ndisc.targetAt(at));
  icmp.fillChecksum6(f, at);
  eth.setDst(f, ipv6.GROUP_MAC_HIGH, ipv6.groupMacLow(f, ipv6.dstAt(at)));
  eth.setSrc(f, 0x0200, 1);
  assert.equal(hex(f), SOLICITATION);
});

test("an advertisement taken apart", () => {
  const f = frame(ADVERTISEMENT);
  assert.equal(ndisc.type(f, at), ndisc.NEIGHBOUR_ADVERTISEMENT);
  assert.equal(ndisc.flags(f, at), ndisc.OVERRIDE);
  const option = ndisc.findOption(f, at, ndisc.TARGET_LINK_LAYER);
  assert.deepEqual([ndisc.optionMacHigh(f, option), ndisc.optionMacLow(f, option)], [0x0200, 2]);
});

test("the same advertisement built again", () => {
  const f = Frame.of(new Uint8Array(ADVERTISEMENT.length / 2).fill(0xee));
  ndisc.writeAdvertisement(f, at, ndisc.OVERRIDE, ip("fd00::10"));
  ndisc.writeLinkLayerOption(f, at, ndisc.TARGET_LINK_LAYER, 0x0200, 2);
  writeIp(f, ip("fd00::10"), ip("ff02::1"));
  icmp.fillChecksum6(f, at);
  eth.setDst(f, ipv6.GROUP_MAC_HIGH, ipv6.groupMacLow(f, ipv6.dstAt(at)));
  eth.setSrc(f, 0x0200, 2);
  assert.equal(hex(f), ADVERTISEMENT);
});

test("a solicitation from :: is a probe for duplicates; an advertisement from :: is not", () => {
  const f = frame(DAD_PROBE);
  assert.ok(ndisc.isDadProbe(f, at));
  put8(f, at + ipv6.HEADER, ndisc.NEIGHBOUR_ADVERTISEMENT);
  assert.ok(!ndisc.isDadProbe(f, at));
});

test("the option looked for is found behind others", () => {
  const f = frame(ADVERTISEMENT + ADVERTISEMENT.slice(-16));
  put16(f, at + 4, 40);
  put8(f, f.length - 16, 14); // a nonce in front
  assert.equal(ndisc.findOption(f, at, ndisc.TARGET_LINK_LAYER), f.length - 8);
});

test("no option is found where there is none, where one has length 0 or reaches over the end", () => {
  assert.equal(ndisc.findOption(frame(DAD_PROBE), at, ndisc.SOURCE_LINK_LAYER), -1);
  for (const length of [0, 2]) {
    const f = frame(SOLICITATION);
    put8(f, f.length - 7, length);
    assert.equal(ndisc.findOption(f, at, ndisc.SOURCE_LINK_LAYER), -1, `length ${length}`);
  }
});

test("padding behind the IP payload holds no options", () => {
  const f = frame(SOLICITATION);
  put16(f, at + 4, ndisc.LENGTH);
  assert.equal(ndisc.findOption(f, at, ndisc.SOURCE_LINK_LAYER), -1);
});

function writeIp(f: Frame, src: Uint8Array, dst: Uint8Array): void {
  eth.setType(f, eth.ETH_P_IPV6);
  const payloadLength = ndisc.LENGTH + ndisc.LINK_LAYER_OPTION;
  ipv6.write(f, at, { payloadLength, nextHeader: icmp.PROTOCOL6, hopLimit: 255, src, dst });
}
