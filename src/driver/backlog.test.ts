import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Frame } from "../wire/frame.ts";
import { BACKLOG_BYTES_MAX, BACKLOG_MAX, Backlog } from "./backlog.ts";

/** A frame that differs from the next one, with a headroom that does too. */
function numbered(n: number, length: number, headroom = 0): Frame {
  const bytes = Uint8Array.from({ length: headroom + length }, (_, i) => n + i);
  return new Frame().set(bytes, headroom, length);
}

test("frames come out as they went in, with what lies before them", () => {
  const backlog = new Backlog(10);
  backlog.push(numbered(1, 60, 10), 7);
  backlog.push(numbered(2, 70, 10), 8);
  const f = backlog.first();
  assert.deepEqual(f.view(), numbered(1, 60, 10).view());
  assert.equal(f.bytes[f.start - 10], 1);
  assert.equal(backlog.firstSlave(), 7);
  backlog.drop();
  assert.deepEqual(backlog.first().view(), numbered(2, 70, 10).view());
  assert.equal(backlog.firstSlave(), 8);
});

test("a frame is copied: what happens to its ring afterwards does not matter", () => {
  const backlog = new Backlog(0);
  const f = numbered(1, 60);
  backlog.push(f, 1);
  f.bytes.fill(0);
  assert.deepEqual(backlog.first().view(), numbered(1, 60).view());
});

test("a thousand frames fit, and the newest is refused", () => {
  const backlog = new Backlog(0);
  for (let i = 0; i < BACKLOG_MAX; i++) assert.equal(backlog.push(numbered(i, 60), i), true);
  assert.equal(backlog.push(numbered(0, 60), 0), false);
  assert.equal(backlog.firstSlave(), 0);
  backlog.drop();
  assert.equal(backlog.push(numbered(0, 60), 0), true);
});

test("nobody has more than is left free, in frames and in bytes, and what went out is free again", () => {
  for (const [length, most] of [
    [60, BACKLOG_MAX / 2],
    [BACKLOG_BYTES_MAX / 16, 8],
  ] as const) {
    const backlog = new Backlog(0);
    const f = numbered(1, length);
    const fill = (slave: number): number => {
      let n = 0;
      for (; backlog.hasShare(f, slave) && backlog.push(f, slave); n++);
      return n;
    };
    assert.equal(fill(1), most);
    assert.equal(fill(2), most / 2);
    assert.equal(backlog.hasShare(f, 3), true);
    while (backlog.count > 0) backlog.drop();
    assert.equal(fill(1), most);
  }
});

test("a frame larger than all room is refused", () => {
  const backlog = new Backlog(0);
  assert.equal(backlog.push(numbered(0, BACKLOG_BYTES_MAX + 1), 0), false);
  assert.equal(backlog.push(numbered(0, BACKLOG_BYTES_MAX), 0), true);
  assert.equal(backlog.push(numbered(0, 14), 0), false);
});

test("a frame that would reach into a waiting one is refused", () => {
  const half = BACKLOG_BYTES_MAX / 2;
  const backlog = new Backlog(0);
  backlog.push(numbered(1, half), 1);
  backlog.push(numbered(2, half), 2);
  backlog.drop();
  assert.equal(backlog.push(numbered(3, half + 1), 3), false);
  assert.equal(backlog.push(numbered(3, half - 1), 3), true);
});

test("any frame that waits can be looked at", () => {
  const backlog = new Backlog(0);
  for (let n = 0; n < 3; n++) backlog.push(numbered(n, 60 + n), 10 + n);
  backlog.drop();
  const f = new Frame();
  assert.deepEqual([backlog.peek(0, f), f.view()], [11, numbered(1, 61).view()]);
  assert.deepEqual([backlog.peek(1, f), f.view()], [12, numbered(2, 62).view()]);
});

test("a dropped frame can be pushed again, wherever it lies", () => {
  const filler = Frame.of(new Uint8Array(BACKLOG_BYTES_MAX - 5000));
  const lengths = fc.array(fc.integer({ min: 14, max: 2000 }), { minLength: 1, maxLength: 4 });
  const property = fc.property(lengths, fc.integer({ min: 1, max: 20 }), (list, rounds) => {
    const backlog = new Backlog(0);
    backlog.push(filler, 0); // so that the ring of bytes turns soon
    for (const [n, length] of list.entries()) backlog.push(numbered(n, length), n);
    backlog.drop();
    if (backlog.count < list.length) return; // no room beside the filler
    for (let n = 0; n < rounds; n++) {
      const f = backlog.first();
      const slave = backlog.firstSlave();
      backlog.drop();
      assert.equal(backlog.push(f, slave), true);
      for (let i = 0; i < list.length; i++) {
        const at = new Frame();
        const id = backlog.peek(i, at);
        assert.deepEqual(at.view(), numbered(id, list[id]!).view());
      }
    }
  });
  fc.assert(property, { numRuns: 50 });
});

test("however pushes and drops mix, no waiting frame is touched", () => {
  // Large frames, so that the ring of bytes turns many times.
  const steps = fc.array(fc.option(fc.integer({ min: 14, max: BACKLOG_BYTES_MAX >> 2 })), {
    minLength: 20,
    maxLength: 60,
  });
  const property = fc.property(steps, (list) => {
    const backlog = new Backlog(2);
    const queue: { n: number; length: number }[] = [];
    for (const [n, length] of list.entries()) {
      if (length === null) {
        if (queue.length === 0) continue;
        backlog.drop();
        queue.shift();
      } else if (backlog.push(marked(n, length), n)) queue.push({ n, length });
      assert.equal(backlog.count, queue.length);
      if (queue.length > 0) checkFirst(backlog, queue[0]!);
    }
    for (const expected of queue) {
      checkFirst(backlog, expected);
      backlog.drop();
    }
  });
  fc.assert(property, { numRuns: 50 });
});

/** Marked where a neighbour would write over it: at both ends. */
function marked(n: number, length: number): Frame {
  const bytes = new Uint8Array(2 + length);
  bytes[0] = n;
  bytes[2] = n;
  bytes[bytes.length - 1] = n;
  return new Frame().set(bytes, 2, length);
}

function checkFirst(backlog: Backlog, { n, length }: { n: number; length: number }): void {
  const { bytes, start, length: found } = backlog.first();
  assert.equal(found, length);
  assert.deepEqual([bytes[start - 2], bytes[start], bytes[start + length - 1]], [n, n, n]);
  assert.equal(backlog.firstSlave(), n);
}
