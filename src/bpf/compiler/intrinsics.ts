/** Functions that the machine has: each call is one step. */
import type { CallExpression, Expression } from "oxc-parser";
import { isConstant, type Value } from "./blocks.ts";
import type { Binding, Lowering } from "./lowering.ts";
import type { Intrinsic } from "./machine.ts";
import { UINT32 } from "./ranges.ts";

export function lowerIntrinsic(
  l: Lowering,
  n: CallExpression,
  name: string,
  intrinsic: Intrinsic,
  args: readonly Binding[],
): Value {
  if (intrinsic.kind === "context") {
    const { kind, offset, max } = intrinsic;
    return l.code.pure({ kind, offset }, { low: 0, high: max });
  }
  const [number, node] = onlyNumber(l, n, name, args);
  switch (intrinsic.kind) {
    case "load": {
      const { kind, size } = intrinsic;
      const range = { low: 0, high: 2 ** (8 * size) - 1 };
      if (isBeyond(l, node, number, size)) return { constant: 0 };
      const known = isKnown(l, number, size);
      return l.code.pure({ kind, size, at: number, known }, range, number);
    }
    case "findByBytes": {
      const { kind, map, size, max } = intrinsic;
      if (isBeyond(l, node, number, size)) return { constant: 0 };
      const known = isKnown(l, number, size);
      return l.code.pure({ kind, map, size, at: number, known }, { low: 0, high: max }, number);
    }
    case "findByNumber": {
      const { kind, map, max } = intrinsic;
      return l.code.pure({ kind, map, key: number }, { low: 0, high: max }, number);
    }
  }
}

function onlyNumber(
  l: Lowering,
  n: CallExpression,
  name: string,
  args: readonly Binding[],
): [Value, Expression] {
  const numbers = args.flatMap((b, i) =>
    b.kind === "value" || b.kind === "variable"
      ? [[l.code.simplest(b.value), n.arguments[i] as Expression] as [Value, Expression]]
      : [],
  );
  if (numbers.length !== 1) return l.fail(n, `${name} takes one number`);
  return numbers[0]!;
}

/** Whether no frame has these bytes. */
function isBeyond(l: Lowering, node: Expression, at: Value, size: number): boolean {
  const { low } = l.code.range(at);
  if (low < 0)
    l.fail(node, "this offset may be negative", "compare first, or cut it down with & or >>>");
  return low + size > UINT32.high;
}

/** Whether the frame is known to have them on every way to here. */
const isKnown = (l: Lowering, at: Value, size: number): boolean =>
  isConstant(at) && at.constant + size <= l.code.knownLength;
