/** What a function gives back, where its caller wants it. */
import type { Expression } from "oxc-parser";
import { findCallee } from "./callee.ts";
import { lowerChoice } from "./joins.ts";
import type { Lowering } from "./lowering.ts";

export function lowerReturn(l: Lowering, n: Expression): void {
  const { returns } = l.around;
  if (returns.kind === "test") return l.condition(n, returns.yes, returns.no);
  if (n.type === "ConditionalExpression") return lowerChoice(l, n, (arm) => lowerReturn(l, arm));
  if (n.type === "CallExpression" && findCallee(l, n).kind === "function")
    return l.callInto(n, returns);
  const value = l.number(n);
  l.at(n);
  if (returns.kind === "end") return l.code.return(value);
  if (!l.code.isReached) return;
  l.code.copy(returns.dst, value);
  l.code.goto(returns.end);
}
