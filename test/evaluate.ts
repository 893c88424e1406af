/** Runs TypeScript of the compiler's subset as it is, from texts in memory: the other half of a comparison. */
import { parseSync } from "oxc-parser";
import { parse } from "../src/bpf/compiler/parse.ts";

type Exports = Readonly<Record<string, unknown>>;

/**
 * What stands at the top level of a file, by name. `builtins` are files that exist in JavaScript only: names of each.
 */
export function evaluateModule(
  path: string,
  readFile: (path: string) => string,
  builtins: Readonly<Record<string, Exports>>,
): Exports {
  const given = builtins[path];
  if (given) return given;
  const text = readFile(path);
  const module = parse(path, text);
  const imported = [...module.imports].map(([local, { from, name }]) => {
    const exports = evaluateModule(from, readFile, builtins);
    return [local, name === undefined ? exports : exports[name]] as const;
  });
  const names = [...module.functions.keys(), ...module.constants.keys()];
  const body = `"use strict";${toJavaScript(path, text)}\nreturn { ${names.join(", ")} };`;
  const run = new Function(...imported.map(([local]) => local), body);
  return run(...imported.map(([, value]) => value));
}

/** The text without types, imports and the word `export`, everything else where it was. */
function toJavaScript(path: string, text: string): string {
  const letters = text.split("");
  const blank = (start: number, end: number) => {
    for (let i = start; i < end; i++) if (letters[i] !== "\n") letters[i] = " ";
  };
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    if (!isNode(node)) return;
    const { type, start, end } = node;
    const inner = node.expression;
    if (type === "ImportDeclaration") blank(start, end);
    else if (type.startsWith("TS") && !isNode(inner)) blank(start, end);
    else {
      if (type === "ExportNamedDeclaration") blank(start, start + "export".length);
      if (type.startsWith("TS") && isNode(inner)) blank(inner.end, end); // x as T, x!, x satisfies T
      for (const child of Object.values(node)) visit(child);
    }
  };
  visit(parseSync(path, text).program.body);
  return letters.join("");
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly expression?: unknown;
}

const isNode = (node: unknown): node is Node =>
  typeof node === "object" && node !== null && typeof (node as Node).type === "string";
