/** Constants of the top level: their values are known while compiling. */
import type { Expression } from "oxc-parser";
import { evaluate } from "./arithmetic.ts";
import { checkConstant } from "./check.ts";
import type { Lowering } from "./lowering.ts";
import type { Meaning } from "./names.ts";
import { holds, isWithin, only, SAFE, TESTS } from "./ranges.ts";
import type { Operand, SourceConstant } from "./source.ts";

/** `within` are the constants whose values wait for this one. */
export function constantValue(
  l: Lowering,
  constant: SourceConstant,
  within: readonly SourceConstant[] = [],
): number {
  return l.within({ module: constant.module, scope: new Map() }, () => {
    if (within.includes(constant)) return l.fail(constant.value, `${constant.name} needs itself`);
    checkConstant(constant);
    return value(l, constant.value, [...within, constant]);
  });
}

function value(l: Lowering, n: Operand, within: readonly SourceConstant[]): number {
  switch (n.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
      return value(l, n.expression, within);
    case "Literal":
      return Number(n.value);
    case "Identifier":
      return named(l, n, l.names.find(l.around.module, n.name), within);
    case "MemberExpression": {
      const of = n.object.type === "Identifier" ? n.object.name : "";
      const imported = l.names.find(l.around.module, of);
      const name = n.property.type === "Identifier" ? n.property.name : "";
      if (imported?.kind !== "module") return noConstant(l, n);
      return named(l, n, l.names.find(imported.module, name), within);
    }
    case "UnaryExpression": {
      const operand = value(l, n.argument, within);
      if (n.operator === "!") return Number(!operand);
      return n.operator === "~" ? ~operand : 0 - operand;
    }
    case "BinaryExpression": {
      const left = value(l, n.left, within);
      const right = value(l, n.right, within);
      const test = TESTS[n.operator];
      if (test) return Number(holds(test, left, right));
      return safe(l, n, evaluate[n.operator]!(left, right));
    }
    case "LogicalExpression": {
      const left = value(l, n.left, within);
      return (left !== 0) === (n.operator === "&&") ? value(l, n.right, within) : left;
    }
    case "ConditionalExpression":
      return value(l, value(l, n.test, within) !== 0 ? n.consequent : n.alternate, within);
    default:
      return noConstant(l, n);
  }
}

function named(
  l: Lowering,
  n: Expression,
  meaning: Meaning | undefined,
  within: readonly SourceConstant[],
): number {
  if (meaning?.kind !== "constant") return noConstant(l, n);
  return constantValue(l, meaning.constant, within);
}

const noConstant = (l: Lowering, n: Operand): never =>
  l.fail(n, "this is no constant", "a constant is made of numbers, operators and other constants");

function safe(l: Lowering, n: Expression, number: number): number {
  if (isWithin(only(number), SAFE)) return number + 0; // no -0
  return l.fail(n, "this is beyond 2^53, where JavaScript rounds and BPF does not");
}
