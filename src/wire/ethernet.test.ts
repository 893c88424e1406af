import assert from "node:assert/strict";
import { test } from "node:test";
import * as eth from "./ethernet.ts";
import { Frame } from "./frame.ts";

/** UDP from the wire to a slave, in VLAN 10 and in none; from test/kernel/verdicts.json. */
const TAGGED =
  "0200000000020200000000018100000a08004500002912344000401114860a0000010a00000a15b31e6100150e1d6970766c616e2d6f7261636c65";
const UNTAGGED =
  "02000000000202000000000108004500002912344000401114860a0000010a00000a15b31e6100150e1d6970766c616e2d6f7261636c65";

const frame = (hex: string): Frame => Frame.of(Buffer.from(hex, "hex"));
const hex = (f: Frame): string => Buffer.from(f.view()).toString("hex");
/** With four bytes of room in front. */
const roomy = (text: string): Frame =>
  new Frame().set(Buffer.from(`eeeeeeee${text}`, "hex"), 4, text.length / 2);

test("a tagged frame taken apart", () => {
  const f = frame(TAGGED);
  assert.deepEqual([eth.dstHigh(f), eth.dstLow(f)], [0x0200, 2]);
  assert.deepEqual([eth.srcHigh(f), eth.srcLow(f)], [0x0200, 1]);
  assert.equal(eth.type(f), eth.ETH_P_8021Q);
  assert.equal(eth.tagControl(f), 0x000a);
  assert.equal(eth.vlanId(f), 10);
  assert.equal(eth.innerType(f), eth.ETH_P_IP);
});

test("a priority tag carries no VLAN id", () => {
  const f = frame(TAGGED.replace("8100000a", "8100a000"));
  assert.deepEqual([eth.tagControl(f), eth.vlanId(f)], [0xa000, 0]);
});

test("the same header built again", () => {
  const f = frame("00".repeat(14));
  eth.setDst(f, 0x0200, 2);
  eth.setSrc(f, 0x0200, 1);
  eth.setType(f, eth.ETH_P_IP);
  assert.equal(hex(f), UNTAGGED.slice(0, 28));
});

test("groups are told by their lowest bit in the first byte, broadcast among them", () => {
  assert.ok(eth.isGroup(frame("ffffffffffff020000000001")));
  assert.ok(eth.isGroup(frame("01005e010101020000000001")));
  assert.ok(!eth.isGroup(frame("020000000002020000000001")));
});

test("a frame is local when both MACs are the same in all six bytes", () => {
  assert.ok(eth.isLocal(frame("020000000002020000000002")));
  assert.ok(!eth.isLocal(frame("020000000002020000000001")));
  assert.ok(!eth.isLocal(frame("020000000002060000000002")));
});

test("a frame is from the MAC it names as source", () => {
  assert.ok(eth.isFrom(frame(UNTAGGED), 0x0200, 1));
  assert.ok(!eth.isFrom(frame(UNTAGGED), 0x0200, 2));
  assert.ok(!eth.isFrom(frame(UNTAGGED), 0x0201, 1));
});

test("a tag goes in behind the MACs, into the room in front of the frame", () => {
  const f = roomy(UNTAGGED);
  assert.ok(eth.pushTag(f, eth.ETH_P_8021Q, 0x000a));
  assert.equal(hex(f), TAGGED);
  assert.equal(f.start, 0);
});

test("a tag that was taken out leaves the frame as it was without", () => {
  const f = frame(TAGGED);
  assert.ok(eth.popTag(f));
  assert.equal(hex(f), UNTAGGED);
});

test("without room for a tag, nothing changes", () => {
  const f = frame(UNTAGGED);
  assert.ok(!eth.pushTag(f, eth.ETH_P_8021Q, 10));
  assert.equal(hex(f), UNTAGGED);
});

test("an untagged frame, or one too short for its tag, keeps what it has", () => {
  for (const text of [UNTAGGED, TAGGED.slice(0, 34)]) {
    const f = frame(text);
    assert.ok(!eth.popTag(f));
    assert.equal(hex(f), text);
  }
});
