import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("the example tells where every frame went", () => {
  const program = fileURLToPath(new URL("embed.js", import.meta.url));
  assert.equal(
    execFileSync(process.execPath, [program], { encoding: "utf8" }),
    `  at slave 2: 10.0.0.11 > 10.0.0.12 protocol 253
  at the wire: 10.0.0.11 > 10.0.0.255 protocol 253
  at slave 2: 10.0.0.11 > 10.0.0.255 protocol 253
  at slave 3: 10.0.0.11 > 10.0.0.255 protocol 253
  at slave 3: 10.0.0.1 > 10.0.0.13 protocol 253
slave 1 lost: {"isolated":1}
`,
  );
});
