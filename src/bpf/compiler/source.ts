/** Source files as the stages see them, and the error that points into one. */
import type {
  ArrowFunctionExpression,
  Expression,
  Function as FunctionNode,
  PrivateInExpression,
  Span,
} from "oxc-parser";

/** A file, by what stands at its top level. What is outside the subset matters only to who reaches it. */
export interface Module {
  /** As `readFile` takes it. */
  readonly path: string;
  readonly text: string;
  /** By local name. */
  readonly imports: ReadonlyMap<string, Import>;
  readonly functions: ReadonlyMap<string, SourceFunction>;
  readonly constants: ReadonlyMap<string, SourceConstant>;
  /** Names of other things, and what each is: "a class". */
  readonly others: ReadonlyMap<string, string>;
}

export interface Import {
  /** Path of the module. */
  readonly from: string;
  /** The name there; undefined for the whole module, `* as x`. */
  readonly name: string | undefined;
  readonly node: Span;
}

export interface SourceFunction {
  readonly module: Module;
  readonly name: string;
  readonly node: FunctionNode | ArrowFunctionExpression;
}

export interface SourceConstant {
  readonly module: Module;
  readonly name: string;
  readonly value: Expression;
}

/** An expression, or what may stand before `in`. */
export type Operand = Expression | PrivateInExpression["left"];

/** A line of source, for listings and for the kernel's log. */
export interface Place {
  readonly module: Module;
  /** From 1. */
  readonly line: number;
}

/** Line and column, both from 1, of an offset in the text. */
export function position(module: Module, offset: number): { line: number; column: number } {
  const { starts } = linesOf(module);
  // The last line that does not start behind the offset; there is one, since the first starts at 0.
  let line = 0;
  for (let beyond = starts.length; beyond - line > 1; ) {
    const middle = (line + beyond) >> 1;
    if (starts[middle]! <= offset) line = middle;
    else beyond = middle;
  }
  return { line: line + 1, column: offset - starts[line]! + 1 };
}

export const textOfLine = (module: Module, line: number): string =>
  linesOf(module).texts[line - 1] ?? "";

interface Lines {
  readonly texts: readonly string[];
  /** Offset of each. */
  readonly starts: readonly number[];
}

/** Every node asks for its line. */
const lines: WeakMap<Module, Lines> = new WeakMap();

function linesOf(module: Module): Lines {
  const known = lines.get(module);
  if (known) return known;
  const texts = module.text.split("\n");
  const starts = [0];
  for (const text of texts) starts.push(starts.at(-1)! + text.length + 1);
  const made = { texts, starts: starts.slice(0, -1) };
  lines.set(module, made);
  return made;
}

/** "ethernet.ts" of "src/wire/ethernet.ts". */
export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/**
 * The source is no decision that can be compiled. The message has the place, the line with a mark below it, and where
 * there is one a hint at what to write instead:
 *
 *     case.ts:4:10: operator / is not part of the subset
 *         return f.length / 2;
 *                ^^^^^^^^^^^^
 *         JavaScript divides with a fraction, BPF does not: shift with >> or mask with &
 */
export class CompileError extends Error {
  override readonly name = "CompileError";
  readonly file: string;
  readonly line: number;
  readonly column: number;

  constructor(module: Module, node: Span, message: string, ...hints: readonly string[]) {
    const { line, column } = position(module, node.start);
    const source = textOfLine(module, line);
    const width = Math.min(node.end - node.start, source.length - column + 1);
    const mark = " ".repeat(column - 1) + "^".repeat(Math.max(1, width));
    const below = [source, mark, ...hints].map((text) => `\n    ${text}`);
    super(`${baseName(module.path)}:${line}:${column}: ${message}${below.join("")}`);
    this.file = module.path;
    this.line = line;
    this.column = column;
  }
}
