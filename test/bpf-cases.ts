/**
 * Cases for the compiler, from `src/bpf/cases/*.txt`. A case starts with a line `== TITLE`; its parts start with `-- PART`:
 *
 *     -- ts           the body of `main(port, f)`, or a file that exports `main`; line 1 is an import of the machine's names
 *     -- file NAME    another file
 *     -- asm          what it becomes, without prologue and exit (`UPDATE_CASES=1` in the environment writes it anew)
 *     -- frame        one frame per line: bytes in hexadecimal, `00*12` for twelve of them, `-` for none
 *     -- result       what `main` returns for each, as an unsigned number of 32 bits
 *     -- error        what the compiler says instead, all lines of it
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../src/bpf/compiler/compile.ts";
import { loads, type Machine } from "../src/bpf/compiler/machine.ts";
import type { Program } from "../src/bpf/program.ts";
import { ArrayMap, HashMap, type VmMap, word } from "../src/bpf/vm/maps.ts";
import { type Frame, u8, u16, u32 } from "../src/wire/frame.ts";

export interface Case {
  /** Path of its file. */
  readonly file: string;
  readonly title: string;
  /** Texts of all files, by name. */
  readonly sources: Readonly<Record<string, string>>;
  readonly asm: string | undefined;
  readonly runs: readonly { readonly frame: Uint8Array; readonly result: number }[];
  readonly error: string | undefined;
}

export const CASE_FILE = "case.ts";
const MACHINE_FILE = "machine.ts";
const HEADER = `import { beside, find, findBytes, type Frame, type Port, u8, u16, u32 } from "./${MACHINE_FILE}";`;

/** The folder in the sources, also when this runs compiled. */
const folder = fileURLToPath(new URL("../../src/bpf/cases", import.meta.url));

export function readCases(): Case[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".txt"))
    .sort()
    .map((name) => path.join(folder, name))
    .flatMap((file) => parseCases(file, readFileSync(file, "utf8")));
}

export function parseCases(file: string, text: string): Case[] {
  return sections(text, /^== /m).map(([title, body]) => parseCase(file, title, body));
}

function parseCase(file: string, title: string, text: string): Case {
  const parts = new Map(sections(text, /^-- /m));
  const ts = parts.get("ts")!;
  const main = ts.includes("function main(") ? ts : `${MAIN}${ts.trimEnd()}\n}\n`;
  const sources: Record<string, string> = {
    [CASE_FILE]: `${HEADER}${ts === main ? "\n" : ""}${main}`,
  };
  for (const [part, content] of parts)
    if (part.startsWith("file ")) sources[part.slice(5)] = content;
  const results = linesOf(parts.get("result")).map(Number);
  const runs = linesOf(parts.get("frame")).map((line, i) => ({
    frame: parseFrame(line),
    result: results[i]!,
  }));
  return {
    file,
    title,
    sources,
    runs,
    asm: parts.get("asm")?.trimEnd(),
    error: parts.get("error")?.trimEnd(),
  };
}

const MAIN = " export function main(port: Port, f: Frame): number {\n";

/** Name and content of what stands behind each mark at the start of a line. */
function sections(text: string, mark: RegExp): [name: string, content: string][] {
  return text
    .split(mark)
    .slice(1)
    .map((section) => {
      const end = section.indexOf("\n");
      return [section.slice(0, end).trim(), section.slice(end + 1)];
    });
}

const linesOf = (text = ""): string[] => text.split("\n").filter((line) => line.trim() !== "");

function parseFrame(line: string): Uint8Array {
  const words = line.trim() === "-" ? [] : line.trim().split(/\s+/);
  const bytes = words.flatMap((w) => {
    const [byte, count = "1"] = w.split("*");
    return new Array<number>(Number(count)).fill(Number.parseInt(byte!, 16));
  });
  return Uint8Array.from(bytes);
}

/** What cases find: settings, two tables, and a word of the context that is 0. */
export const caseMachine: Machine = {
  frame: "Frame",
  objects: {
    Port: {
      mode: { map: "settings", offset: 0, shift: 0, bits: 8 },
      flag: { map: "settings", offset: 0, shift: 8, bits: 8 },
      top: { map: "settings", offset: 0, shift: 24, bits: 8 },
      big: { map: "settings", offset: 4, shift: 0, bits: 32 },
    },
  },
  functions: {
    [MACHINE_FILE]: {
      ...loads,
      find: { kind: "findByNumber", map: "numbers", max: 0xffff },
      findBytes: { kind: "findByBytes", map: "words", size: 8, max: 0xffff },
      beside: { kind: "context", offset: 20, max: 1 },
    },
  },
};

/** In a test run in the kernel, too, the word `beside` (vlan_present) is 0. */
export const port: Readonly<Record<string, number>> = {
  mode: 1,
  flag: 2,
  top: 0xfe,
  big: 0xfedcba98,
};
export const SETTINGS_VALUE: Uint8Array = Uint8Array.of(1, 2, 0, 0xfe, 0x98, 0xba, 0xdc, 0xfe);
/** Key -> value. */
export const NUMBERS: readonly (readonly [number, number])[] = [
  [5, 1],
  [0xfffffffe, 2],
];
export const WORDS: readonly (readonly [Uint8Array, number])[] = [
  [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 3],
];

/** The same for our eBPF machine. */
export const caseMaps: Readonly<Record<string, VmMap>> = {
  settings: new ArrayMap([SETTINGS_VALUE]),
  numbers: NUMBERS.reduce((map, [key, value]) => map.set(word(key), word(value)), new HashMap(4)),
  words: WORDS.reduce((map, [key, value]) => map.set(key, word(value)), new HashMap(8)),
};

/** The JavaScript half, by file as `evaluateModule` wants it. */
export const caseBuiltins: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  [MACHINE_FILE]: {
    u8,
    u16,
    u32,
    find: (_port: unknown, n: number) => NUMBERS.find(([key]) => key === n >>> 0)?.[1] ?? 0,
    findBytes: (_port: unknown, f: Frame, at: number) =>
      at + 8 <= f.length ? (WORDS.find(([key]) => isAt(f, at, key))?.[1] ?? 0) : 0,
    beside: () => 0,
  },
};

const isAt = (f: Frame, at: number, key: Uint8Array): boolean =>
  key.every((byte, i) => u8(f, at + i) === byte);

export const readCaseFile =
  (c: Pick<Case, "sources">) =>
  (name: string): string => {
    const text = c.sources[name];
    if (text === undefined) throw new Error("no such file");
    return text;
  };

/** The program returns what `main` does. */
export const compileCase = (c: Pick<Case, "sources">): Program =>
  compile({
    file: CASE_FILE,
    entry: "main",
    machine: caseMachine,
    readFile: readCaseFile(c),
    epilogue: (a) => a.exit(),
  });
