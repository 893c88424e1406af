/** A program of eBPF as the build leaves it: byte code, and what it needs and says beside it. */

export interface Program {
  /** At most 15 letters: the kernel shows it. */
  readonly name: string;
  /** Instructions (`instruction.ts`), maps still to be filled in. */
  readonly bytes: Uint8Array;
  readonly maps: readonly MapReference[];
  /** By rising `at`: which line of source the instructions from there on come of. */
  readonly lines: readonly SourceLine[];
  readonly labels: readonly { readonly label: string; readonly at: number }[];
}

/** The instruction of index `at` loads this map, or an address in it. */
export interface MapReference {
  readonly at: number;
  readonly map: string;
}

export interface SourceLine {
  readonly at: number;
  /** Name without folder. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
}
