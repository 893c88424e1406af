/**
 * What the machine offers to a decision, told by whoever compiles one: the compiler itself knows frames and numbers and
 * nothing else. Each thing here has a twin in TypeScript, which is what runs in JavaScript.
 */

export interface Machine {
  /** The type, by name, of an entry's parameter that is the frame. It has `length`. */
  readonly frame: string;
  /** The types of other parameters, and those of their fields that can be read. */
  readonly objects: Readonly<Record<string, Readonly<Record<string, Field>>>>;
  /**
   * Functions that are not compiled because instructions do their work: by file (the path, as `compile` gives paths to
   * `readFile`) and name. Whatever else is in such a file is compiled as in any other.
   */
  readonly functions: Readonly<Record<string, Readonly<Record<string, Intrinsic>>>>;
}

/**
 * Bits of a u32 in the one value of an array map. A word is read once per decision as long as the first read is on
 * every way to the others; fields of one word then change together.
 */
export interface Field {
  readonly map: string;
  /** Of the u32, in bytes. */
  readonly offset: number;
  readonly shift: number;
  readonly bits: number;
}

/**
 * What a function of the machine does. Of its arguments only the one number counts, if it takes one; the frame and
 * objects are there for JavaScript.
 *
 * - `load`: the number is an offset; `size` bytes there in network order, or 0 where the frame ends before them
 * - `context`: no number; the u32 at `offset` of `struct __sk_buff`
 * - `findByNumber`: a number of 32 bits, signed or not, is the key (in host order) of a hash map; the u32 it leads to, or 0
 * - `findByBytes`: the number is an offset; `size` bytes there are the key; the u32 it leads to, or 0; 0 too where the
 *   frame ends before them
 *
 * `max` is a promise: nothing greater is there. The compiler counts on it.
 */
export type Intrinsic =
  | { readonly kind: "load"; readonly size: 1 | 2 | 4 }
  | { readonly kind: "context"; readonly offset: number; readonly max: number }
  | { readonly kind: "findByNumber"; readonly map: string; readonly max: number }
  | {
      readonly kind: "findByBytes";
      readonly map: string;
      readonly size: number;
      readonly max: number;
    };

/** Functions over a frame's bytes, as every machine wants them: network byte order, 0 beyond the end. */
export const loads: Readonly<Record<"u8" | "u16" | "u32", Intrinsic>> = {
  u8: { kind: "load", size: 1 },
  u16: { kind: "load", size: 2 },
  u32: { kind: "load", size: 4 },
};
