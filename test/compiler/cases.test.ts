/** The compiler's cases once more, in the kernel: what it answers is what JavaScript does. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { word } from "../../src/bpf/vm/maps.ts";
import { BpfMap } from "../../src/linux/bpf/maps.ts";
import { loadProgram, testRun } from "../../src/linux/bpf/programs.ts";
import { close } from "../../src/linux/sys.ts";
import { Frame } from "../../src/wire/frame.ts";
import { needsBpf } from "../bpf.ts";
import {
  CASE_FILE,
  type Case,
  caseBuiltins,
  compileCase,
  NUMBERS,
  port,
  readCaseFile,
  readCases,
  SETTINGS_VALUE,
  WORDS,
} from "../bpf-cases.ts";
import { evaluateModule } from "../evaluate.ts";

/** The kernel runs no shorter frame. */
const FRAME_MIN = 14;

describe("in the kernel", { skip: needsBpf }, () => {
  let maps: Record<string, BpfMap>;
  before(() => {
    maps = makeMaps();
  });
  after(() => {
    for (const map of Object.values(maps)) map.close();
  });

  for (const c of readCases().filter(({ error }) => error === undefined))
    test(`${path.basename(c.file, ".txt")}: ${c.title}`, () => {
      const fds = Object.fromEntries(Object.entries(maps).map(([name, { fd }]) => [name, fd]));
      const program = loadProgram(compileCase(c), fds);
      for (const { frame, result } of c.runs) {
        const whole = testRun(program, frame);
        if (whole !== undefined) assert.equal(whole.result, result);
        const padded = pad(frame);
        assert.equal(testRun(program, padded)?.result, inJavaScript(c, padded));
      }
      close(program);
    });
});

function inJavaScript(c: Case, frame: Uint8Array): number {
  const { main } = evaluateModule(CASE_FILE, readCaseFile(c), caseBuiltins);
  return (main as (p: typeof port, f: Frame) => number)(port, Frame.of(frame)) >>> 0;
}

function pad(frame: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.max(frame.length, FRAME_MIN));
  padded.set(frame);
  return padded;
}

function makeMaps(): Record<string, BpfMap> {
  const hash = { type: "hash", valueSize: 4, maxEntries: 8 } as const;
  const settings = BpfMap.create({
    type: "array",
    name: "settings",
    keySize: 4,
    valueSize: SETTINGS_VALUE.length,
    maxEntries: 1,
  });
  const numbers = BpfMap.create({ ...hash, name: "numbers", keySize: 4 });
  const words = BpfMap.create({ ...hash, name: "words", keySize: 8 });
  settings.update(word(0), SETTINGS_VALUE);
  for (const [key, value] of NUMBERS) numbers.update(word(key), word(value));
  for (const [key, value] of WORDS) words.update(key, word(value));
  return { settings, numbers, words };
}
