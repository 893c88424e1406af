import assert from "node:assert/strict";
import { test } from "node:test";
import { loads } from "./machine.ts";
import { Names } from "./names.ts";
import { parse } from "./parse.ts";
import { CompileError } from "./source.ts";

const text = `
import { a, b as c } from "../wire/x.ts";
import * as y from "./y.ts";
import type { T } from "package";
export const ONE = 1, TWO = 2;
export function f(n: number): number { return n; }
const g = (n: number): number => n;
export class K {}
let count = 0;
export type U = number;
`;

test("a file is known by what stands at its top level", () => {
  const module = parse("src/driver/z.ts", text);
  assert.deepEqual([...module.constants.keys()], ["ONE", "TWO"]);
  assert.deepEqual([...module.functions.keys()], ["f", "g"]);
  assert.deepEqual(
    [...module.others],
    [
      ["K", "a class"],
      ["count", "a variable made by let"],
    ],
  );
});

test("imports are paths from where the first file's path counts, or packages", () => {
  const imports = parse("src/driver/z.ts", text).imports;
  const told = [...imports].map(([local, { from, name }]) => [local, from, name]);
  assert.deepEqual(told, [
    ["a", "src/wire/x.ts", "a"],
    ["c", "src/wire/x.ts", "b"],
    ["y", "src/driver/y.ts", undefined],
    ["T", "package", "T"],
  ]);
});

test("what is no TypeScript is an error with its place", () => {
  assert.throws(
    () => parse("a.ts", "const a = 1;\nconst b = ;\n"),
    (error: unknown) => error instanceof CompileError && error.line === 2 && error.column === 11,
  );
});

const machine = { frame: "Frame", objects: {}, functions: { "frame.ts": loads } };

test("a file is read when a name leads there, and once", () => {
  const read: string[] = [];
  const files: Readonly<Record<string, string>> = {
    "a.ts": 'import { x } from "./b.ts"; import { z } from "./c.ts";',
    "b.ts": 'export { w } from "./d.ts"; export const x = 1;',
  };
  const names = new Names(machine, (path) => {
    read.push(path);
    return files[path]!;
  });
  const module = names.module("a.ts");
  assert.deepEqual(read, ["a.ts"]);
  assert.equal(names.find(module, "x")?.kind, "constant");
  assert.equal(names.find(module, "x")?.kind, "constant");
  assert.deepEqual(read, ["a.ts", "b.ts"]);
});

test("the file of a function that the machine has need not be there", () => {
  const names = new Names(machine, () => 'import { u8 } from "./frame.ts";');
  assert.equal(names.find(names.module("a.ts"), "u8")?.kind, "intrinsic");
});
