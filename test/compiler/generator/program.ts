/** A random program of the subset, as TypeScript for the compiler and as JavaScript to run. */
import { Random } from "../../random.ts";
import { condition, number, word } from "./expressions.ts";
import type { GeneratedFunction, Scope } from "./scope.ts";
import { Fresh, statements } from "./statements.ts";

export interface GeneratedProgram {
  /** By name. */
  readonly files: Readonly<Record<string, string>>;
  readonly javascript: string;
}

/** What the decision is called in both, and the file that has it. */
export const ENTRY = "decide";
export const FILE = "decide.ts";

const IMPORTS = `import { type Frame, type Port, byBytes, byNumber, mark, u8, u16, u32 } from "./machine.ts";\n`;
const FUNCTIONS_MAX = 3;

/** The same program for the same seed: a decision, and functions in its file and in another one. */
export function generate(seed: number): GeneratedProgram {
  const random = new Random(seed);
  const fresh = new Fresh();
  const other = writeModule(random, fresh, []);
  const names = other.functions.map(({ name }) => name).join(", ");
  const imported = other.functions.map((f) =>
    random.oneIn(2) ? f : { ...f, name: `other.${f.name}` },
  );
  const own = writeModule(random, fresh, imported);
  const decision = writeDecision(random, fresh, [...imported, ...own.functions]);
  const imports = `import * as other from "./other.ts";\nimport { ${names} } from "./other.ts";\n`;
  return {
    files: {
      "other.ts": IMPORTS + inTypeScript(other.text),
      [FILE]: IMPORTS + imports + inTypeScript(own.text + decision),
    },
    javascript: [
      `const other = (() => {\n${inJavaScript(other.text)}return { ${names} };\n})();`,
      `const { ${names} } = other;`,
      inJavaScript(own.text + decision),
    ].join("\n"),
  };
}

// Types stand in «…»: JavaScript has none.
const inTypeScript = (text: string): string => text.replaceAll(/«(.*?)»/g, "$1");
const inJavaScript = (text: string): string =>
  text.replaceAll(/«.*?»/g, "").replaceAll("export ", "");

/** Constants, whose names are the same in every file and their values not, and functions that may call these. */
function writeModule(
  random: Random,
  fresh: Fresh,
  callable: readonly GeneratedFunction[],
): { text: string; functions: readonly GeneratedFunction[] } {
  const functions: GeneratedFunction[] = [];
  let text = `const WIDE = ${random.pick([0x0a000001, 0x0a0000ff, 0xffffffff])};\nconst NARROW = WIDE & 0x7f;\n`;
  for (let n = random.below(FUNCTIONS_MAX); n > 0; n--) {
    const written = writeFunction(random, fresh, [...callable, ...functions]);
    text += `export ${written.text}`;
    functions.push(written.function);
  }
  return { text, functions };
}

const parameters = (names: readonly string[]): string =>
  ["port«: Port»", "f«: Frame»", ...names.map((name) => `${name}«: number»`)].join(", ");

function writeFunction(
  random: Random,
  fresh: Fresh,
  functions: readonly GeneratedFunction[],
): { text: string; function: GeneratedFunction } {
  const name = fresh.name("g");
  const names = Array.from({ length: random.below(3) }, () => fresh.name("p"));
  const isTest = random.oneIn(3);
  const result = isTest
    ? (s: Scope): string => (random.oneIn(5) ? random.pick(["true", "false"]) : condition(s, 2))
    : (s: Scope): string => withVariables(s, word(s, 2).text);
  const scope = scopeOf(random, functions, names, result);
  const head = `(${parameters(names)})«: ${isTest ? "boolean" : "number"}»`;
  const text = random.oneIn(3)
    ? `const ${name} = ${head} => ${result(scope)};\n`
    : `function ${name}${head} {\n${body(scope, fresh, 1)}}\n`;
  const bits = isTest ? undefined : 32;
  return { text, function: { name, parameters: names.length, bits } };
}

function writeDecision(
  random: Random,
  fresh: Fresh,
  functions: readonly GeneratedFunction[],
): string {
  const scope = scopeOf(random, functions, [], (s) => withVariables(s, number(s, 3).text));
  return `export function ${ENTRY}(${parameters([])})«: number» {\nlet s = 3;\n${body({ ...scope, small: ["s"] }, fresh, 2)}}\n`;
}

function body(s: Scope, fresh: Fresh, depth: number): string {
  const { text, scope } = statements(s, fresh, depth);
  return `${text}return ${s.result(scope)};\n`;
}

/** At most times a result shows what became of the variables. */
function withVariables(s: Scope, result: string): string {
  const variables = [...s.lets, ...s.small];
  if (variables.length === 0 || s.random.oneIn(3)) return result;
  return `(${[result, ...variables].join(" ^ ")})`;
}

const scopeOf = (
  random: Random,
  functions: readonly GeneratedFunction[],
  names: readonly string[],
  result: (s: Scope) => string,
): Scope => ({
  random,
  functions,
  numbers: names.map((text) => ({ text, bits: 32 })),
  lets: [],
  small: [],
  booleans: [],
  exits: [],
  result,
});
