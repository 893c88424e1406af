import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checksum, fold, sum, update16 } from "./checksum.ts";
import { Frame, put16, u16 } from "./frame.ts";

const bytes = fc.uint8Array({ maxLength: 100 });

/** RFC 1071 §1, word for word. */
function textbook(data: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < data.length; i += 2) {
    total += data[i]! * 256 + (data[i + 1] ?? 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

test("the example of RFC 1071 §3", () => {
  const f = Frame.of(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7));
  assert.equal(sum(f, 0, 8), 0x2ddf0);
  assert.equal(fold(0x2ddf0), 0xddf2);
  assert.equal(checksum(f, 0, 8), 0x220d);
});

test("any bytes at any offset sum up as the textbook says", () => {
  fc.assert(
    fc.property(bytes, fc.nat(100), fc.nat(100), (data, at, length) => {
      const f = Frame.of(data);
      assert.equal(fold(sum(f, at, length)), textbook(data.subarray(at, at + length)));
    }),
  );
});

test("nothing around the window is counted", () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, (before, data, after) => {
      const f = new Frame().set(Buffer.concat([before, data, after]), before.length, data.length);
      assert.equal(sum(f, 0, data.length + after.length), sum(Frame.of(data), 0, data.length));
    }),
  );
});

test("the sums of two parts are the sum of the whole, if the first is even", () => {
  fc.assert(
    fc.property(bytes, fc.nat(50), (data, half) => {
      const f = Frame.of(data);
      const whole = sum(f, 0, data.length);
      assert.equal(sum(f, 0, 2 * half) + sum(f, 2 * half, data.length), whole);
    }),
  );
});

test("no carry is lost in a super-frame full of ones", () => {
  const f = Frame.of(new Uint8Array(1 << 20).fill(0xff));
  assert.equal(sum(f, 0, 1 << 20), (1 << 19) * 0xffff);
  assert.equal(fold(sum(f, 0, 1 << 20)), 0xffff);
});

test("a checksum updated for one word is the checksum counted anew", () => {
  const word = fc.integer({ min: 0, max: 0xffff });
  fc.assert(
    fc.property(bytes, fc.nat(48), word, (data, index, changed) => {
      // A header is never all zeros, where one's complement would have two answers.
      const f = Frame.of(Uint8Array.of(0x45, 0, ...data, 0, 0));
      const at = ((2 * index) % (f.length - 1)) & ~1;
      fc.pre(at > 0);
      const before = checksum(f, 0, f.length);
      const old = u16(f, at);
      put16(f, at, changed);
      assert.equal(update16(before, old, changed), checksum(f, 0, f.length));
    }),
  );
});

test("the corner of RFC 1624 §4, where the older equation gave the wrong zero", () => {
  assert.equal(update16(0xdd2f, 0x5555, 0x3285), 0x0000);
});
