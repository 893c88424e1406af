import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Line, readLines, ScriptError } from "./lines.ts";

const wordsOf = (text: string, variables: Record<string, string> = {}) =>
  Array.from(readLines(text, new Map(Object.entries(variables))), ({ words }) => words);

test("commands end with the line, a semicolon or &&; comments and empty lines are none", () => {
  assert.deepEqual(wordsOf("ip netns add a; ip netns add b # two\n\n# none\nping x && sleep 1"), [
    ["ip", "netns", "add", "a"],
    ["ip", "netns", "add", "b"],
    ["ping", "x"],
    ["sleep", "1"],
  ]);
});

test("a backslash at the end of a line goes on with the next", () => {
  assert.deepEqual(wordsOf("ip link add \\\n  ipvl0"), [["ip", "link", "add", "ipvl0"]]);
});

test("quotes keep words together, and variables are read but in single ones", () => {
  const line = `echo "a b" 'c $X' d"$X"e \${X}f`.replace("\\$", "$");
  assert.deepEqual(wordsOf(line, { X: "1" }), [["echo", "a b", "c $X", "d1e", "1f"]]);
});

test("a place is where the command begins, from 1", () => {
  const [, second] = readLines("ip a\n  ip b", new Map());
  assert.deepEqual(second?.place, { line: 2, column: 3 });
});

test("a long script is read in no time, wherever its lines end", { timeout: 10_000 }, () => {
  for (const end of ["\n", "; "]) {
    let last: Line | undefined;
    for (const line of readLines(`echo x${end}`.repeat(200_000), new Map(), 3)) last = line;
    assert.deepEqual(
      last?.place,
      end === "\n" ? { line: 200_002, column: 1 } : { line: 3, column: 8 * 199_999 + 1 },
    );
  }
});

test("echo TEXT | COMMAND gives the command something to read; & leaves a server to itself", () => {
  const text =
    "echo a 'b  c' | socat - TCP:10.0.0.1:7\nip netns exec x socat TCP-LISTEN:7 EXEC:cat & ip a";
  assert.deepEqual(
    Array.from(readLines(text, new Map()), ({ words, input, isInBackground }) => [
      words[0],
      words.length,
      input,
      isInBackground,
    ]),
    [
      ["socat", 3, "a b  c\n", false],
      ["ip", 7, undefined, true],
      ["ip", 2, undefined, false],
    ],
  );
});

for (const [text, column, message] of [
  ["echo a | echo b | socat", 17, /no pipes/],
  ["ip link | grep x", 9, /no pipes/],
  ["echo 'a", 6, /quote has no end/],
  ['echo "a', 6, /quote has no end/],
  ["ping x &", 8, /background/],
  ["echo $(date)", 6, /variable/],
  ["echo x > f", 8, /no files/],
  [`echo${" a".repeat(4096)}`, 4096 * 2 + 5 - 2 + 1, /up to 4096 words/],
  [`echo ${"a".repeat(131_073)}`, 6, /up to 131072 characters/],
] as const)
  test(`${text.slice(0, 20)}: refused, with its place`, () => {
    assert.throws(
      () => wordsOf(text),
      (error: ScriptError) => {
        assert.deepEqual(error.place, { line: 1, column });
        assert.match(error.message, message);
        return true;
      },
    );
  });

test("any text: lines, or an error of its own, and it ends", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab $'\"\\\n;&|{}#=x") }), (text) => {
      try {
        wordsOf(text, { a: "1" });
      } catch (error) {
        assert.ok(error instanceof ScriptError, String(error));
      }
    }),
  );
});
