/** Random statements of the subset. Whatever follows a statement can be reached, unless it says otherwise. */
import { condition, lengthTest, number, offset, word } from "./expressions.ts";
import { BITS_MAX, LET_BITS, type NumberText, OFFSET_MAX, type Scope, SMALL } from "./scope.ts";

/** Text, and the scope for what follows. */
interface Written {
  readonly text: string;
  readonly scope: Scope;
}

/** Names that no other has. */
export class Fresh {
  #count = 0;
  name(prefix: string): string {
    return `${prefix}${this.#count++}`;
  }
}

/** Some statements. `depth`: statements within one another at most. */
export function statements(s: Scope, fresh: Fresh, depth: number): Written {
  let scope = s;
  let text = "";
  for (let n = 1 + s.random.below(5); n > 0; n--) {
    const written = statement(scope, fresh, depth);
    text += written.text;
    scope = written.scope;
  }
  return { text, scope };
}

/** The same with names of their own, which may be those of an outer scope. */
function inner(s: Scope, fresh: Fresh, depth: number): Written {
  if (!s.random.oneIn(6)) return statements(s, fresh, depth);
  const first = shadow(s);
  const { text, scope } = statements(first.scope, fresh, depth);
  return { text: first.text + text, scope };
}

const block = (s: Scope, fresh: Fresh, depth: number): string =>
  `{\n${inner(s, fresh, depth).text}}`;

/** An outer name stands for something else in here. It must not be used before, so this comes first. */
function shadow(s: Scope): Written {
  const outer = s.numbers.filter(({ text }) => /^\w+$/.test(text) && !s.lets.includes(text));
  if (outer.length === 0) return { text: "", scope: s };
  const { text: name } = s.random.pick(outer);
  const numbers = s.numbers.filter((n) => n.text !== name);
  const value = number({ ...s, numbers }, 2);
  return {
    text: `const ${name} = ${value.text};\n`,
    scope: { ...s, numbers: [...numbers, { text: name, bits: value.bits }] },
  };
}

function statement(s: Scope, fresh: Fresh, depth: number): Written {
  const kinds = [
    constant,
    constant,
    variable,
    small,
    assignment,
    assignment,
    move,
    again,
    keep,
    known,
  ];
  const nested = [branch, branch, branch, choose, loop, loop, known];
  return s.random.pick(depth > 0 ? [...kinds, ...nested] : kinds)(s, fresh, depth - 1);
}

function constant(s: Scope, fresh: Fresh): Written {
  const name = fresh.name("c");
  if (s.random.oneIn(5)) {
    const text = `const ${name} = ${condition(s, 2)};\n`;
    return { text, scope: { ...s, booleans: [...s.booleans, name] } };
  }
  const value = number(s, 3);
  return { text: `const ${name} = ${value.text};\n`, scope: withNumber(s, name, value.bits) };
}

const withNumber = (s: Scope, text: string, bits: number): Scope => ({
  ...s,
  numbers: [...s.numbers, { text, bits } satisfies NumberText],
});

function variable(s: Scope, fresh: Fresh): Written {
  const name = fresh.name("v");
  const scope = withNumber({ ...s, lets: [...s.lets, name] }, name, LET_BITS);
  return { text: `let ${name} = ${word(s, 2).text};\n`, scope };
}

function small(s: Scope, fresh: Fresh): Written {
  const name = fresh.name("s");
  const value = s.random.oneIn(2)
    ? `${s.random.below(SMALL)}`
    : `u8(f, ${offset(s, 1)}) & ${SMALL}`;
  return { text: `let ${name} = ${value};\n`, scope: { ...s, small: [...s.small, name] } };
}

function assignment(s: Scope, fresh: Fresh): Written {
  const r = s.random;
  if (s.lets.length === 0) return constant(s, fresh);
  const name = r.pick(s.lets);
  const how = [
    `${name} = ${word(s, 3).text}`,
    `${name} ${r.pick(["+=", "-="])} ${word(s, 2).text}`,
    `${name} ${r.pick(["&=", "|=", "^="])} ${number(s, 2).text}`,
    `${name} ${r.pick(["<<=", ">>=", ">>>="])} ${r.below(32)}`,
    `${name}${r.pick(["++", "--"])}`,
  ];
  return { text: `${r.pick(how)};\n`, scope: s };
}

/** An offset changes. */
function move(s: Scope, fresh: Fresh): Written {
  if (s.small.length === 0) return small(s, fresh);
  return { text: moved(s, s.random.pick(s.small)), scope: s };
}

function moved(s: Scope, name: string): string {
  const r = s.random;
  const how = [
    `${name} = ${r.below(SMALL)}`,
    `${name} = (${name} + ${1 + r.below(3)}) & ${SMALL}`,
    `${name} = u8(f, ${name}) & ${SMALL}`,
    `${name} = ${r.pick(s.small)}`,
    `if (${condition(s, 1)}) ${name} = ${r.below(SMALL)}`,
  ];
  return `${r.pick(how)};\n`;
}

