import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { needsBpf } from "../bpf.ts";
import { allAsked } from "../in-sandbox.ts";
import { compare } from "./compare.ts";
import { labOf } from "./lab.ts";
import { parseRecording } from "./recording.ts";
import { findObstacle } from "./sandbox.ts";

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL("main.js", import.meta.url));
/** Not copied into the build. */
const RECORDING = fileURLToPath(new URL("../../../test/kernel/verdicts.json", import.meta.url));

const text = readFileSync(RECORDING, "utf8");
const folder = mkdtempSync(join(tmpdir(), "ipvlan-parity-"));
after(() => rmSync(folder, { recursive: true }));

function parity(...args: string[]): { status: number | null; output: string; lastLine: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  const output = stdout + stderr;
  return { status, output, lastLine: output.trimEnd().split("\n").at(-1) ?? "" };
}

/** The recording with a few of its cases, changed. */
function falsified(ids: readonly string[], change: (c: RawCase) => void): string {
  const recording = JSON.parse(text) as { cases: RawCase[] };
  recording.cases = recording.cases.filter((c) => ids.includes(c.id));
  for (const c of recording.cases) change(c);
  const file = join(folder, "falsified.json");
  writeFileSync(file, JSON.stringify(recording));
  return file;
}

interface RawCase {
  readonly id: string;
  from: string;
  error?: string;
  seen: Record<string, string[]>;
  how: Record<string, object[]>;
}

for (const compat of ["howto", "kernel"])
  test(`the frame path does what the kernel's driver did, or says by which difference: ${compat}`, () => {
    const { status, output, lastLine } = parity("--compat", compat, RECORDING);
    assert.match(lastLine, /^[1-9]\d+ passed, 0 failed, \d+ skipped$/);
    assert.equal(status, 0);
    assert.equal(/skipped: D[1-4]\b/.test(output), compat === "howto");
  });

test("a recording of other MACs and device names is replayed as well", () => {
  const file = join(folder, "renamed.json");
  const renamed = text
    .replaceAll("02:00:00:00:00:02", "06:11:22:33:44:55")
    .replaceAll("020000000002", "061122334455")
    .replaceAll("ipvl0", "red")
    .replaceAll('"eth0', '"uplink');
  writeFileSync(file, renamed);
  const { lastLine } = parity("--compat", "kernel", file);
  assert.match(lastLine, / 0 failed,/);
});

test("a place that was not recorded fails the case and the run", () => {
  const file = falsified(["w-v4-ipvl0/l2/bridge"], (c) => {
    c.seen = { ipvl1: c.seen.ipvl0! };
    c.how = { ipvl1: c.how.ipvl0! };
  });
  const { status, output, lastLine } = parity(file);
  assert.equal(status, 1);
  assert.equal(lastLine, "0 passed, 1 failed, 0 skipped");
  assert.match(output, /FAILED w-v4-ipvl0\/l2\/bridge/);
  assert.match(output, /recorded +ipvl1: 10\.0\.0\.1 > 10\.0\.0\.10 udp/);
  assert.match(output, /here +ipvl0: 10\.0\.0\.1 > 10\.0\.0\.10 udp/);
});

test("other bytes at the right place fail the case", () => {
  const file = falsified(["s-v4-lan-ownmac/l3/bridge"], (c) => {
    c.seen.wire = c.seen.wire!.map((hex) => hex.replace("020000000001", "020000000009"));
  });
  assert.match(parity(file).output, /wire: expected other bytes/);
});

test("a frame that the recorded socket refused must be refused", () => {
  const file = falsified(["w-v4-ipvl0/l2/bridge"], (c) => {
    c.error = "Message too long";
    c.seen = {};
    c.how = {};
  });
  assert.match(parity(file).lastLine, /1 failed/);
});

const recording = parseRecording(JSON.parse(text));
const lab = labOf(recording.topology);
const getCase = (id: string) => recording.cases.find((c) => c.id === id)!;

