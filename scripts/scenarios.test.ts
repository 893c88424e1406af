/** The page of all scenarios. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { page } from "./scenarios.ts";

test("docs/scenarios.md shows every scenario as it stands", () => {
  const made = page();
  if (process.env.UPDATE !== undefined) writeFileSync("docs/scenarios.md", made);
  assert.equal(
    readFileSync("docs/scenarios.md", "utf8"),
    made,
    "UPDATE=1 npm test -- scripts/scenarios",
  );
});
