/** Expressions: what each stands for, and the steps that compute it. */
import type {
  BinaryExpression,
  ConditionalExpression,
  Expression,
  LogicalExpression,
  PrivateInExpression,
  StaticMemberExpression,
  UnaryExpression,
} from "oxc-parser";
import { arithmetic, compute } from "./arithmetic.ts";
import { isConstant, type Value } from "./blocks.ts";
import { constantValue } from "./constants.ts";
import { joined, lowerChoice } from "./joins.ts";
import type { Binding, Lowering } from "./lowering.ts";
import type { Field } from "./machine.ts";
import type { Meaning } from "./names.ts";
import { TESTS, UINT32 } from "./ranges.ts";
import type { Operand } from "./source.ts";

export function lowerExpression(l: Lowering, n: Operand): Binding {
  switch (n.type) {
    case "TSAsExpression":
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
      return l.binding(n.expression);
    case "Literal":
      return number({ constant: Number(n.value) });
    case "Identifier":
      return l.around.scope.get(n.name) ?? topLevel(l, n, n.name);
    case "MemberExpression":
      return member(l, n as StaticMemberExpression);
    case "UnaryExpression":
      return number(unary(l, n));
    case "LogicalExpression":
      return number(isBoolean(n) ? truth(l, n) : either(l, n));
    case "BinaryExpression":
      if (n.operator in TESTS) return number(truth(l, n));
      return number(binary(l, n));
    case "ConditionalExpression":
      return number(choice(l, n));
    case "CallExpression":
      return l.call(n);
    default:
      throw new Error(`${n.type} passed the check`);
  }
}

const number = (value: Value): Binding => ({ kind: "value", value });

function unary(l: Lowering, n: UnaryExpression): Value {
  if (n.operator === "!") return truth(l, n);
  const operand = l.number(n.argument);
  l.at(n);
  if (n.operator === "-") return arithmetic(l, n, "-", { constant: 0 }, operand);
  return arithmetic(l, n, "^", operand, { constant: -1 }); // ~
}

function binary(l: Lowering, n: BinaryExpression | PrivateInExpression): Value {
  const left = l.number(n.left);
  const right = l.number(n.right);
  l.at(n);
  return arithmetic(l, n, n.operator, left, right, n.right);
}

/** A condition as a value: 1 or 0. */
function truth(l: Lowering, n: Expression): Value {
  return joined(l, (dst, end) => {
    const [yes, no] = [l.code.newBlock("true"), l.code.newBlock("false")];
    l.condition(n, yes, no);
    for (const [block, constant] of [
      [yes, 1],
      [no, 0],
    ] as const) {
      l.code.open(block);
      if (!l.code.isReached) continue;
      l.code.copy(dst, { constant });
      l.code.goto(end);
    }
  });
}

/** Of `&&` and `||` with numbers: not whether, but which. */
function either(l: Lowering, n: LogicalExpression): Value {
  return joined(l, (dst, end) => {
    const [first, second] = [l.code.newBlock("first"), l.code.newBlock("second")];
    const left = l.number(n.left);
    const isZero = n.operator === "&&" ? first : second;
    l.code.branch("eq", left, { constant: 0 }, isZero, isZero === first ? second : first);
    for (const [block, value] of [
      [first, () => left],
      [second, () => l.number(n.right)],
    ] as const) {
      l.code.open(block);
      if (!l.code.isReached) continue;
      l.code.copy(dst, value());
      l.code.goto(end);
    }
  });
}

/** Whether its form alone tells that the value is 0 or 1. */
function isBoolean(n: Operand): boolean {
  switch (n.type) {
    case "Literal":
      return typeof n.value === "boolean";
    case "UnaryExpression":
      return n.operator === "!";
    case "BinaryExpression":
      return n.operator in TESTS;
    case "LogicalExpression":
      return isBoolean(n.left) && isBoolean(n.right);
    default:
      return false;
  }
}

function choice(l: Lowering, n: ConditionalExpression): Value {
  return joined(l, (dst, end) =>
    lowerChoice(l, n, (arm) => {
      l.code.copy(dst, l.number(arm));
      l.code.goto(end);
    }),
  );
}

/** A constant or an import by its name in the current file. */
function topLevel(l: Lowering, n: Expression, name: string): Binding {
  const meaning = l.names.find(l.around.module, name);
  if (meaning?.kind === "constant") return number({ constant: constantValue(l, meaning.constant) });
  return l.fail(n, notANumber(name, meaning));
}

function notANumber(name: string, meaning: Meaning | undefined): string {
  switch (meaning?.kind) {
    case undefined:
      return `${name} is neither a parameter, a local nor a constant of this file or of an import`;
    case "module":
      return `${name} is a module: name one of its constants or functions`;
    case "other":
      return `${name} is ${meaning.what}: only constants and functions of the top level can be used`;
    default:
      return `${name} is a function: it can only be called`;
  }
}

function member(l: Lowering, n: StaticMemberExpression): Binding {
  const { name } = n.property;
  if (n.object.type === "Identifier" && !l.around.scope.has(n.object.name)) {
    const imported = l.names.find(l.around.module, n.object.name);
    if (imported?.kind === "module") {
      const meaning = l.names.find(imported.module, name);
      if (meaning?.kind === "constant")
        return number({ constant: constantValue(l, meaning.constant) });
      return l.fail(n, notANumber(`${n.object.name}.${name}`, meaning));
    }
  }
  const of = l.binding(n.object);
  l.at(n);
  if (of.kind === "frame") {
    if (name === "length") return number(l.code.frameLength());
    return l.fail(
      n.property,
      `of a frame ${name} cannot be read`,
      "its length can, and its bytes by functions",
    );
  }
  if (of.kind === "object") {
    if (Object.hasOwn(of.fields, name)) return number(field(l, of.fields[name]!));
    const fields = Object.keys(of.fields).join(", ");
    return l.fail(n.property, `of a ${of.type} ${name} cannot be read`, `these can: ${fields}`);
  }
  return l.fail(n.property, `a number has no ${name}`);
}

function field(l: Lowering, { map, offset, shift, bits }: Field): Value {
  const word = l.code.pure({ kind: "word", map, offset }, UINT32);
  if (isConstant(word)) return word;
  const shifted = compute(
    l,
    "rsh",
    word,
    { constant: shift },
    { low: 0, high: 2 ** (32 - shift) - 1 },
  );
  if (shift + bits === 32) return shifted;
  const mask = 2 ** bits - 1;
  return compute(l, "and", shifted, { constant: mask }, { low: 0, high: mask });
}