test("a difference that breaks its promise fails", () => {
  const c = getCase("s-v4-bcast-limited/l2/private");
  const frame = [c.frame!];
  const judge = (...places: string[]) =>
    compare(lab, c, { frames: new Map(places.map((place) => [place, frame])) }, "howto").kind;
  assert.equal(judge("wire"), "skipped");
  assert.equal(judge("wire", "ipvl1"), "failed");
  assert.equal(judge(), "failed");
  assert.equal(judge("ipvl1", "ipvl2", "wire"), "failed", "Linux's outcome, not ours");
});

test("what compat kernel does not excuse fails there", () => {
  const c = getCase("s-v4-bcast-limited/l2/private");
  const seen = { frames: new Map([["wire", [c.frame!]]]) };
  assert.equal(compare(lab, c, seen, "kernel").kind, "failed");
});

test("a difference excuses no frame that it is not about", () => {
  const c = getCase("s-v4-bcast-limited/l2/bridge");
  const seen = { frames: new Map([["wire", [c.frame!]]]) };
  assert.equal(compare(lab, c, seen, "howto").kind, "failed");
});

test("a place that the engine is blind for is skipped by name, the others are not", () => {
  const c = getCase("w-v4-ipvl0/l2/bridge");
  const limits = [{ place: "eth0.stack", reason: "blind" }];
  const judge = (...places: string[]) => {
    const frames = new Map(places.map((place) => [place, [c.frame!]]));
    return compare(lab, c, { frames }, "howto", limits);
  };
  assert.deepEqual(judge("ipvl0", "eth0.stack"), { kind: "skipped", reason: "blind" });
  assert.equal(judge("ipvl0").kind, "passed");
  assert.equal(judge("ipvl1", "eth0.stack").kind, "failed");
});

test("what is no recording is told in one line", () => {
  const file = join(folder, "broken.json");
  for (const [json, said] of [
    ["{", /in JSON/],
    ["{}", /meta: expected an object/],
    [text.replace('"mode": "l2"', '"mode": "l4"').replace('"mode":"l2"', '"mode":"l4"'), /l2, l3/],
  ] as const) {
    writeFileSync(file, json);
    const { status, output } = parity(file);
    assert.equal(status, 1);
    assert.match(output, said);
    assert.equal(output.trimEnd().split("\n").length, 1);
  }
});

test("wrong words are told in one line", () => {
  for (const words of [[], ["a", "b"], ["--engine", "warp", RECORDING], ["--wrong", RECORDING]]) {
    const { status, output } = parity(...words);
    assert.equal(status, 2);
    assert.equal(output.trimEnd().split("\n").length, 1);
  }
});

const obstacle = process.getuid?.() === 0 ? findObstacle() : "the engines are tried as root only";

/** Each engine and each compat once; what is left is asked for with `npm test -- --all`. */
const USUALLY = [
  ["ebpf", "howto"],
  ["userspace", "kernel"],
] as const;
const BESIDES = [
  ["ebpf", "kernel"],
  ["userspace", "howto"],
] as const;

// Each takes most of a minute, and waits most of it.
describe("on real devices", {
  concurrency: 2,
  skip: obstacle === undefined ? false : `needs root: ${obstacle}`,
}, () => {
  for (const [engine, compat] of allAsked ? [...USUALLY, ...BESIDES] : USUALLY)
    test(`the engine does it: ${engine}, ${compat}`, {
      skip: engine === "ebpf" && needsBpf,
    }, async () => {
      const words = ["--engine", engine, "--compat", compat, RECORDING];
      const told = run(process.execPath, [MAIN, ...words], { maxBuffer: 1 << 26 });
      const { stdout, stderr } = await told.catch((failed) => failed);
      assert.match(stdout, /^[1-9]\d+ passed, 0 failed, \d+ skipped$/m, stdout + stderr);
    });
});
