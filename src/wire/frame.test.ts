import assert from "node:assert/strict";
import { test } from "node:test";
import { Frame, put8, put16, put32, u8, u16, u32 } from "./frame.ts";

const surroundings = () => Uint8Array.of(0xee, 0xee, 1, 2, 3, 4, 0xee, 0xee);
const window = () => new Frame().set(surroundings(), 2, 4);

test("words are in network order, counted from the window's start, never negative", () => {
  const f = window();
  assert.deepEqual([u8(f, 0), u16(f, 1), u32(f, 0)], [1, 0x0203, 0x01020304]);
  assert.equal(u32(Frame.of(Uint8Array.of(255, 255, 255, 255)), 0), 0xffffffff);
});

test("a word that is only half inside the window reads as 0", () => {
  const f = window();
  assert.deepEqual([u8(f, 4), u16(f, 3), u32(f, 1)], [0, 0, 0]);
});

test("a word that is only half inside the window is not written at all", () => {
  const f = window();
  put8(f, 4, 9);
  put16(f, 3, 0x0909);
  put32(f, 1, 0x09090909);
  assert.deepEqual(f.bytes, surroundings());
});

test("what is written is read again", () => {
  const f = window();
  put32(f, 0, 0xfedcba98);
  assert.equal(u32(f, 0), 0xfedcba98);
  put16(f, 2, 0x1234);
  put8(f, 0, 0xff);
  assert.equal(u32(f, 0), 0xffdc1234);
});

test("the view is the window's bytes, not a copy", () => {
  const f = window();
  assert.deepEqual([...f.view()], [1, 2, 3, 4]);
  f.view()[0] = 7;
  assert.equal(u8(f, 0), 7);
});
