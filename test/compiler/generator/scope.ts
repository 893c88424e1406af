/** What a random program may name at a place, and how large each number can be there. */
import type { Random } from "../../random.ts";

/** Source text of a number, and the bits of its magnitude: its absolute value is at most 2^bits. */
export interface NumberText {
  readonly text: string;
  readonly bits: number;
}

export interface GeneratedFunction {
  readonly name: string;
  readonly parameters: number;
  /** Of the result; undefined: a boolean. */
  readonly bits: number | undefined;
}

export interface Scope {
  readonly random: Random;
  /** Those that stand above, and so may be called. */
  readonly functions: readonly GeneratedFunction[];
  readonly numbers: readonly NumberText[];
  /** Names of `let` that any number of at most `LET_BITS / 2` bits may be added to. */
  readonly lets: readonly string[];
  /** Names of `let` from 0 to `SMALL`: offsets. */
  readonly small: readonly string[];
  readonly booleans: readonly string[];
  /** What leads out of here besides a return: in a switch `break`, in a loop both. */
  readonly exits: readonly ("break" | "continue")[];
  /** Text of what a return gives here. */
  readonly result: (scope: Scope) => string;
}

/** Beyond this a number is cut down to 32 bits before more is done with it: at 53 the compiler would refuse. */
export const BITS_MAX = 48;
/**
 * What a `let` may grow to: starting from 32 bits, a program adds numbers of at most 32 bits some hundred times to
 * it, loops included.
 */
export const LET_BITS = 44;
export const SMALL = 63;

/** Bytes of the longest frame that programs look for; some offsets are beyond every frame. */
export const OFFSET_MAX = 110;
