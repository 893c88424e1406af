/** docs/rules.md lists the rules as the decisions have them, and why frames end. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as receiving from "../src/driver/explained/receive.ts";
import * as sending from "../src/driver/explained/xmit.ts";
import { reasons } from "../src/driver/statistics.ts";
import { losses } from "../src/sim/losses.ts";

const tables = readFileSync("docs/rules.md", "utf8")
  .split("\n")
  .filter((line) => /^\| (?!---|rule|reason)/.test(line));

test("the tables are the decisions' rules, in order, and the reasons", () => {
  const rules = [...sending.rules, ...receiving.rules];
  assert.deepEqual(tables, [
    ...rules.map(({ name, words }) => `| ${name} | ${words} |`),
    ...Object.entries(losses).map(([reason, words]) => `| \`${reason}\` | ${words} |`),
  ]);
});

test("every reason of the driver has its words", () => {
  for (const reason of reasons.slice(1)) assert.ok(Object.hasOwn(losses, reason), reason);
});
