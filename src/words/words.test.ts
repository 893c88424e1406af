import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { UsageError } from "./errors.ts";
import { byteLength, findInteger, matches, Words } from "./words.ts";

test("a keyword may be shortened, but not to nothing and not lengthened", () => {
  assert.ok(matches("li", "link"));
  assert.ok(matches("link", "link"));
  assert.ok(!matches("", "link"));
  assert.ok(!matches("links", "link"));
});

test("a keyword without its value ends the command with status 255", () => {
  const words = new Words(["mode"]);
  assert.equal(words.next(), "mode");
  assert.throws(
    () => words.value(),
    (error) => error instanceof UsageError && error.status === 255,
  );
});

test("integers are C's: decimal, octal, hexadecimal, 32 bits", () => {
  assert.equal(findInteger("1500"), 1500);
  assert.equal(findInteger("010"), 8);
  assert.equal(findInteger("0x5dc"), 1500);
  assert.equal(findInteger("-1"), -1);
  assert.equal(findInteger("0"), 0);
  for (const word of ["", "x", "1x", "08", "1.5", "2147483648", "0x"]) {
    assert.equal(findInteger(word), undefined, word);
  }
});

test("a name is as long as its bytes in UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) =>
      assert.equal(byteLength(text), Buffer.byteLength(text)),
    ),
  );
});
