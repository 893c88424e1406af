import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { UsageError } from "../words/errors.ts";
import { type BatchLine, BatchReader, findWords } from "./batch-lines.ts";

function linesOf(...pieces: string[]): BatchLine[] {
  const reader = new BatchReader();
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()];
}

test("words stand between blanks or in quotes, up to a comment", () => {
  for (const [text, words] of [
    ["link  show\tdev eth0 \r\n", ["link", "show", "dev", "eth0"]],
    ["a 'b c' \"d 'e\"f\n", ["a", "b c", "d 'e", "f"]],
    ["a b'c d\n", ["a", "b'c", "d"]],
    ["\n", []],
  ] as const)
    assert.deepEqual(findWords(text), words, text);
  assert.equal(findWords("a 'b\n"), undefined);
  assert.equal(findWords("x ".repeat(511))?.length, 511);
  assert.equal(findWords("x ".repeat(512)), undefined);
});

test("a line may be continued, and has the number of its last", () => {
  const lines = linesOf("# one\nlink \\\nshow # x \\\n", "\na b#c\nlast");
  assert.deepEqual(lines, [
    { text: "# one\n", number: 1, words: [] },
    { text: "link \\\nshow # x \\\n", number: 3, words: ["link", "show"] },
    { text: "\n", number: 4, words: [] },
    { text: "a b#c\n", number: 5, words: ["a", "b"] },
    { text: "last", number: 6, words: ["last"] },
  ]);
  assert.deepEqual(linesOf("link \\\n"), [{ text: "link \\\n", number: 1, words: ["\\"] }]);
});

test("a line without end is refused at its limit", () => {
  assert.throws(() => linesOf("x".repeat(1 << 20), "yy"), UsageError);
});

test("any text in any pieces: the same lines, and together they are the text", () => {
  const text = fc.string({ unit: fc.constantFrom(..."ab '\"#\\\n\n\r\t\u00ff") });
  const property = fc.property(fc.array(text), (pieces) => {
    const lines = linesOf(...pieces);
    assert.equal(lines.map((line) => line.text).join(""), pieces.join(""));
    assert.deepEqual(lines, linesOf(pieces.join("")));
  });
  fc.assert(property, { numRuns: 2000 });
});
