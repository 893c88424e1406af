/**
 * What lowering (TypeScript to blocks) carries from node to node: where code is written, the file and function it is in,
 * and which values names stand for. The work is done by one file per kind of node (`Stages`), which reach each other
 * through here.
 *
 * Every call is put in the place of its caller's expression and every loop is unrolled, so all jumps go forward and what is
 * known about the frame travels along: its length, what was read, which values are possible.
 */
import type { CallExpression, Expression, Span, Statement } from "oxc-parser";
import type { Block, Temporary, Value } from "./blocks.ts";
import type { Code } from "./code.ts";
import type { Field } from "./machine.ts";
import type { Names } from "./names.ts";
import {
  baseName,
  CompileError,
  type Module,
  type Operand,
  position,
  type SourceFunction,
} from "./source.ts";

/** What a name or an expression stands for. */
export type Binding =
  | { readonly kind: "value"; readonly value: Value }
  /** Made by `let`. */
  | { readonly kind: "variable"; readonly value: Temporary }
  | { readonly kind: "frame" }
  | {
      readonly kind: "object";
      readonly type: string;
      readonly fields: Readonly<Record<string, Field>>;
    };

export type Scope = ReadonlyMap<string, Binding>;

/** What a `return` does: end the decision, go on in one of two blocks, or leave a value behind and go on. */
export type Return =
  | { readonly kind: "end" }
  | { readonly kind: "test"; readonly yes: Block; readonly no: Block }
  | { readonly kind: "value"; readonly dst: Temporary; readonly end: Block };

/** Where `break` and `continue` lead. */
export interface Exits {
  readonly onBreak: Block | undefined;
  readonly onContinue: Block | undefined;
}

/** A function that is being put in place. */
export interface Call {
  readonly function: SourceFunction;
  /** Who calls it: a place in the function one further out. */
  readonly by: { readonly module: Module; readonly node: Span } | undefined;
}

/** All that changes from one function to the next. */
export interface Surroundings {
  readonly module: Module;
  readonly scope: Scope;
  readonly returns: Return;
  readonly exits: Exits;
  /** Outermost first. */
  readonly calls: readonly Call[];
}

export interface Stages {
  binding(l: Lowering, n: Operand): Binding;
  condition(l: Lowering, n: Expression, yes: Block, no: Block): void;
  statement(l: Lowering, s: Statement): void;
  /** The value of a call. */
  call(l: Lowering, n: CallExpression): Binding;
  /** A call whose value is what the current function returns, or a condition. */
  callInto(l: Lowering, n: CallExpression, returns: Return): void;
}

/** Steps that a decision may become; eBPF's jumps reach 32,767 instructions. */
const STEPS_MAX = 8192;

export class Lowering {
  readonly code: Code;
  readonly names: Names;
  readonly #stages: Stages;
  /** Functions whose form has been checked. */
  readonly checked: Set<SourceFunction> = new Set();
  around: Surroundings;

  constructor(code: Code, names: Names, stages: Stages, around: Surroundings) {
    this.code = code;
    this.names = names;
    this.#stages = stages;
    this.around = around;
  }

  /** Does something with other surroundings; then they are as before. */
  within<T>(change: Partial<Surroundings>, work: () => T): T {
    const before = this.around;
    this.around = { ...before, ...change };
    const result = work();
    this.around = before;
    return result;
  }
  /** From here to the end of the scope the name stands for this. */
  bind(name: string, binding: Binding): void {
    this.around = { ...this.around, scope: new Map(this.around.scope).set(name, binding) };
  }

  binding(n: Operand): Binding {
    this.at(n);
    return this.#stages.binding(this, n);
  }
  number(n: Operand): Value {
    const b = this.binding(n);
    if (b.kind === "value" || b.kind === "variable") return this.code.simplest(b.value);
    const what = b.kind === "frame" ? "the frame" : `a ${b.type}`;
    return this.fail(n, `${what} is no number`, "it can be handed on, or asked for a field");
  }
  condition(n: Expression, yes: Block, no: Block): void {
    this.at(n);
    this.#stages.condition(this, n, yes, no);
  }
  statement(s: Statement): void {
    this.at(s);
    this.#stages.statement(this, s);
  }
  call(n: CallExpression): Binding {
    return this.#stages.call(this, n);
  }
  callInto(n: CallExpression, returns: Return): void {
    this.#stages.callInto(this, n, returns);
  }

  /** Steps that follow come of this node. */
  at(node: Span): void {
    const { module } = this.around;
    this.code.place = { module, line: position(module, node.start).line };
    if (this.code.size > STEPS_MAX)
      this.fail(
        node,
        `the program grows beyond ${STEPS_MAX} steps`,
        "loops are unrolled and each call is put in place: fewer turns, fewer calls",
      );
  }

  fail(node: Span, message: string, ...hints: readonly string[]): never {
    const callers = this.around.calls
      .toReversed()
      .flatMap(({ by }) => (by ? [calledFrom(by)] : []));
    throw new CompileError(this.around.module, node, message, ...hints, ...callers);
  }
}

function calledFrom({ module, node }: NonNullable<Call["by"]>): string {
  const { line, column } = position(module, node.start);
  return `called from ${baseName(module.path)}:${line}:${column}`;
}
