/**
 * Operators on numbers, with the meaning they have in JavaScript. Registers hold signed integers of 64 bits; as long as a
 * value stays within ±2^53 both sides compute the same. `& | ^ ~ << >>` take the lower 32 bits as a signed number, `>>>` as
 * an unsigned one: the ranges tell where that changes anything.
 */
import type { Span } from "oxc-parser";
import { isConstant, type Operation, type Value } from "./blocks.ts";
import type { Lowering } from "./lowering.ts";
import {
  conjunction,
  difference,
  disjunction,
  INT32,
  isWithin,
  product,
  type Range,
  SAFE,
  shiftedLeft,
  shiftedRight,
  sum,
  UINT32,
} from "./ranges.ts";

/** Both operands known: JavaScript computes it. */
export const evaluate: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => a << b,
  ">>": (a, b) => a >> b,
  ">>>": (a, b) => a >>> b,
};

/** `node` is what an error points at; `right` the right operand's. */
export function arithmetic(
  l: Lowering,
  node: Span,
  operator: string,
  left: Value,
  right: Value,
  rightNode: Span = node,
): Value {
  if (isConstant(left) && isConstant(right))
    return checked(l, node, evaluate[operator]!(left.constant, right.constant));
  const [a, b] = [l.code.range(left), l.code.range(right)];
  switch (operator) {
    case "+":
      return compute(l, "add", left, right, exact(l, node, sum(a, b)));
    case "-":
      return compute(l, "sub", left, right, exact(l, node, difference(a, b)));
    case "*":
      return compute(l, "mul", left, right, exact(l, node, product(a, b)));
    case "&":
      return and(l, left, right);
    case "|":
      return orXor(l, "or", left, right);
    case "^":
      return orXor(l, "xor", left, right);
  }
  if (!isConstant(right))
    return l.fail(rightNode, "a shift is by a constant", "a switch can choose among some");
  return shift(l, operator, left, right.constant & 31);
}

function and(l: Lowering, left: Value, right: Value): Value {
  for (const [value, mask] of [
    [left, right],
    [right, left],
  ] as const) {
    // No bit of the upper 33 can come through.
    if (isConstant(mask) && mask.constant >= 0 && mask.constant <= INT32.high) {
      const { low, high } = l.code.range(value);
      const least = low >= 0 ? Math.min(high, mask.constant) : mask.constant;
      return compute(l, "and", value, mask, { low: 0, high: least });
    }
  }
  const [a, b] = [signed(l, left), signed(l, right)];
  return compute(l, "and", a, b, conjunction(l.code.range(a), l.code.range(b)));
}

function orXor(l: Lowering, operation: "or" | "xor", left: Value, right: Value): Value {
  const [a, b] = [signed(l, left), signed(l, right)];
  return compute(l, operation, a, b, disjunction(l.code.range(a), l.code.range(b)));
}

function shift(l: Lowering, operator: string, value: Value, by: number): Value {
  const amount = { constant: by };
  if (operator === ">>>") {
    const a = unsigned(l, value);
    return compute(l, "rsh", a, amount, shiftedRight(l.code.range(a), by));
  }
  if (operator === ">>") {
    const a = signed(l, value);
    return compute(l, "arsh", a, amount, shiftedRight(l.code.range(a), by));
  }
  const whole = shiftedLeft(l.code.range(value), by);
  if (isWithin(whole, INT32)) return compute(l, "lsh", value, amount, whole);
  const a = unsigned(l, value);
  return signed(l, compute(l, "lsh", a, amount, shiftedLeft(l.code.range(a), by)));
}

/** The lower 32 bits as a signed number: JavaScript's ToInt32. */
function signed(l: Lowering, v: Value): Value {
  if (isConstant(v)) return { constant: v.constant | 0 };
  return isWithin(l.code.range(v), INT32) ? v : compute(l, "signed", v, { constant: 0 }, INT32);
}
/** As an unsigned one: ToUint32. */
function unsigned(l: Lowering, v: Value): Value {
  if (isConstant(v)) return { constant: v.constant >>> 0 };
  return isWithin(l.code.range(v), UINT32) ? v : compute(l, "unsigned", v, { constant: 0 }, UINT32);
}

const IDLE_WITH_ZERO: ReadonlySet<Operation> = new Set([
  "add",
  "sub",
  "or",
  "xor",
  "lsh",
  "rsh",
  "arsh",
] as const);

export function compute(
  l: Lowering,
  operation: Operation,
  left: Value,
  right: Value,
  range: Range,
): Value {
  if (isConstant(right) && right.constant === 0 && IDLE_WITH_ZERO.has(operation)) return left;
  return l.code.pure({ kind: "compute", operation, left, right }, range, left, right);
}

/** A number that is known; never -0, which no register can hold and no operator here can tell from 0. */
export function checked(l: Lowering, node: Span, value: number): Value {
  exact(l, node, { low: value, high: value });
  return { constant: value + 0 };
}

function exact(l: Lowering, node: Span, range: Range): Range {
  if (isWithin(range, SAFE)) return range;
  const reached = Math.max(-range.low, range.high).toExponential(1);
  return l.fail(
    node,
    `this may reach ${reached}: beyond 2^53 JavaScript rounds and BPF does not`,
    "cut the operands down first, with >>> or &",
  );
}
