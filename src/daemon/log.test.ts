import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { append, BoundedLines, LINES_PER_SECOND_MAX, LOG_BYTES_MAX } from "./log.ts";

test("who makes many lines a second gets some, and their number told", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const told: string[] = [];
  const lines = new BoundedLines((line) => told.push(line));
  for (let n = 0; n < LINES_PER_SECOND_MAX + 7; n++) lines.write(`${n}\n`);
  assert.equal(told.length, LINES_PER_SECOND_MAX);
  t.mock.timers.tick(1000);
  assert.equal(JSON.parse(told.at(-1)!).msg, "7 lines left out");
  lines.write("after\n");
  assert.equal(told.at(-1), "after\n");
});

test("a second without too many lines is not told of", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const lines = new BoundedLines((line) => told.push(line));
  for (let second = 0; second < 3; second++) {
    for (let n = 0; n < LINES_PER_SECOND_MAX; n++) lines.write("\n");
    t.mock.timers.tick(1000);
  }
  assert.equal(told.length, 3 * LINES_PER_SECOND_MAX);
});

test("a log file keeps its newer half when it is full", (t) => {
  const folder = mkdtempSync(`${tmpdir()}/ipvlan-log-`);
  const file = `${folder}/log`;
  const fd = openSync(file, "a");
  t.after(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  const line = `${"x".repeat(8191)}\n`;
  for (let n = 0; n < (4 * LOG_BYTES_MAX) / line.length; n++) append(fd, line);
  append(fd, "newest\n");
  assert.ok(statSync(file).size <= LOG_BYTES_MAX);
  const kept = readFileSync(file, "latin1").split("\n");
  assert.deepEqual(kept.slice(-2), ["newest", ""]);
  assert.ok(
    kept.slice(0, -2).every((text) => text.length === 8191),
    "whole lines",
  );
});
