/** Expressions that decide where to go on: no value is made of them, each part jumps. */
import type { Expression } from "oxc-parser";
import type { Block } from "./blocks.ts";
import { findCallee } from "./callee.ts";
import { lowerChoice } from "./joins.ts";
import type { Lowering } from "./lowering.ts";
import { TESTS } from "./ranges.ts";

export function lowerCondition(l: Lowering, n: Expression, yes: Block, no: Block): void {
  switch (n.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
      return l.condition(n.expression, yes, no);
    case "UnaryExpression":
      if (n.operator === "!") return l.condition(n.argument, no, yes);
      break;
    case "LogicalExpression": {
      const second = l.code.newBlock(n.operator === "&&" ? "and" : "or");
      if (n.operator === "&&") l.condition(n.left, second, no);
      else l.condition(n.left, yes, second);
      l.code.open(second);
      if (l.code.isReached) l.condition(n.right, yes, no);
      return;
    }
    case "ConditionalExpression":
      return lowerChoice(l, n, (arm) => l.condition(arm, yes, no));
    case "BinaryExpression": {
      const test = TESTS[n.operator];
      if (!test) break;
      const left = l.number(n.left);
      const right = l.number(n.right);
      l.at(n);
      return l.code.branch(test, left, right, yes, no);
    }
    case "CallExpression":
      if (findCallee(l, n).kind === "function") return l.callInto(n, { kind: "test", yes, no });
      break;
  }
  const value = l.number(n);
  l.at(n);
  l.code.branch("ne", value, { constant: 0 }, yes, no);
}
