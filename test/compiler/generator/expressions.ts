/** Random expressions of the subset: numbers that the compiler takes, and conditions. */
import { BITS_MAX, type NumberText, OFFSET_MAX, type Scope, SMALL } from "./scope.ts";

/** Where signs, widths and comparisons have their corners. */
const EDGES = [
  0, 1, 2, 3, 4, 7, 8, 15, 31, 32, 63, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x800,
  0x86dd, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, -1, -2, -128, -0x7fffffff, -0x80000000,
];
const COMPARISONS = ["===", "!==", "<", "<=", ">", ">="];

const of = (text: string, bits: number): NumberText => ({ text, bits });

/** A number of at most `bits`, where it has more cut down to 32. */
function within(bits: number, n: NumberText, s: Scope): NumberText {
  return n.bits <= bits ? n : of(`(${n.text} ${s.random.pick(["| 0", ">>> 0"])})`, 32);
}

/** `depth`: operators above one another at most. */
export function number(s: Scope, depth: number): NumberText {
  const r = s.random;
  if (depth <= 0 || r.oneIn(6)) return leaf(s);
  const kinds = [
    ...[sum, product, bitwise, shift, negated, choice, either, cast],
    ...[load, load, find, called, reload],
  ];
  return r.pick(kinds)(s, depth - 1);
}

/** Of at most 32 bits. */
export const word = (s: Scope, depth: number): NumberText => within(32, number(s, depth), s);

function leaf(s: Scope): NumberText {
  const r = s.random;
  switch (r.below(6)) {
    case 0:
      return constant(s);
    case 1:
      return load(s, 0);
    case 2:
      return r.pick([
        of("f.length", 32),
        of("port.kind", 8),
        of("port.flag", 8),
        of("port.word", 32),
      ]);
    case 3:
      return s.small.length > 0 ? of(r.pick(s.small), 6) : constant(s);
    case 4:
      return r.pick([of("mark(f)", 32), of("WIDE", 32), of("NARROW", 8)]);
    default:
      return s.numbers.length > 0 ? r.pick(s.numbers) : constant(s);
  }
}

function constant({ random }: Scope): NumberText {
  const value = random.pick(EDGES);
  return of(value < 0 ? `(${value})` : `${value}`, 32);
}

function sum(s: Scope, depth: number): NumberText {
  const [a, b] = [number(s, depth), number(s, depth)].map((n) => within(BITS_MAX - 1, n, s));
  return of(`(${a!.text} ${s.random.pick(["+", "-"])} ${b!.text})`, Math.max(a!.bits, b!.bits) + 1);
}

function product(s: Scope, depth: number): NumberText {
  const a = within(32, number(s, depth), s);
  const b = number(s, depth);
  const factor = a.bits + b.bits <= BITS_MAX ? b : of(`(${b.text} & 0xff)`, 8);
  return of(`(${a.text} * ${factor.text})`, a.bits + factor.bits);
}

const bitwise = (s: Scope, depth: number): NumberText =>
  of(`(${number(s, depth).text} ${s.random.pick(["&", "|", "^"])} ${number(s, depth).text})`, 32);

const shift = (s: Scope, depth: number): NumberText =>
  of(`(${number(s, depth).text} ${s.random.pick(["<<", ">>", ">>>"])} ${s.random.below(33)})`, 32);

function negated(s: Scope, depth: number): NumberText {
  const n = number(s, depth);
  return s.random.oneIn(2) ? of(`~${n.text}`, 32) : of(`(-${n.text})`, n.bits);
}

function either(s: Scope, depth: number): NumberText {
  const [a, b] = [number(s, depth), number(s, depth)];
  return of(`(${a.text} ${s.random.pick(["&&", "||"])} ${b.text})`, Math.max(a.bits, b.bits));
}

function choice(s: Scope, depth: number): NumberText {
  const [a, b] = [number(s, depth), number(s, depth)];
  return of(`(${condition(s, depth)} ? ${a.text} : ${b.text})`, Math.max(a.bits, b.bits));
}

