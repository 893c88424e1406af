/** The decisions that explain themselves are those that decide. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { explained } from "./explained.ts";

for (const file of ["xmit.ts", "receive.ts"])
  test(`src/driver/explained/${file} is made of src/driver/decide/${file} as it stands`, () => {
    const path = `src/driver/explained/${file}`;
    const made = format(path, explained(file, readFileSync(`src/driver/decide/${file}`, "utf8")));
    if (process.env.UPDATE !== undefined) writeFileSync(path, made);
    assert.equal(readFileSync(path, "utf8"), made, "UPDATE=1 npm test -- scripts/explained");
  });

function format(path: string, text: string): string {
  const { stdout, stderr, status } = spawnSync(
    "node_modules/.bin/biome",
    ["check", "--write", `--stdin-file-path=${path}`],
    { input: text, encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  return stdout;
}
