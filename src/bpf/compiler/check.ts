/**
 * The subset, by form: every function that is reached goes through here once, whole, before it is compiled. What needs
 * values or names (offsets below 0, unknown names, recursion) is found while compiling.
 */
import type {
  Argument,
  Expression,
  ForStatement,
  Span,
  Statement,
  SwitchStatement,
} from "oxc-parser";
import { mayEnd } from "./flow.ts";
import { countingLoop } from "./loops.ts";
import {
  ARITHMETIC,
  COMPARISONS,
  expressionsOutside,
  LOGICAL,
  operatorsOutside,
  statementsOutside,
  UNARY,
  unaryOutside,
} from "./outside.ts";
import {
  CompileError,
  type Module,
  type Operand,
  type SourceConstant,
  type SourceFunction,
} from "./source.ts";

/** Throws CompileError for the first thing outside the subset. */
export function checkFunction({ module, name, node }: SourceFunction): void {
  new Check(module).function(name, node);
}

export function checkConstant({ module, value }: SourceConstant): void {
  new Check(module).expression(value);
}

const BINARY = new Set([...ARITHMETIC, ...COMPARISONS, ...LOGICAL]);

class Check {
  readonly #module: Module;
  #inLoop = false;
  #inSwitch = false;

  constructor(module: Module) {
    this.#module = module;
  }

  function(name: string, node: SourceFunction["node"]): void {
    if (node.async) this.#fail(node, "an async function is not part of the subset");
    if (node.generator) this.#fail(node, "a generator is not part of the subset");
    for (const parameter of node.params)
      if (parameter.type !== "Identifier")
        this.#fail(parameter, "a parameter is a plain name", "no default, no pattern, no rest");
    const { body } = node;
    if (!body) throw new Error(`${name} is only declared`);
    if (body.type !== "BlockStatement") return this.expression(body);
    this.#statements(body.body as Statement[]);
    if (body.body.every(mayEnd))
      this.#fail({ start: body.end - 1, end: body.end }, `${name} may end without a return`);
  }

