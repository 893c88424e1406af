/** The one form of loop that there is: `for (let i = FROM; i < TO; i++)`. */
import type { Expression, ForStatement } from "oxc-parser";
import { TESTS, type Test } from "./ranges.ts";
import type { Operand } from "./source.ts";

export interface CountingLoop {
  /** The counter. */
  readonly name: string;
  readonly from: Expression;
  /** Of the counter and `to`; the loop ends where it does not hold. */
  readonly test: Test;
  readonly to: Expression;
  readonly step: 1 | -1;
}

export function countingLoop({ init, test, update }: ForStatement): CountingLoop | undefined {
  if (init?.type !== "VariableDeclaration" || init.kind !== "let") return undefined;
  const [counter, second] = init.declarations;
  if (second || counter?.id.type !== "Identifier" || !counter.init) return undefined;
  const { name } = counter.id;
  const isCounter = (n: Operand) => n.type === "Identifier" && n.name === name;
  if (test?.type !== "BinaryExpression" || !isCounter(test.left)) return undefined;
  const comparison = TESTS[test.operator];
  if (comparison === undefined || comparison === "eq") return undefined;
  if (update?.type !== "UpdateExpression" || !isCounter(update.argument)) return undefined;
  const step = update.operator === "++" ? 1 : -1;
  return { name, from: counter.init, test: comparison, to: test.right, step };
}
