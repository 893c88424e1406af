/** Ways that part and meet again. */
import type { ConditionalExpression, Expression } from "oxc-parser";
import type { Block, Temporary, Value } from "./blocks.ts";
import type { Lowering } from "./lowering.ts";
import { EMPTY } from "./ranges.ts";

/** A value that comes in on several ways, each of which copies it to `dst` and goes on at `end`. */
export function joined(l: Lowering, ways: (dst: Temporary, end: Block) => void): Value {
  const dst = l.code.newTemporary(EMPTY, true);
  const end = l.code.newBlock("end");
  ways(dst, end);
  dst.changes = false;
  l.code.open(end);
  return dst;
}

/** Both arms of `test ? consequent : alternate`, each where it is reached. */
export function lowerChoice(
  l: Lowering,
  n: ConditionalExpression,
  lowerArm: (arm: Expression) => void,
): void {
  const [yes, no] = [l.code.newBlock("then"), l.code.newBlock("else")];
  l.condition(n.test, yes, no);
  for (const [block, arm] of [
    [yes, n.consequent],
    [no, n.alternate],
  ] as const) {
    l.code.open(block);
    if (l.code.isReached) lowerArm(arm);
  }
}