function cast(s: Scope, depth: number): NumberText {
  const { text, bits } = number(s, depth);
  return of(`(${text}« as number»)`, bits);
}

/** Bytes of the frame: at a fixed place, at a variable that changes, or wherever a number says. */
function load(s: Scope, depth: number): NumberText {
  const [name, bits] = s.random.pick([
    ["u8", 8],
    ["u16", 16],
    ["u32", 32],
  ] as const);
  return of(`${name}(f, ${offset(s, depth)})`, bits);
}

/** What a variable led to is loaded again where the variable may have changed. */
function reload(s: Scope): NumberText {
  if (s.small.length === 0) return leaf(s);
  return of(`${s.random.pick(["u8", "u16"])}(f, ${s.random.pick(s.small)})`, 16);
}

export function offset(s: Scope, depth: number): string {
  const r = s.random;
  if (s.small.length > 0 && r.oneIn(3)) {
    const name = r.pick(s.small);
    return r.oneIn(2) ? name : `${name} + ${r.below(30)}`;
  }
  if (depth <= 0 || !r.oneIn(3)) return `${r.below(OFFSET_MAX)}`;
  return r.oneIn(4)
    ? `${number(s, depth).text} >>> ${r.below(32)}`
    : `(${number(s, depth).text} & ${SMALL})`;
}

function find(s: Scope, depth: number): NumberText {
  // Random numbers are in no map: often one is that is.
  if (s.random.oneIn(2)) {
    const key = s.random.oneIn(3)
      ? `(${condition(s, depth)} ? WIDE : ${word(s, depth).text})`
      : word(s, depth).text;
    return of(`byNumber(port, ${key})`, 16);
  }
  return of(`byBytes(port, f, ${offset(s, depth)})`, 16);
}

function called(s: Scope, depth: number): NumberText {
  const callable = s.functions.filter(({ bits }) => bits !== undefined);
  if (callable.length === 0) return bitwise(s, depth);
  const f = s.random.pick(callable);
  return of(call(s, f.name, f.parameters, depth), f.bits!);
}

const call = (s: Scope, name: string, parameters: number, depth: number): string =>
  `${name}(${["port", "f", ...Array.from({ length: parameters }, () => word(s, depth).text)].join(", ")})`;

export function condition(s: Scope, depth: number): string {
  const r = s.random;
  if (depth <= 0) return comparison(s, 0);
  switch (r.below(9)) {
    case 0:
      return `(${condition(s, depth - 1)} && ${condition(s, depth - 1)})`;
    case 1:
      return `(${condition(s, depth - 1)} || ${condition(s, depth - 1)})`;
    case 2:
      return `!(${condition(s, depth - 1)})`;
    case 3:
      return lengthTest(s);
    case 4:
      return s.booleans.length > 0 ? r.pick(s.booleans) : lengthTest(s);
    case 5: {
      const tests = s.functions.filter(({ bits }) => bits === undefined);
      if (tests.length === 0) return comparison(s, depth - 1);
      const f = r.pick(tests);
      return call(s, f.name, f.parameters, depth - 1);
    }
    case 6:
      return `(${condition(s, depth - 1)} ? ${condition(s, depth - 1)} : ${condition(s, depth - 1)})`;
    default:
      return comparison(s, depth - 1);
  }
}

/** Often of what has just been shifted: only there, or in a sum, can the upper half of a register be seen. */
function comparison(s: Scope, depth: number): string {
  const a = s.random.oneIn(4) ? shift(s, depth) : number(s, depth);
  const b = s.random.oneIn(2) ? constant(s) : number(s, depth);
  return `${a.text} ${s.random.pick(COMPARISONS)} ${b.text}`;
}

/** From what it tells of the length the compiler knows which bytes are there. */
export function lengthTest({ random }: Scope): string {
  const length = random.pick([14, 34, 54, 60, 82, 83, random.below(OFFSET_MAX)]);
  const operator = random.pick(["<", "<=", ">", ">=", "===", "!=="]);
  return random.oneIn(4) ? `${length} ${operator} f.length` : `f.length ${operator} ${length}`;
}
