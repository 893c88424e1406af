/**
 * Blocks to instructions. r6 holds the context throughout, r7 and r8 the ends of the frame's first bytes, r0 and r1 are for
 * the moment; `registers.ts` gives out the others.
 */
import { Assembler } from "../assembler.ts";
import type { Register } from "../instruction.ts";
import {
  type Block,
  type End,
  isConstant,
  type Step,
  type Temporary,
  type Value,
} from "./blocks.ts";
import { FrameAccess, isNear, readsInPlace } from "./frame-access.ts";
import { CONTEXT, isImmediate, Operands, STACK_END } from "./operands.ts";
import { NEGATED } from "./ranges.ts";
import { assignHomes } from "./registers.ts";
import { baseName, type Place, textOfLine } from "./source.ts";

/** Bytes of stack that a decision may use, from the stack's end; what is below is the epilogue's. */
export const DECISION_STACK = 128;

/** Where the result is in r0 and the context in r6. */
export const OUT = "out";

/** The instructions up to OUT, which is the last label; `start` is where the entry stands in the source. */
export function emit(
  blocks: readonly Block[],
  start: Place,
): { assembler: Assembler; stack: number } {
  const { homes, slots } = assignHomes(blocks, isCall);
  const buffer = bufferSize(blocks);
  const assembler = new Assembler();
  const operands = new Operands(assembler, homes, -buffer - 8);
  const emitter = new Emitter(
    assembler,
    operands,
    new FrameAccess(assembler, operands, -buffer),
    -buffer,
  );
  emitter.program(blocks, start);
  return { assembler, stack: buffer + 8 * slots };
}

/** Steps that become a call of a helper. */
function isCall(s: Step): boolean {
  if (s.kind === "load") return !isNear(s.at, s.size);
  return s.kind === "findByNumber" || s.kind === "findByBytes";
}

/** Bytes for the longest that calls hand over on the stack. */
function bufferSize(blocks: readonly Block[]): number {
  const sizes = blocks.flatMap(({ steps }) =>
    steps.filter(isCall).map((s) => ("size" in s ? s.size : 4)),
  );
  return Math.ceil(Math.max(0, ...sizes) / 8) * 8;
}

class Emitter {
  readonly #a: Assembler;
  readonly #operands: Operands;
  readonly #frame: FrameAccess;
  readonly #buffer: number;

  constructor(a: Assembler, operands: Operands, frame: FrameAccess, buffer: number) {
    this.#a = a;
    this.#operands = operands;
    this.#frame = frame;
    this.#buffer = buffer;
  }

  program(blocks: readonly Block[], start: Place): void {
    this.#line(start);
    this.#a.copy(CONTEXT, 1);
    if (readsInPlace(blocks)) this.#frame.prologue();
    for (const [i, block] of blocks.entries()) {
      this.#a.label(block.label);
      for (const step of block.steps) {
        this.#line(step.place);
        this.#step(step);
      }
      this.#line(block.end!.place);
      this.#end(block.end!, blocks[i + 1]);
    }
    this.#a.label(OUT);
  }

  #step(s: Step): void {
    switch (s.kind) {
      case "copy":
        return this.#operands.write(s.dst, (to) => this.#operands.move(to, s.value));
      case "compute":
        return this.#operands.write(s.dst, (to) => this.#compute(s, to));
      case "load":
        return this.#frame.load(s);
      case "context":
        return this.#operands.write(s.dst, (to) => this.#a.load(4, to, CONTEXT, s.offset));
      case "word":
        this.#a.loadMapValue(1, s.map, s.offset);
        return this.#operands.write(s.dst, (to) => this.#a.load(4, to, 1, 0));
      case "findByNumber":
        this.#a.store(4, STACK_END, this.#buffer, this.#operands.read(s.key, 1));
        this.#a.copy(2, STACK_END).alu("add", 2, this.#buffer);
        return this.#lookUp(s.map, s.dst, this.#a.newLabel("none"));
      case "findByBytes": {
        const none = this.#a.newLabel("none");
        this.#frame.pointToBytes(s, none);
        return this.#lookUp(s.map, s.dst, none);
      }
    }
  }

  /** r2 points to the key. The result is 0 where there is nothing, and at `none`, where r0 is 0. */
  #lookUp(map: string, dst: Temporary, none: string): void {
    this.#a.loadMap(1, map).call("map_lookup_elem").jumpIf("eq", 0, 0, none);
    this.#a.load(4, 0, 0, 0).label(none);
    this.#operands.write(dst, (to) => this.#a.copy(to, 0));
  }

  #compute({ operation, left, right }: Step & { kind: "compute" }, to: Register): void {
    switch (operation) {
      case "signed":
        this.#operands.move(to, left);
        this.#a.alu("lsh", to, 32).alu("arsh", to, 32);
        return;
      case "unsigned":
        this.#a.copy32(to, this.#operands.read(left, 1));
        return;
      case "sub":
        return this.#subtract(left, right, to);
      default: {
        const [x, y] = isConstant(left) ? [right, left] : [left, right];
        if (isImmediate(y)) {
          this.#operands.move(to, x);
          this.#a.alu(operation, to, y.constant);
        } else if (this.#operands.registerOf(y) === to)
          this.#a.aluRegister(operation, to, this.#operands.read(x, 1));
        else {
          const second = this.#operands.read(y, 1);
          this.#operands.move(to, x);
          this.#a.aluRegister(operation, to, second);
        }
      }
    }
  }

  #subtract(left: Value, right: Value, to: Register): void {
    if (isImmediate(right)) {
      this.#operands.move(to, left);
      this.#a.alu("sub", to, right.constant);
      return;
    }
    const own = this.#operands.registerOf(right);
    // Out of the way, if `left` is brought to where it is.
    if (own === undefined || own === to) this.#operands.move(1, right);
    this.#operands.move(to, left);
    this.#a.aluRegister("sub", to, own === undefined || own === to ? 1 : own);
  }

  #end(end: End, next: Block | undefined): void {
    switch (end.kind) {
      case "return":
        this.#operands.move(0, end.value);
        this.#a.jump(OUT);
        return;
      case "goto":
        this.#goto(end.to, next);
        return;
      case "ifLength":
        return this.#branch(end, next, (isMet, to) =>
          this.#frame.jumpIfLength(isMet ? "atLeast" : "below", end.atLeast, to),
        );
      case "if":
        return this.#branch(end, next, (isMet, to) => {
          const test = isMet ? end.test : NEGATED[end.test];
          const left = this.#operands.read(end.left, 0);
          if (isImmediate(end.right)) this.#a.jumpIf(test, left, end.right.constant, to);
          else this.#a.jumpIfRegister(test, left, this.#operands.read(end.right, 1), to);
        });
    }
  }

  /** Jumps to one of the two and falls into the other, if that comes next. */
  #branch(
    { yes, no }: { readonly yes: Block; readonly no: Block },
    next: Block | undefined,
    jumpIf: (isMet: boolean, to: string) => void,
  ): void {
    if (yes === next) return jumpIf(false, no.label);
    jumpIf(true, yes.label);
    this.#goto(no, next);
  }

  #goto(to: Block, next: Block | undefined): void {
    if (to !== next) this.#a.jump(to.label);
  }

  #line({ module, line }: Place): void {
    this.#a.line({ file: baseName(module.path), line, text: textOfLine(module, line).trim() });
  }
}
