/** The driver's decisions are the same in TypeScript and compiled: on recorded frames, and a million others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { needsBpf } from "../bpf.ts";
import { compareInThreads } from "./compare.ts";
import { columns } from "./decisions.ts";
import { recorded } from "./ground.ts";

const FRAMES = 1_000_000;
/** In our machine, which is slower, and where the kernel has been asked before. */
const FRAMES_IN_MACHINE = 50_000;
/** Different ones that the three entries have, reasons of drops apart. */
const VERDICTS = 18;
/** What came less often was not tried. */
const OFTEN = 100;
/** Another one each day; a difference is told with its frame. */
const SEED = Math.floor(Date.now() / 86_400_000) * FRAMES;

test("recorded frames and a million others are decided alike by TypeScript and kernel, in every mode, flag and compat", {
  skip: needsBpf,
}, async (t) => {
  const counts = await compareInThreads(SEED, FRAMES, true);
  const { frames, decisions, inKernel, inMachine, verdicts, differences } = counts;
  t.diagnostic(
    `${recorded.length} recorded frames in ${columns.length} columns and ${frames} others: ${decisions} decisions, ` +
      `${inKernel} in the kernel, ${inMachine} in our machine (frames the kernel's test run refuses), ` +
      `${differences.length} differences`,
  );
  assert.deepEqual(differences, []);
  assert.ok(frames >= FRAMES);
  assert.equal(verdicts.size, VERDICTS);
  for (const [verdict, times] of verdicts) assert.ok(times > OFTEN, `${verdict}: ${times} times`);
  assert.ok(inKernel > 0.8 * decisions);
});

test("so are they in our machine, without root", async () => {
  const { differences, decisions, inMachine } = await compareInThreads(
    SEED,
    FRAMES_IN_MACHINE,
    false,
  );
  assert.deepEqual(differences, []);
  assert.equal(inMachine, decisions);
});
