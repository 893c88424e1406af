import assert from "node:assert/strict";
import { test } from "node:test";
import { needsBpf } from "../bpf.ts";
import { fuzzInThreads } from "./fuzz-threads.ts";
import { generate } from "./generator/program.ts";
import { describe } from "./report.ts";

const PROGRAMS = 10_000;
/** Another one each day: who sees a finding can have it again by its seed. */
const SEED = Math.floor(Date.now() / 86_400_000) * PROGRAMS;

test(`${PROGRAMS} random programs do the same in JavaScript, in our machine and, with root, in the kernel`, async (t) => {
  const tally = await fuzzInThreads(SEED, PROGRAMS, !needsBpf);
  t.diagnostic(needsBpf ? `without the kernel: ${needsBpf}` : "with the kernel");
  t.diagnostic(describe(tally).split("\n")[0]!);
  assert.equal(tally.findings.length, 0, describe(tally));
  assert.ok(tally.programs > PROGRAMS * 0.99, describe(tally));
});

test("a seed means a program", () => {
  assert.deepEqual(generate(7), generate(7));
  assert.notDeepEqual(generate(7), generate(8));
});
