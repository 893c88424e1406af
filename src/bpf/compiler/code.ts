/** Writes blocks: where steps go, what is known there, and branches that are decided before they are written. */
import {
  type Block,
  type Constant,
  type End,
  isConstant,
  type Step,
  type Temporary,
  type Value,
  WINDOW,
} from "./blocks.ts";
import { copyOf, type Facts, meet, nothing, withLength, withRange } from "./facts.ts";
import { hull, MIRRORED, NEGATED, narrow, only, type Range, type Test, UINT32 } from "./ranges.ts";
import type { Place } from "./source.ts";

/** A step without what the writer adds. */
export type NewStep = Step extends infer S
  ? S extends Step
    ? Omit<S, "place" | "dst">
    : never
  : never;

/** Of struct __sk_buff: the frame's length. */
export const LENGTH = 0;
const LENGTH_KEY = "length";

export class Code {
  /** In order of writing. */
  readonly blocks: Block[] = [];
  /** Where steps go; undefined where nothing leads. */
  #current: Block | undefined;
  #facts: Facts = nothing();
  #temporaries = 0;
  #labels = 0;
  #steps = 0;
  /** What the steps that follow come of. */
  place: Place;

  constructor(place: Place) {
    this.place = place;
    this.#enter(this.newBlock("start"), nothing());
  }

  /** Whether anything leads here. */
  get isReached(): boolean {
    return this.#current !== undefined;
  }
  /** How many steps there are. */
  get size(): number {
    return this.#steps;
  }
  /** Bytes that the frame is known to have here. */
  get knownLength(): number {
    return this.#facts.length;
  }

  newBlock(what: string): Block {
    return { label: `${what}_${this.#labels++}`, steps: [], end: undefined, facts: undefined };
  }
  newTemporary(range: Range, changes: boolean): Temporary {
    return { id: this.#temporaries++, range, changes };
  }

  /** Goes on in a block, if anything leads there; no jump to it may be written any more. */
  open(block: Block): void {
    if (block.facts) this.#enter(block, block.facts);
    else this.#current = undefined;
  }

  range(v: Value): Range {
    return isConstant(v) ? only(v.constant) : (this.#facts.ranges.get(v) ?? v.range);
  }
  /** The value, as a constant if it can only be one. */
  simplest(v: Value): Value {
    const { low, high } = this.range(v);
    return low === high ? { constant: low } : v;
  }

  /** A value that depends on nothing but operands and frame: the earlier result, where there is one. */
  pure(step: NewStep, range: Range, ...operands: readonly Value[]): Value {
    const changes = operands.some((v) => !isConstant(v) && v.changes);
    const key = `${describe(step)} ${operands.map(name).join(" ")}`;
    return changes ? this.#write(step, range) : this.#writeOnce(key, step, range);
  }
  frameLength(): Value {
    return this.#writeOnce(LENGTH_KEY, { kind: "context", offset: LENGTH }, UINT32);
  }

  copy(dst: Temporary, value: Value): void {
    dst.range = hull(dst.range, this.range(value));
    this.#add({ kind: "copy", value, dst, place: this.place });
  }

  goto(to: Block): void {
    this.#end({ kind: "goto", to, place: this.place }, [[to, this.#facts]]);
  }
  return(value: Value): void {
    this.#end({ kind: "return", value, place: this.place }, []);
  }
  branch(test: Test, left: Value, right: Value, yes: Block, no: Block): void {
    const [a, b] = [this.simplest(left), this.simplest(right)];
    if (isConstant(a) && !isConstant(b)) return this.branch(MIRRORED[test], b, a, yes, no);
    const onYes = this.#where(test, a, b);
    const onNo = this.#where(NEGATED[test], a, b);
    if (!onYes) return this.goto(no);
    if (!onNo) return this.goto(yes);
    const isLength = a === this.#facts.results.get(LENGTH_KEY);
    const wanted = isLength && isConstant(b) ? asAtLeast(test, b.constant) : undefined;
    if (wanted && wanted.atLeast <= WINDOW)
      return wanted.isMet
        ? this.#branchOnLength(wanted.atLeast, yes, onYes, no, onNo)
        : this.#branchOnLength(wanted.atLeast, no, onNo, yes, onYes);
    const { place } = this;
    this.#end({ kind: "if", test, left: a, right: b, yes, no, place }, [
      [yes, onYes],
      [no, onNo],
    ]);
  }

  #branchOnLength(atLeast: number, yes: Block, onYes: Facts, no: Block, onNo: Facts): void {
    const end = { kind: "ifLength", atLeast, yes, no, place: this.place } as const;
    this.#end(end, [
      [yes, withLength(onYes, atLeast)],
      [no, onNo],
    ]);
  }

  /** What is known where the comparison holds; undefined where it cannot. */
  #where(test: Test, a: Value, b: Value): Facts | undefined {
    const ranges = narrow(test, this.range(a), this.range(b));
    if (!ranges) return undefined;
    let facts = this.#facts;
    for (const [i, v] of [a, b].entries())
      if (!isConstant(v) && !v.changes) facts = withRange(facts, v, ranges[i]!);
    return facts;
  }

  #writeOnce(key: string, step: NewStep, range: Range): Value {
    const earlier = this.#facts.results.get(key);
    if (earlier) return this.simplest(earlier);
    const result = this.#write(step, range);
    if (!isConstant(result)) this.#facts.results.set(key, result);
    return result;
  }
  #write(step: NewStep, range: Range): Temporary | Constant {
    if (range.low === range.high) return { constant: range.low };
    const dst = this.newTemporary(range, false);
    this.#add({ ...step, dst, place: this.place } as Step);
    return dst;
  }
  #add(step: Step): void {
    this.#steps++;
    this.#current?.steps.push(step);
  }
  #enter(block: Block, facts: Facts): void {
    this.blocks.push(block);
    this.#current = block;
    this.#facts = copyOf(facts);
  }
  #end(end: End, edges: readonly (readonly [Block, Facts])[]): void {
    if (!this.#current) return;
    for (const [to, facts] of edges) to.facts = meet(to.facts, facts);
    this.#current.end = end;
    this.#current = undefined;
  }
}

/** "At least so many bytes" in place of a comparison of the length: whether that is met where the comparison holds. */
function asAtLeast(test: Test, bytes: number): { atLeast: number; isMet: boolean } | undefined {
  switch (test) {
    case "sge":
      return { atLeast: bytes, isMet: true };
    case "sgt":
      return { atLeast: bytes + 1, isMet: true };
    case "slt":
      return { atLeast: bytes, isMet: false };
    case "sle":
      return { atLeast: bytes + 1, isMet: false };
    default:
      return undefined;
  }
}

/** What a step computes, operands apart, as text. */
function describe(step: NewStep): string {
  switch (step.kind) {
    case "compute":
      return step.operation;
    case "load":
      return `load${step.size}`;
    case "context":
      return `context ${step.offset}`;
    case "word":
      return `word ${step.map} ${step.offset}`;
    case "findByNumber":
      return `find ${step.map}`;
    case "findByBytes":
      return `find ${step.map} ${step.size}`;
    case "copy":
      return "copy";
  }
}

const name = (v: Value): string => (isConstant(v) ? `${v.constant}` : `%${v.id}`);
