import assert from "node:assert/strict";
import { test } from "node:test";
import { Assembler } from "./assembler.ts";

const at = (line: number) => ({ file: "a.ts", line, text: `line ${line}` });

test("a jump to the next instruction is left out, and what pointed behind it still points there", () => {
  const program = new Assembler()
    .move(0, 0)
    .jump("next")
    .label("next")
    .loadMap(1, "map")
    .label("end")
    .exit()
    .finish("test");
  assert.equal(program.bytes.length, 4 * 8);
  assert.deepEqual(program.maps, [{ at: 1, map: "map" }]);
  assert.deepEqual(program.labels, [
    { label: "next", at: 1 },
    { label: "end", at: 3 },
  ]);
});

test("a line of source that became nothing but such a jump is not told: the next one starts there", () => {
  const program = new Assembler()
    .line(at(1))
    .move(0, 0)
    .line(at(2))
    .jump("next")
    .label("next")
    .line(at(3))
    .exit()
    .finish("test");
  assert.deepEqual(
    program.lines.map(({ at, line }) => [at, line]),
    [
      [0, 1],
      [1, 3],
    ],
  );
});

test("a jump leads to its label, wherever that stands; one that stands nowhere is named", () => {
  const loop = new Assembler().label("a").move(0, 0).jumpIf("eq", 0, 0, "a").exit().finish("test");
  assert.equal(new DataView(loop.bytes.buffer).getInt16(8 + 2, true), -2);
  assert.throws(() => new Assembler().jump("b").exit().finish("test"), /no label b/);
  assert.throws(() => new Assembler().label("a").label("a"), /label a stands twice/);
});
