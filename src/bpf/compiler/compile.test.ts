/** The driver's own decisions, compiled. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTRIES, machine, SETTINGS } from "../../engine/ebpf/machine.ts";
import { CALL, JMP } from "../instruction.ts";
import { decode, listing } from "../listing.ts";
import type { Program } from "../program.ts";
import { compile } from "./compile.ts";

/** The repository: this runs from `dist/src/bpf/compiler`. */
const root = fileURLToPath(new URL("../../../..", import.meta.url));
const readFile = (file: string) => readFileSync(path.join(root, file), "utf8");

function compileEntry(entry: keyof typeof ENTRIES): Program {
  const file = ENTRIES[entry];
  return compile({ file, entry, machine, readFile, epilogue: (a) => a.exit() });
}

for (const entry of ["xmit", "receive", "input"] as const) {
  const program = compileEntry(entry);
  const text = listing(program);

  test(`${entry}: every jump goes forward, so the kernel sees at once that it ends`, () => {
    for (const i of decode(program.bytes))
      if ((i.opcode & 7) === JMP && i.opcode !== CALL) assert.ok(i.offset >= 0);
  });

  test(`${entry}: mode, flag and compat are read in one word, once`, () => {
    const reads = text.split("\n").filter((line) => line.includes(`value of ${SETTINGS} + 0`));
    assert.equal(reads.length, entry === "input" ? 0 : 1);
  });

  test(`${entry}: each instruction has its line of source`, () => {
    assert.equal(program.lines[0]?.at, 0);
    for (const { file, line, text } of program.lines) assert.ok(file && line > 0 && text);
  });
}
