/** Each case of `src/bpf/cases`: in JavaScript, in our eBPF machine, as a listing; or the error it is. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import {
  CASE_FILE,
  type Case,
  caseBuiltins,
  caseMaps,
  compileCase,
  port,
  readCaseFile,
  readCases,
} from "../../../test/bpf-cases.ts";
import { evaluateModule } from "../../../test/evaluate.ts";
import { Frame } from "../../wire/frame.ts";
import { listing } from "../listing.ts";
import type { Program } from "../program.ts";
import { Vm } from "../vm/vm.ts";
import { CompileError } from "./source.ts";

for (const c of readCases())
  test(`${path.basename(c.file, ".txt")}: ${c.title}`, () =>
    c.error === undefined ? runs(c) : fails(c, c.error));

function runs(c: Case): void {
  const program = compileCase(c);
  const { main } = evaluateModule(CASE_FILE, readCaseFile(c), caseBuiltins);
  const vm = new Vm(program, { maps: caseMaps });
  assert.ok(c.runs.length > 0 || c.asm !== undefined, "a case wants something");
  for (const { frame, result } of c.runs) {
    const inJavaScript = (main as (p: typeof port, f: Frame) => number)(port, Frame.of(frame));
    assert.equal(inJavaScript >>> 0, result, "in JavaScript");
    assert.equal(vm.run(frame, { linear: Math.min(4, frame.length) }), result, "compiled");
  }
  if (c.asm === undefined) return;
  const asm = instructionsOf(program);
  if (process.env.UPDATE_CASES) update(c, "asm", c.asm, asm);
  else assert.equal(asm, c.asm);
}

function fails(c: Case, error: string): void {
  const message = messageOf(() => compileCase(c));
  if (process.env.UPDATE_CASES) update(c, "error", error, message);
  else assert.equal(message, error);
}

function messageOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
  return "it compiles";
}

/** Without lines of source, prologue and exit. */
function instructionsOf(program: Program): string {
  const lines = listing(program)
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith("  ;"));
  const prologue = Math.max(lines.indexOf("ready_0:"), 0);
  return lines.slice(prologue + 1, -1).join("\n");
}

function update(c: Case, part: string, was: string, is: string): void {
  const text = readFileSync(c.file, "utf8");
  const from = text.indexOf(`== ${c.title}\n`);
  const head = `-- ${part}\n`;
  const at = text.indexOf(`${head}${was}\n`, from) + head.length;
  assert.ok(from >= 0 && at > from);
  writeFileSync(c.file, text.slice(0, at) + is + text.slice(at + was.length));
}
