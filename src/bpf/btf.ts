/**
 * The least BTF (BPF type format) with which the kernel knows a program's lines of source: its verifier's log and
 * `bpftool prog dump xlated linum` then show the TypeScript. Linux: Documentation/bpf/btf.rst.
 */
import type { Program } from "./program.ts";

export interface Btf {
  /** For BPF_BTF_LOAD. */
  readonly types: Uint8Array;
  /** `func_info` of BPF_PROG_LOAD, in records of FUNCTION_RECORD bytes. */
  readonly functions: Uint8Array;
  /** `line_info`, in records of LINE_RECORD bytes. */
  readonly lines: Uint8Array;
}

export const FUNCTION_RECORD = 8;
export const LINE_RECORD = 16;

const MAGIC = 0xeb9f;
const VERSION = 1;
const HEADER = 24;

// Kinds, by the number that the upper byte of a type's second word has.
const INT = 1 << 24;
const POINTER = 2 << 24;
const FUNCTION = 12 << 24;
const FUNCTION_PROTOTYPE = 13 << 24;

// Types count from 1, in the order in which they stand.
const INT_TYPE = 1;
const CONTEXT_TYPE = 2;
const PROTOTYPE_TYPE = 3;
const FUNCTION_TYPE = 4;

export function btf(program: Program): Btf {
  const strings = new Strings();
  const types = [
    // int: 4 bytes, signed, 32 bits
    ...[strings.at("int"), INT, 4, (1 << 24) | 32],
    // void *
    ...[0, POINTER, 0],
    // int (void *context): one parameter
    ...[0, FUNCTION_PROTOTYPE | 1, INT_TYPE, strings.at("context"), CONTEXT_TYPE],
    ...[strings.at(program.name.replaceAll(/\W/g, "_")), FUNCTION, PROTOTYPE_TYPE],
  ];
  const lines = program.lines.flatMap(({ at, file, line, text }) => [
    at,
    strings.at(file),
    strings.at(text),
    line << 10, // the lower bits are the column
  ]);
  return {
    types: blob(types, strings.bytes()),
    functions: words([0, FUNCTION_TYPE]),
    lines: words(lines),
  };
}

/** Header, types and strings. */
function blob(types: readonly number[], strings: Uint8Array): Uint8Array {
  const typesLength = types.length * 4;
  const bytes = new Uint8Array(HEADER + typesLength + strings.length);
  const header = [HEADER, 0, typesLength, typesLength, strings.length];
  bytes.set(words([MAGIC | (VERSION << 16), ...header]));
  bytes.set(words(types), HEADER);
  bytes.set(strings, HEADER + typesLength);
  return bytes;
}

/** In the order of this machine's kind, which is little-endian. */
function words(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value >>> 0, true);
  return new Uint8Array(view.buffer);
}

/** Strings one behind the other, each ended by 0; the first is empty. */
class Strings {
  readonly #offsets: Map<string, number> = new Map();
  readonly #bytes: number[] = [0];

  /** Its offset. */
  at(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#bytes.length;
    this.#offsets.set(text, offset);
    // Comments of a line may hold other letters; the kernel's log is no place for them.
    for (const letter of text) this.#bytes.push(letter > "~" ? 0x3f : letter.charCodeAt(0));
    this.#bytes.push(0);
    return offset;
  }
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
