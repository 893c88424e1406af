/** Statements: locals, branches, and loops, which are unrolled. */
import type {
  Expression,
  ForStatement,
  IfStatement,
  Statement,
  SwitchStatement,
  VariableDeclaration,
} from "oxc-parser";
import { arithmetic } from "./arithmetic.ts";
import { type Block, type Constant, isConstant, type Temporary, type Value } from "./blocks.ts";
import { countingLoop } from "./loops.ts";
import type { Binding, Lowering } from "./lowering.ts";
import { EMPTY, holds } from "./ranges.ts";
import { lowerReturn } from "./returns.ts";

/** Turns of one loop. */
const TURNS_MAX = 256;
const EARLIER = "break or continue can depend on the frame";

export function lowerStatement(l: Lowering, s: Statement): void {
  switch (s.type) {
    case "BlockStatement":
      return lowerList(l, s.body);
    case "ReturnStatement":
      return lowerReturn(l, s.argument!);
    case "IfStatement":
      return lowerIf(l, s);
    case "VariableDeclaration":
      return lowerLocals(l, s);
    case "ExpressionStatement":
      return lowerAssignment(l, s.expression);
    case "SwitchStatement":
      return lowerSwitch(l, s);
    case "ForStatement":
      return lowerFor(l, s);
    case "BreakStatement":
      return l.code.goto(l.around.exits.onBreak!);
    case "ContinueStatement":
      return l.code.goto(l.around.exits.onContinue!);
    case "EmptyStatement":
      return;
    default:
      throw new Error(`${s.type} passed the check`);
  }
}

/** Statements with a scope of their own. What the ranges show to be unreachable is left out. */
function lowerList(l: Lowering, list: readonly Statement[]): void {
  l.within({}, () => {
    for (const s of list) if (l.code.isReached) l.statement(s);
  });
}

function lowerIf(l: Lowering, s: IfStatement): void {
  const [yes, no, end] = [l.code.newBlock("then"), l.code.newBlock("else"), l.code.newBlock("end")];
  l.condition(s.test, yes, no);
  for (const [block, arm] of [
    [yes, s.consequent],
    [no, s.alternate],
  ] as const) {
    l.code.open(block);
    if (!l.code.isReached) continue;
    if (arm) lowerList(l, [arm]);
    l.code.goto(end);
  }
  l.code.open(end);
}

function lowerLocals(l: Lowering, s: VariableDeclaration): void {
  for (const { id, init } of s.declarations) {
    if (id.type !== "Identifier") throw new Error("a pattern passed the check");
    l.bind(id.name, s.kind === "let" ? newVariable(l, init!) : snapshot(l, l.binding(init!)));
  }
}

function newVariable(l: Lowering, init: Expression): Binding {
  const value = l.number(init);
  const variable = l.code.newTemporary(EMPTY, true);
  l.code.copy(variable, value);
  return { kind: "variable", value: variable };
}

/** What a `const` keeps: of a variable its value now. */
function snapshot(l: Lowering, b: Binding): Binding {
  if (b.kind === "frame" || b.kind === "object") return b;
  const value = l.code.simplest(b.value);
  if (isConstant(value) || !value.changes) return { kind: "value", value };
  const now = l.code.newTemporary(EMPTY, false);
  l.code.copy(now, value);
  return { kind: "value", value: now };
}

function lowerAssignment(l: Lowering, e: Expression): void {
  if (e.type === "UpdateExpression") {
    const variable = variableOf(l, e.argument);
    const one = { constant: 1 };
    return l.code.copy(variable, arithmetic(l, e, e.operator === "++" ? "+" : "-", variable, one));
  }
  if (e.type !== "AssignmentExpression") throw new Error(`${e.type} passed the check`);
  const variable = variableOf(l, e.left);
  const right = l.number(e.right);
  l.at(e);
  if (e.operator === "=") return l.code.copy(variable, right);
  const operator = e.operator.slice(0, -1);
  l.code.copy(variable, arithmetic(l, e, operator, variable, right, e.right));
}

function variableOf(
  l: Lowering,
  target: { type: string; start: number; end: number; name?: string },
): Temporary {
  const b = l.around.scope.get(target.name ?? "");
  if (b?.kind === "variable") return b.value;
  return l.fail(
    target,
    `${target.name} cannot be assigned`,
    "only a local made by let can; a loop's counter only by its own step",
  );
}

function lowerSwitch(l: Lowering, s: SwitchStatement): void {
  const end = l.code.newBlock("end");
  const value = l.number(s.discriminant);
  const bodies = lowerCases(l, s, value, end);
  l.within({ exits: { ...l.around.exits, onBreak: end } }, () => {
    for (const [block, body] of bodies) {
      l.code.open(block);
      if (!l.code.isReached) continue;
      lowerList(l, body);
      l.code.goto(end);
    }
  });
  l.code.open(end);
}

/** The comparisons, one after the other; the bodies they lead to are still to be written. */
function lowerCases(
  l: Lowering,
  s: SwitchStatement,
  value: Value,
  end: Block,
): [Block, Statement[]][] {
  const bodies: [Block, Statement[]][] = [];
  let body = l.code.newBlock("case");
  for (const { test, consequent } of s.cases) {
    if (!test) l.code.goto(body);
    else {
      const next = l.code.newBlock("next");
      l.code.branch(
        "eq",
        value,
        constantOf(l, test, "a case is a constant", "compare with if"),
        body,
        next,
      );
      l.code.open(next);
    }
    if (consequent.length === 0) continue; // shares the next one's body
    bodies.push([body, consequent]);
    body = l.code.newBlock("case");
  }
  if (s.cases.at(-1)?.consequent.length === 0) bodies.push([body, []]);
  l.code.goto(end);
  return bodies;
}

/** Once per turn, with the counter as a constant. */
function lowerFor(l: Lowering, s: ForStatement): void {
  const loop = countingLoop(s);
  if (!loop) throw new Error("a loop of another form passed the check");
  const from = constantOf(l, loop.from, "a loop starts at a constant", EARLIER).constant;
  const to = constantOf(l, loop.to, "a loop ends at a constant", EARLIER).constant;
  const end = l.code.newBlock("end");
  let turns = 0;
  for (let i = from; holds(loop.test, i, to) && l.code.isReached; i += loop.step) {
    if (++turns > TURNS_MAX) l.fail(s, `a loop has at most ${TURNS_MAX} turns`);
    const next = l.code.newBlock("turn");
    l.within({ exits: { onBreak: end, onContinue: next } }, () => {
      l.bind(loop.name, { kind: "value", value: { constant: i } });
      l.statement(s.body);
    });
    l.code.goto(next);
    l.code.open(next);
  }
  l.code.goto(end);
  l.code.open(end);
}

function constantOf(l: Lowering, n: Expression, wanted: string, instead: string): Constant {
  const value = l.number(n);
  return isConstant(value) ? value : l.fail(n, wanted, instead);
}
