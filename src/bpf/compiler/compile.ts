/**
 * TypeScript to eBPF, all stages: parse, check and lower (a function when it is reached), tidy, emit. Needs the parser, and so
 * runs when programs are built, never where they are used.
 */
import type { Assembler } from "../assembler.ts";
import type { Program } from "../program.ts";
import { DECISION_STACK, emit } from "./emit.ts";
import { lower } from "./lower.ts";
import type { Machine } from "./machine.ts";
import { Names, type ReadFile } from "./names.ts";
import { CompileError, position } from "./source.ts";
import { tidy } from "./tidy.ts";

export { DECISION_STACK, OUT } from "./emit.ts";
export { type Field, type Intrinsic, loads, type Machine } from "./machine.ts";
export type { ReadFile } from "./names.ts";
export { CompileError } from "./source.ts";

export interface Request {
  /** Path of the file that has the entry, as `readFile` takes it. */
  readonly file: string;
  /** Name of a function there. */
  readonly entry: string;
  readonly machine: Machine;
  readonly readFile: ReadFile;
  /** What the kernel calls the program; else as the entry. */
  readonly name?: string;
  /**
   * Writes what is done with the decision. Where it starts the result is in r0 (as a u32 in its lower half) and the context
   * in r6; r1 … r5 and r7 … r9 are free, and the stack below DECISION_STACK bytes. It ends the program.
   */
  readonly epilogue: (a: Assembler) => void;
}

/** Instructions of a program: jumps reach no further. */
const INSTRUCTIONS_MAX = 32_767;

/** Throws CompileError for what is outside the subset, or too large. */
export function compile({ file, entry, machine, readFile, name, epilogue }: Request): Program {
  const names = new Names(machine, readFile);
  const module = names.module(file);
  const found = module.functions.get(entry);
  if (!found) throw new Error(`${file} has no function ${entry}`);
  const { node } = found;
  const tooLarge = (what: string) =>
    new CompileError(module, { start: node.start, end: node.start }, what);
  const start = { module, line: position(module, node.start).line };
  const { assembler, stack } = emit(tidy(lower(found, names, machine)), start);
  if (stack > DECISION_STACK)
    throw tooLarge(
      `${entry} keeps too much at a time: ${stack} bytes of stack, ${DECISION_STACK} are there`,
    );
  epilogue(assembler);
  if (assembler.length > INSTRUCTIONS_MAX)
    throw tooLarge(
      `${entry} becomes ${assembler.length} instructions, ${INSTRUCTIONS_MAX} are the most`,
    );
  return assembler.finish(name ?? entry);
}
