/** Calls: of a function that the machine has, a step; of any other, the function itself, put in place. */
import type { BlockStatement, CallExpression, Expression, Span } from "oxc-parser";
import { findCallee } from "./callee.ts";
import { checkFunction } from "./check.ts";
import { lowerIntrinsic } from "./intrinsics.ts";
import { joined } from "./joins.ts";
import type { Binding, Lowering, Return } from "./lowering.ts";
import { lowerReturn } from "./returns.ts";
import type { SourceFunction } from "./source.ts";

export function lowerCall(l: Lowering, n: CallExpression): Binding {
  const callee = findCallee(l, n);
  const args = lowerArguments(l, n);
  l.at(n);
  if (callee.kind === "intrinsic") {
    const value = lowerIntrinsic(l, n, callee.name, callee.intrinsic, args);
    return { kind: "value", value };
  }
  const f = callee.function;
  const expression = onlyExpression(f);
  if (expression) return inside(l, f, args, n, { kind: "end" }, () => fixed(l.binding(expression)));
  const value = joined(l, (dst, end) => putInPlace(l, f, args, n, { kind: "value", dst, end }));
  return { kind: "value", value };
}

export function lowerCallInto(l: Lowering, n: CallExpression, returns: Return): void {
  const callee = findCallee(l, n);
  if (callee.kind === "intrinsic") throw new Error(`${callee.name} is not compiled`);
  putInPlace(l, callee.function, lowerArguments(l, n), n, returns);
}

/** The whole decision. */
export function lowerEntry(l: Lowering, f: SourceFunction, args: readonly Binding[]): void {
  putInPlace(l, f, args, undefined, { kind: "end" });
}

const lowerArguments = (l: Lowering, n: CallExpression): Binding[] =>
  n.arguments.map((argument) => l.binding(argument as Expression));

function putInPlace(
  l: Lowering,
  f: SourceFunction,
  args: readonly Binding[],
  by: Span | undefined,
  returns: Return,
): void {
  inside(l, f, args, by, returns, () => {
    const body = f.node.body!;
    if (body.type === "BlockStatement") l.statement(body as BlockStatement);
    else lowerReturn(l, body);
  });
}

/** Does something with a function's parameters in scope. */
function inside<T>(
  l: Lowering,
  f: SourceFunction,
  args: readonly Binding[],
  by: Span | undefined,
  returns: Return,
  work: () => T,
): T {
  const { calls, module } = l.around;
  if (by && calls.some((call) => call.function === f)) refuseRecursion(l, f, by);
  if (by && args.length !== f.node.params.length)
    l.fail(by, `${f.name} takes ${f.node.params.length} arguments`);
  if (!l.checked.has(f)) checkFunction(f);
  l.checked.add(f);
  const scope = new Map<string, Binding>();
  for (const [i, parameter] of f.node.params.entries())
    if (parameter.type === "Identifier") scope.set(parameter.name, fixed(args[i]!));
  const call = { function: f, by: by && { module, node: by } };
  return l.within(
    {
      module: f.module,
      scope,
      returns,
      exits: { onBreak: undefined, onContinue: undefined },
      calls: [...calls, call],
    },
    work,
  );
}

function refuseRecursion(l: Lowering, f: SourceFunction, by: Span): never {
  const last = l.around.calls.at(-1)!.function;
  const through = last === f ? "" : ` through ${last.name}`;
  return l.fail(by, `${f.name} calls itself${through}`, "each call is put in place: write a loop");
}

/** A parameter is not its caller's local: it cannot be assigned. */
const fixed = (b: Binding): Binding => (b.kind === "variable" ? { ...b, kind: "value" } : b);

/**
 * The one expression that a function consists of, if its value needs no ways that meet again; such a function needs no
 * block behind it.
 */
function onlyExpression({ node }: SourceFunction): Expression | undefined {
  const body = node.body!;
  const only = body.type === "BlockStatement" ? body.body : undefined;
  const first = only?.length === 1 ? only[0]! : undefined;
  const e =
    body.type !== "BlockStatement"
      ? body
      : first?.type === "ReturnStatement"
        ? first.argument
        : null;
  if (!e || e.type === "ConditionalExpression" || e.type === "LogicalExpression") return undefined;
  return e;
}
