import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  conjunction,
  difference,
  disjunction,
  holds,
  hull,
  INT32,
  narrow,
  product,
  type Range,
  shiftedLeft,
  shiftedRight,
  sum,
  type Test,
} from "./ranges.ts";

/** A range, and a number in it. */
const some = (least: number, most: number): fc.Arbitrary<[Range, number]> =>
  fc
    .uniqueArray(
      fc.oneof(
        fc.integer({ min: least, max: most }),
        fc.integer({ min: least < 0 ? -9 : 0, max: 9 }),
      ),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((numbers) => numbers.sort((a, b) => a - b))
    .map((sorted) => [{ low: sorted[0]!, high: sorted.at(-1)! }, sorted[sorted.length >> 1]!]);
const int32 = some(INT32.low, INT32.high);
const amount = fc.nat(31);
const has = ({ low, high }: Range, n: number): boolean => low <= n && n <= high;

const binary: readonly [string, (a: Range, b: Range) => Range, (a: number, b: number) => number][] =
  [
    ["+", sum, (a, b) => a + b],
    ["-", difference, (a, b) => a - b],
    ["*", product, (a, b) => a * b],
    ["&", conjunction, (a, b) => a & b],
    ["|", disjunction, (a, b) => a | b],
    ["^", disjunction, (a, b) => a ^ b],
  ];
for (const [operator, ofRanges, ofNumbers] of binary)
  test(`${operator} of two numbers is in the range that it has of their ranges`, () => {
    const property = fc.property(int32, int32, ([ra, a], [rb, b]) =>
      has(ofRanges(ra, rb), ofNumbers(a, b)),
    );
    fc.assert(property, { numRuns: 2000 });
  });

test("so are shifts", () => {
  const right = fc.property(int32, amount, ([r, n], by) => has(shiftedRight(r, by), n >> by));
  const left = fc.property(int32, amount, ([r, n], by) => has(shiftedLeft(r, by), n * 2 ** by));
  const unsigned = fc.property(some(0, 2 ** 32 - 1), amount, ([r, n], by) =>
    has(shiftedRight(r, by), n >>> by),
  );
  for (const property of [right, left, unsigned]) fc.assert(property, { numRuns: 2000 });
});

test("both ranges are in what holds them", () => {
  const property = fc.property(int32, int32, ([ra, a], [rb, b]) => {
    const both = hull(ra, rb);
    return has(both, a) && has(both, b);
  });
  fc.assert(property);
});

const tests: Readonly<Record<Test, (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  slt: (a, b) => a < b,
  sle: (a, b) => a <= b,
  sgt: (a, b) => a > b,
  sge: (a, b) => a >= b,
};
for (const [name, compare] of Object.entries(tests) as [Test, typeof tests.eq][]) {
  test(`${name}: no pair for which it holds is lost by what it tells`, () => {
    const property = fc.property(int32, int32, ([ra, a], [rb, b]) => {
      if (!compare(a, b)) return;
      const told = narrow(name, ra, rb);
      assert.ok(told && has(told[0], a) && has(told[1], b));
    });
    fc.assert(property, { numRuns: 3000 });
  });
  test(`${name}: of two known numbers the outcome is known`, () => {
    const small = fc.integer({ min: -3, max: 3 });
    fc.assert(fc.property(small, small, (a, b) => holds(name, a, b) === compare(a, b)));
  });
}

test("what a comparison tells is no more than it has to be", () => {
  const byte = { low: 0, high: 255 };
  assert.deepEqual(narrow("slt", byte, { low: 20, high: 20 })?.[0], { low: 0, high: 19 });
  assert.deepEqual(narrow("sge", byte, { low: 20, high: 20 })?.[0], { low: 20, high: 255 });
  assert.deepEqual(narrow("ne", byte, { low: 0, high: 0 })?.[0], { low: 1, high: 255 });
  assert.equal(narrow("sgt", byte, { low: 255, high: 255 }), undefined);
});
