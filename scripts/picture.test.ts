import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flag, Mode } from "../src/driver/settings.ts";
import type { Outcome } from "./connectivity.ts";
import { drawMatrix, drawTopology } from "./picture.ts";

const outcome = (words: string, promised: boolean, timeMs: number | undefined): Outcome => {
  const [from, to, family] = words.split(" ") as [
    Outcome["from"],
    Outcome["to"],
    Outcome["family"],
  ];
  return { from, to, family, promised, timeMs };
};

test("answers, promised silence and broken promises have marks of their own", () => {
  const drawn = drawMatrix([
    outcome("ns0 lan v4", true, 0.3),
    outcome("ns0 lan v6", true, undefined),
    outcome("ns0 ns1 v4", false, undefined),
    outcome("ns0 ns1 v6", false, 0.3),
  ]);
  const row = drawn.split("\n").find((line) => line.trim().startsWith("ns0"));
  assert.match(row ?? "", /^ +ns0 +v4 ✓ {2}v6 ✗ +v4 – {2}v6 ✗$/);
});

test("the drawing keeps its shape with any mode and flag", () => {
  const shapes = (["l2 bridge", "l3s private"] as const).map((words) => {
    const [mode, flag] = words.split(" ") as [Mode, Flag];
    const drawn = drawTopology(mode, flag);
    assert.ok(drawn.includes(words));
    return drawn.split("\n").map((line) => line.length);
  });
  assert.deepEqual(shapes[0], shapes[1]);
});