  #statements(list: readonly Statement[]): void {
    for (const [i, s] of list.entries()) {
      if (i > 0 && !mayEnd(list[i - 1]!)) this.#fail(s, "nothing leads here");
      this.#statement(s);
    }
  }

  #statement(s: Statement): void {
    switch (s.type) {
      case "BlockStatement":
        return this.#statements(s.body);
      case "EmptyStatement":
        return;
      case "ReturnStatement":
        if (!s.argument) return this.#fail(s, "a return has a value here");
        return this.expression(s.argument);
      case "IfStatement":
        this.expression(s.test);
        this.#statement(s.consequent);
        if (s.alternate) this.#statement(s.alternate);
        return;
      case "VariableDeclaration":
        if (s.kind !== "const" && s.kind !== "let")
          this.#fail(s, `${s.kind} is not part of the subset`, "write const or let");
        for (const { id, init } of s.declarations) {
          if (id.type !== "Identifier")
            this.#fail(id, "destructuring is not part of the subset", "name each value");
          if (!init) return this.#fail(id, "a local has a value from the start");
          this.expression(init);
        }
        return;
      case "ExpressionStatement":
        return this.#effect(s.expression);
      case "SwitchStatement":
        return this.#switch(s);
      case "ForStatement":
        return this.#for(s);
      case "BreakStatement":
      case "ContinueStatement":
        if (s.label)
          this.#fail(
            s.label,
            "a label is not part of the subset",
            "return from a function of its own",
          );
        if (!this.#inLoop && (s.type === "ContinueStatement" || !this.#inSwitch))
          this.#fail(s, "there is no loop around this");
        return;
      default:
        this.#outside(s, statementsOutside);
    }
  }

  /** An expression that is a statement: an assignment. */
  #effect(e: Expression): void {
    if (e.type === "UpdateExpression") return this.#target(e.argument);
    if (e.type !== "AssignmentExpression")
      this.#fail(
        e,
        "this has no effect: its value is lost",
        "a decision only computes what it returns",
      );
    this.#target(e.left);
    const { operator } = e;
    if (operator !== "=") this.#operator(e, operator.slice(0, -1), ARITHMETIC, operatorsOutside);
    this.expression(e.right);
  }

  #target(target: Span & { type: string }): void {
    if (target.type !== "Identifier")
      this.#fail(
        target,
        "only a local can be assigned",
        "a decision leaves frame and settings as they are",
      );
  }

  #switch(s: SwitchStatement): void {
    this.expression(s.discriminant);
    const outside = this.#inSwitch;
    this.#inSwitch = true;
    for (const [i, { test, consequent }] of s.cases.entries()) {
      if (test) this.expression(test);
      else if (i !== s.cases.length - 1) this.#fail(s.cases[i]!, "default stands last");
      this.#statements(consequent);
      if (i < s.cases.length - 1 && consequent.length > 0 && consequent.every(mayEnd))
        this.#fail(consequent.at(-1)!, "a case ends with return or break");
    }
    this.#inSwitch = outside;
  }

  #for(s: ForStatement): void {
    const counting = countingLoop(s);
    if (!counting)
      return this.#fail(s, "a loop has another form here", "for (let i = 0; i < CONSTANT; i++)");
    this.expression(counting.from);
    this.expression(counting.to);
    const [loop, inSwitch] = [this.#inLoop, this.#inSwitch];
    this.#inLoop = true;
    this.#inSwitch = false;
    this.#statement(s.body);
    this.#inLoop = loop;
    this.#inSwitch = inSwitch;
  }

  expression(e: Operand): void {
    switch (e.type) {
      case "Identifier":
        return;
      case "Literal":
        return this.#literal(e, e.value);
      case "TSAsExpression":
      case "TSSatisfiesExpression":
      case "TSNonNullExpression":
        return this.expression(e.expression);
      case "MemberExpression":
        if (e.computed)
          this.#fail(
            e,
            "indexing is not part of the subset",
            "bytes of the frame are read by functions: u8(frame, at)",
          );
        return this.expression(e.object);
      case "UnaryExpression":
        this.#operator(e, e.operator, UNARY, unaryOutside);
        return this.expression(e.argument);
      case "BinaryExpression":
      case "LogicalExpression":
        this.#operator(e, e.operator, BINARY, operatorsOutside);
        this.expression(e.left);
        return this.expression(e.right);
      case "ConditionalExpression":
        this.expression(e.test);
        this.expression(e.consequent);
        return this.expression(e.alternate);
      case "CallExpression":
        return this.#call(e.callee, e.arguments);
      default:
        this.#outside(e, expressionsOutside);
    }
  }

  #literal(e: Span, value: unknown): void {
    if (typeof value === "boolean" || Number.isSafeInteger(value)) return;
    this.#fail(e, whyNot(value), "values are integers and booleans");
  }

  #operator(
    e: Span,
    operator: string,
    known: ReadonlySet<string>,
    outside: Readonly<Record<string, string>>,
  ): void {
    if (!known.has(operator))
      this.#fail(e, `operator ${operator} is not part of the subset`, outside[operator]);
  }

  #call(callee: Expression, args: readonly Argument[]): void {
    const isName =
      callee.type === "Identifier" ||
      (callee.type === "MemberExpression" &&
        !callee.computed &&
        callee.object.type === "Identifier");
    if (!isName)
      this.#fail(
        callee,
        "only functions of this file or of an import can be called",
        "write a function that takes the object",
      );
    for (const argument of args) {
      if (argument.type === "SpreadElement")
        this.#fail(argument, "spread is not part of the subset", "hand on each argument");
      else this.expression(argument);
    }
  }

  #outside(
    node: Span & { type: string },
    table: Readonly<Record<string, readonly [string, string]>>,
  ): never {
    const [what, instead] = table[node.type] ?? [node.type, undefined];
    this.#fail(node, `${what} is not part of the subset`, instead);
  }

  #fail(node: Span, message: string, hint?: string): never {
    throw new CompileError(this.#module, node, message, ...(hint ? [hint] : []));
  }
}

function whyNot(literal: unknown): string {
  if (Number.isInteger(literal))
    return "this is beyond 2^53, where JavaScript rounds and BPF does not";
  const kinds: Readonly<Record<string, string>> = {
    number: "a fraction",
    string: "a string",
    bigint: "a bigint",
  };
  const other = literal === null ? "null" : "a regular expression";
  return `${kinds[typeof literal] ?? other} is not part of the subset`;
}
