/**
 * `npm run bpf:list [-- xmit | receive | input]`: the driver's decisions as they are compiled, each line of TypeScript above
 * its instructions. What is done with a decision (`src/engine/ebpf`) is left out.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../src/bpf/compiler/compile.ts";
import { listing } from "../src/bpf/listing.ts";
import { ENTRIES, machine } from "../src/engine/ebpf/machine.ts";

/** The repository: this runs from `dist/scripts`. */
const root = fileURLToPath(new URL("../..", import.meta.url));
const readFile = (file: string) => readFileSync(path.join(root, file), "utf8");

const words = process.argv.slice(2);
const entries = Object.entries(ENTRIES).filter(([e]) => words.length === 0 || words.includes(e));
for (const [entry, file] of entries) {
  const program = compile({ file, entry, machine, readFile, epilogue: (a) => a.exit() });
  console.log(`${entry}: ${program.bytes.length / 8} instructions\n${listing(program)}`);
}
if (entries.length === 0) {
  console.error(`No such decision; there are ${Object.keys(ENTRIES).join(", ")}`);
  process.exitCode = 1;
}
