import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Clock } from "./clock.ts";

test("what is asked for happens in the order of its time, and of two at once the first asked for comes first", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 200 }), (delays) => {
      const clock = new Clock();
      const happened: number[] = [];
      for (const [i, delay] of delays.entries()) clock.after(delay, () => happened.push(i));
      clock.run(50);
      const expected = [...delays.keys()].sort((a, b) => delays[a]! - delays[b]! || a - b);
      assert.deepEqual(happened, expected);
    }),
  );
});

test("time stands still between runs, and what is cancelled does not happen", () => {
  const clock = new Clock();
  let count = 0;
  clock.after(10, () => count++);
  clock.after(10, () => count++).isCancelled = true;
  clock.run(9.5);
  assert.deepEqual([clock.nowMs, count], [9.5, 0]);
  clock.run(1);
  assert.deepEqual([clock.nowMs, count], [10.5, 1]);
});

test("what happens may ask for more, in the same run", () => {
  const clock = new Clock();
  const times: number[] = [];
  const again = () => {
    times.push(clock.nowMs);
    clock.after(3, again);
  };
  again();
  clock.run(10, () => times.length === 3);
  assert.deepEqual(times, [0, 3, 6]);
});
