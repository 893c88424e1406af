import assert from "node:assert/strict";
import { test } from "node:test";
import { Assembler } from "./assembler.ts";
import { btf, LINE_RECORD } from "./btf.ts";

const program = new Assembler()
  .line({ file: "a.ts", line: 3, text: "return 1; // …" })
  .move(0, 1)
  .line({ file: "b.ts", line: 7, text: "}" })
  .exit()
  .finish("the-name");
const { types, functions, lines } = btf(program);
const word = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer).getUint32(at, true);

/** The text at an offset of the strings. */
function stringAt(offset: number): string {
  const start = 24 + word(types, 12) + offset;
  return String.fromCharCode(...types.subarray(start, types.indexOf(0, start)));
}

test("the header tells where types and strings are", () => {
  assert.equal(word(types, 0), 0x01eb9f); // magic, version 1, no flags
  assert.equal(word(types, 4), 24);
  assert.equal(word(types, 8) + word(types, 12), word(types, 16));
  assert.equal(types.length, 24 + word(types, 12) + word(types, 20));
});

test("each line names its first instruction, its file, its number and its text", () => {
  const records = Array.from({ length: lines.length / LINE_RECORD }, (_, i) =>
    [0, 4, 8, 12].map((at) => word(lines, i * LINE_RECORD + at)),
  );
  const told = records.map(([at, file, text, place]) => [
    at,
    stringAt(file!),
    place! >> 10,
    stringAt(text!),
  ]);
  assert.deepEqual(told, [
    [0, "a.ts", 3, "return 1; // ?"],
    [1, "b.ts", 7, "}"],
  ]);
});

test("the function is called as the program, in letters that the kernel takes for a name", () => {
  const names = Array.from({ length: 40 }, (_, i) => stringAt(i));
  assert.ok(names.includes("the_name"));
  assert.deepEqual([...functions], [0, 0, 0, 0, 4, 0, 0, 0]);
});
