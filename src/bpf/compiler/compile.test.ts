/** The driver's own decisions, compiled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileEntry, entries } from "../../../test/driver-program.ts";
import { SETTINGS } from "../../engine/ebpf/machine.ts";
import { CALL, JMP } from "../instruction.ts";
import { decode, listing } from "../listing.ts";

for (const entry of entries) {
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