/** The same load before and after its offset changed. */
function again(s: Scope, fresh: Fresh): Written {
  if (s.small.length === 0) return small(s, fresh);
  const name = s.random.pick(s.small);
  const [before, after] = [fresh.name("c"), fresh.name("c")];
  const load = `${s.random.pick(["u8", "u16", "u32"])}(f, ${name})`;
  const text = `const ${before} = ${load};\n${moved(s, name)}const ${after} = ${load};\n`;
  return { text, scope: withNumber(withNumber(s, before, 32), after, 32) };
}

/** What a variable was before it changed is still used behind that. */
function keep(s: Scope, fresh: Fresh): Written {
  if (s.lets.length === 0) return variable(s, fresh);
  const before = fresh.name("c");
  const name = s.random.pick(s.lets);
  const { text } = assignment({ ...s, lets: [name] }, fresh);
  return {
    text: `const ${before} = ${name};\n${text}${name} ^= ${before};\n`,
    scope: withNumber(s, before, LET_BITS),
  };
}

/** Loads around the last byte that a length test proves. */
function known(s: Scope, fresh: Fresh): Written {
  const name = fresh.name("c");
  const length = 8 + s.random.below(OFFSET_MAX - 8);
  const size = s.random.pick([1, 2, 4]);
  const at = length - size + s.random.pick([-1, 0, 0, 1]);
  const test = s.random.pick([
    `f.length < ${length}`,
    `f.length <= ${length - 1}`,
    `!(f.length >= ${length})`,
    `!(f.length > ${length - 1})`,
  ]);
  const load = `u${8 * size}(f, ${at})`;
  return {
    text: `if (${test}) return ${s.result(s)};\nconst ${name} = ${load};\n`,
    scope: withNumber(s, name, 32),
  };
}

function branch(s: Scope, fresh: Fresh, depth: number): Written {
  const test = s.random.oneIn(3) ? lengthTest(s) : condition(s, 2);
  const yes = s.random.oneIn(3) ? leaving(s, fresh, depth) : block(s, fresh, depth);
  const no = s.random.oneIn(2) ? ` else ${block(s, fresh, depth)}` : "";
  return { text: `if (${test}) ${yes}${no}\n`, scope: s };
}

/** A block that ends with return, break or continue. */
function leaving(s: Scope, fresh: Fresh, depth: number): string {
  const { text, scope } = inner(s, fresh, depth);
  const ends = [`return ${s.result(scope)};`, ...s.exits.map((exit) => `${exit};`)];
  return `{\n${text}${s.random.pick(ends)}\n}`;
}

const LABELS = [0x800, 0x86dd, 0x806, 0x88b5, 0, 1, 2, 5, 255, -1];

function choose(s: Scope, fresh: Fresh, depth: number): Written {
  const r = s.random;
  const subject = r.pick([
    "u16(f, 12)",
    "port.kind",
    `(${number(s, 2).text} & 3)`,
    number(s, 2).text,
  ]);
  const first = r.below(LABELS.length - 4);
  let cases = "";
  for (const label of LABELS.slice(first, first + 1 + r.below(4))) {
    cases += `case ${label}:`;
    if (r.oneIn(4)) cases += "\n";
    else cases += ` ${caseBody(s, fresh, depth, r.oneIn(3))}\n`;
  }
  // A default is what leads behind the switch.
  if (r.oneIn(2)) cases += `default: ${caseBody(s, fresh, depth, false)}\n`;
  else cases += r.oneIn(4) ? "case 77:\n" : `case 77: ${caseBody(s, fresh, depth, true)}\n`;
  return { text: `switch (${subject}) {\n${cases}}\n`, scope: s };
}

function caseBody(s: Scope, fresh: Fresh, depth: number, returns: boolean): string {
  const { text, scope } = inner(
    { ...s, exits: s.exits.length > 0 ? s.exits : ["break"] },
    fresh,
    depth,
  );
  const end = returns ? `return ${s.result(scope)};` : "break;";
  return `{\n${text}${end}\n}`;
}

function loop(s: Scope, fresh: Fresh, depth: number): Written {
  const r = s.random;
  const i = fresh.name("i");
  const turns = 1 + r.below(3);
  const from = r.below(20);
  const heads = [
    `let ${i} = ${from}; ${i} < ${from + turns}; ${i}++`,
    `let ${i} = ${from}; ${i} <= ${from + turns - 1}; ${i}++`,
    `let ${i} = ${from + turns}; ${i} > ${from}; ${i}--`,
    `let ${i} = ${from + turns}; ${i} !== ${from}; ${i}--`,
  ];
  const turn: Scope = { ...withNumber(s, i, BITS_MAX / 8), exits: ["break", "continue"] };
  const { text } = statements(turn, fresh, depth);
  const test = r.pick([condition(turn, 1), `(u8(f, ${i}) & 1) === 0`, `${i} === ${from + 1}`]);
  const leave = r.oneIn(2) ? `if (${test}) ${r.pick(["break", "continue"])};\n` : "";
  const load = s.lets.length > 0 ? `${r.pick(s.lets)} ^= u8(f, ${i} + ${r.below(40)});\n` : "";
  return { text: `for (${r.pick(heads)}) {\n${leave}${load}${text}}\n`, scope: s };
}
