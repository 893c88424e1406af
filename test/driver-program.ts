/** For tests: the driver's decisions, compiled from the repository's sources. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Assembler } from "../src/bpf/assembler.ts";
import { compile } from "../src/bpf/compiler/compile.ts";
import type { Program } from "../src/bpf/program.ts";
import { ENTRIES, machine } from "../src/engine/ebpf/machine.ts";

/** The repository: this runs from `dist/test`. */
const root = fileURLToPath(new URL("../..", import.meta.url));
export const readFile = (file: string): string => readFileSync(path.join(root, file), "utf8");

export type Entry = keyof typeof ENTRIES;
export const entries = Object.keys(ENTRIES) as Entry[];

/** The program returns its decision, unless told otherwise. */
export function compileEntry(
  entry: Entry,
  epilogue: (a: Assembler) => void = (a) => a.exit(),
): Program {
  return compile({ file: ENTRIES[entry], entry, machine, readFile, epilogue });
}
