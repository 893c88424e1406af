/** Which integers a value may be: arithmetic on ranges, and what a comparison tells of both sides. */

export interface Range {
  readonly low: number;
  readonly high: number;
}

export const INT32: Range = { low: -(2 ** 31), high: 2 ** 31 - 1 };
export const UINT32: Range = { low: 0, high: 2 ** 32 - 1 };
/** Where JavaScript's numbers are exact. */
export const SAFE: Range = { low: Number.MIN_SAFE_INTEGER, high: Number.MAX_SAFE_INTEGER };
/** Of what has no value yet. */
export const EMPTY: Range = { low: Infinity, high: -Infinity };

export const only = (value: number): Range => ({ low: value, high: value });
export const isWithin = (a: Range, b: Range): boolean => b.low <= a.low && a.high <= b.high;
/** Both, and what is between. */
export const hull = (a: Range, b: Range): Range => ({
  low: Math.min(a.low, b.low),
  high: Math.max(a.high, b.high),
});

export const sum = (a: Range, b: Range): Range => ({ low: a.low + b.low, high: a.high + b.high });
export const difference = (a: Range, b: Range): Range => ({
  low: a.low - b.high,
  high: a.high - b.low,
});
export function product(a: Range, b: Range): Range {
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
  return { low: Math.min(...corners), high: Math.max(...corners) };
}

/** Of `a & b`, both within INT32. */
export function conjunction(a: Range, b: Range): Range {
  if (a.low >= 0 && b.low >= 0) return { low: 0, high: Math.min(a.high, b.high) };
  if (a.low >= 0) return { low: 0, high: a.high };
  if (b.low >= 0) return { low: 0, high: b.high };
  return { low: INT32.low, high: Math.max(a.high, b.high) };
}
/** Of `a | b` and `a ^ b`, both within INT32. */
export function disjunction(a: Range, b: Range): Range {
  if (a.low < 0 || b.low < 0) return INT32;
  return { low: 0, high: allOnes(Math.max(a.high, b.high)) };
}
/** Of `a >> by` and, where `a` is not negative, `a >>> by`. */
export const shiftedRight = (a: Range, by: number): Range => ({
  low: Math.floor(a.low / 2 ** by),
  high: Math.floor(a.high / 2 ** by),
});
export const shiftedLeft = (a: Range, by: number): Range => ({
  low: a.low * 2 ** by,
  high: a.high * 2 ** by,
});

/** The least 2^n - 1 that is not below a number of 31 bits. */
const allOnes = (n: number): number => (n === 0 ? 0 : 2 ** (32 - Math.clz32(n)) - 1);

/** Signed comparisons, as eBPF's jumps are called. */
export type Test = "eq" | "ne" | "slt" | "sle" | "sgt" | "sge";

/** JavaScript's comparisons. */
export const TESTS: Readonly<Record<string, Test>> = {
  "===": "eq",
  "!==": "ne",
  "<": "slt",
  "<=": "sle",
  ">": "sgt",
  ">=": "sge",
};

export function holds(test: Test, a: number, b: number): boolean {
  return narrow(test, only(a), only(b)) !== undefined;
}

export const NEGATED: Readonly<Record<Test, Test>> = {
  eq: "ne",
  ne: "eq",
  slt: "sge",
  sge: "slt",
  sgt: "sle",
  sle: "sgt",
};
/** With both sides exchanged. */
export const MIRRORED: Readonly<Record<Test, Test>> = {
  eq: "eq",
  ne: "ne",
  slt: "sgt",
  sgt: "slt",
  sle: "sge",
  sge: "sle",
};

/** What both sides may be where `a test b` holds; undefined where it cannot. */
export function narrow(test: Test, a: Range, b: Range): [a: Range, b: Range] | undefined {
  const [left, right] = narrowed(test, a, b);
  return left.low <= left.high && right.low <= right.high ? [left, right] : undefined;
}

function narrowed(test: Test, a: Range, b: Range): [Range, Range] {
  switch (test) {
    case "eq": {
      const both = { low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) };
      return [both, both];
    }
    case "ne":
      return [without(a, b), without(b, a)];
    case "slt":
      return [
        { low: a.low, high: Math.min(a.high, b.high - 1) },
        { low: Math.max(b.low, a.low + 1), high: b.high },
      ];
    case "sle":
      return [
        { low: a.low, high: Math.min(a.high, b.high) },
        { low: Math.max(b.low, a.low), high: b.high },
      ];
    case "sgt":
    case "sge": {
      const [right, left] = narrowed(MIRRORED[test], b, a);
      return [left, right];
    }
  }
}

/** `a` without the one number that `b` is, where that stands at an end. */
function without(a: Range, b: Range): Range {
  if (b.low !== b.high) return a;
  return {
    low: a.low === b.low ? a.low + 1 : a.low,
    high: a.high === b.low ? a.high - 1 : a.high,
  };
}
