import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sandboxRefusal } from "../scripts/sandbox.ts";
import { type Comparison, compare, drawTable } from "./comparison.ts";
import { missingProgram, parseOptions } from "./main.ts";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

/** Figures as given, round by round; `taken` notes who was asked when. */
function scripted(taken: string[], figures: Readonly<Record<"to" | "ipvlan", readonly number[]>>) {
  const measure = (who: "to" | "ipvlan") => async () => {
    taken.push(who);
    return figures[who][taken.filter((one) => one === who).length - 1]!;
  };
  const comparison: Comparison = {
    name: "row",
    to: measure("to"),
    of: { ipvlan: measure("ipvlan") },
    target: { atLeast: 0.9 },
  };
  return comparison;
}

test("figures are compared with those of their own round, however rounds differ", async () => {
  const comparison = scripted([], { to: [10, 1000, 40], ipvlan: [8, 1000, 30] });
  const [row] = await compare([comparison], 3, () => {});
  assert.deepEqual(row!.ratios.ipvlan, { min: 0.75, median: 0.8, max: 1 });
});

test("who comes first changes from round to round", async () => {
  const taken: string[] = [];
  await compare([scripted(taken, { to: [1, 1], ipvlan: [1, 1] })], 2, () => {});
  assert.deepEqual(taken, ["to", "ipvlan", "ipvlan", "to"]);
});

test("the table tells min, median, max and target, and whose median misses it", async () => {
  const target = { atLeast: 0.9 };
  const ratios = (median: number) => ({ ipvlan: { min: 0.5, median, max: 1.25 } });
  const table = drawTable([
    { name: "reached", target, ratios: ratios(0.9) },
    { name: "missed", target, ratios: ratios(0.89) },
    { name: "time", target: { atMost: 2.3 }, ratios: ratios(0.89) },
  ]);
  assert.match(table, /^reached +0\.50 \/ 0\.90 \/ 1\.25 +≥ 0\.9$/m);
  assert.match(table, /^missed +0\.50 \/ 0\.89 \/ 1\.25 +≥ 0\.9 {2}missed$/m);
  assert.match(table, /^time +0\.50 \/ 0\.89 \/ 1\.25 +≤ 2\.3$/m);
});

test("words that mean nothing are refused", () => {
  for (const words of [["--rounds", "0"], ["--seconds", "x"], ["--often"], ["now"]])
    assert.throws(() => parseOptions(words), { name: "UsageError" }, words.join(" "));
});

const skip = sandboxRefusal() ?? missingProgram() ?? false;

test("the bench runs, and prints a row for each comparison", { skip }, () => {
  const options = ["--rounds", "1", "--seconds", "0.1", "--slaves", "3"];
  const only = "l3,udp,ping-pong,decision,command,many"; // of TCP one row will do
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, ...options, "--only", only],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  const rows = stdout.trim().split("\n").slice(1);
  assert.equal(rows.length, 11, stdout);
  for (const row of rows) assert.match(row, /: .* \d+\.\d\d \/ \d+\.\d\d \/ \d+\.\d\d .*[≥≤] /);
});
