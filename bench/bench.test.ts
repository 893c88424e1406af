import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sandboxRefusal } from "../scripts/sandbox.ts";
import { missingProgram } from "./main.ts";
import { parseOptions } from "./options.ts";
import type { Results } from "./report.ts";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

test("words that mean nothing are refused", () => {
  for (const words of [
    ["--rounds", "0"],
    ["--rounds", "1.5"],
    ["--seconds", "x"],
    ["--often"],
    ["now"],
  ])
    assert.throws(() => parseOptions(words, ""), { name: "UsageError" }, words.join(" "));
});

test("a whole run is kept, a quick one and a part of one only where it is told to", () => {
  const outOf = (...words: string[]) => parseOptions(words, "results")!.out;
  assert.equal(outOf(), "results");
  assert.equal(outOf("--quick"), undefined);
  assert.equal(outOf("--only", "udp"), undefined);
  assert.equal(outOf("--quick", "--out", "there"), "there");
});

const skip = sandboxRefusal() ?? missingProgram() ?? false;

test("the bench runs, and finds a figure for each row", { skip }, () => {
  const options = ["--rounds", "1", "--seconds", "0.1", "--slaves", "3", "--json"];
  // Of TCP one row will do.
  const only =
    "l3,udp,ping-pong,slaves,flood,create,address,changes,command,cni,memory,decision,simulated";
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, ...options, "--only", only],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  const { rows, missing } = JSON.parse(stdout) as Results;
  assert.deepEqual(
    missing.filter(({ notHere }) => !notHere),
    [],
  );
  for (const { name, ratios } of rows)
    assert.ok(
      Object.values(ratios).every(({ median }) => median > 0),
      name,
    );
  const measured = rows.filter(({ ratios }) => Object.keys(ratios).length > 0);
  assert.ok(measured.length >= 20, stdout);
});
