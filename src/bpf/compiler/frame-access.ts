/**
 * Instructions that read the frame. Its first bytes (`WINDOW`) lie in one piece between r7 and r8, once the prologue has
 * seen to it, and are read in place; the verifier wants to see a comparison with r8 before. Bytes further on, or at an offset
 * that is computed, are copied by a helper.
 */
import type { Assembler } from "../assembler.ts";
import type { Register, Size } from "../instruction.ts";
import { type Block, isConstant, type Step, type Value, WINDOW } from "./blocks.ts";
import { LENGTH } from "./code.ts";
import { CONTEXT, type Operands, STACK_END } from "./operands.ts";
import { UINT32 } from "./ranges.ts";

const FRAME: Register = 7;
const FRAME_END: Register = 8;

/** Of struct __sk_buff. */
const DATA = 76;
const DATA_END = 80;

/** The offset of bytes that are always within the window. */
const nearOffset = (at: Value, size: number): number | undefined =>
  isConstant(at) && at.constant + size <= WINDOW ? at.constant : undefined;

export const isNear = (at: Value, size: number): boolean => nearOffset(at, size) !== undefined;

/** Whether anything is read in place, so that the prologue is wanted. */
export function readsInPlace(blocks: readonly Block[]): boolean {
  return blocks.some(
    ({ steps, end }) =>
      end!.kind === "ifLength" ||
      steps.some((s) => (s.kind === "load" || s.kind === "findByBytes") && isNear(s.at, s.size)),
  );
}

export class FrameAccess {
  readonly #a: Assembler;
  readonly #operands: Operands;
  /** Where on the stack bytes are copied to, from its end. */
  readonly #buffer: number;

  constructor(a: Assembler, operands: Operands, buffer: number) {
    this.#a = a;
    this.#operands = operands;
    this.#buffer = buffer;
  }

  /**
   * r7 and r8 around the frame's first bytes: as many as the window has, or the whole frame. If the headers are not in one
   * piece they are brought together; where the kernel has no memory for that, the frame looks shorter than it is.
   */
  prologue(): void {
    const ready = this.#a.newLabel("ready");
    const whole = this.#a.newLabel("whole");
    this.#loadEnds();
    this.#a.copy(2, FRAME).alu("add", 2, WINDOW).jumpIfRegister("le", 2, FRAME_END, ready);
    this.#a.load(4, 2, CONTEXT, LENGTH).jumpIf("le", 2, WINDOW, whole).move(2, WINDOW).label(whole);
    this.#a.copy(3, FRAME_END).aluRegister("sub", 3, FRAME).jumpIfRegister("ge", 3, 2, ready);
    this.#a.copy(1, CONTEXT).call("skb_pull_data");
    this.#loadEnds();
    this.#a.label(ready);
  }

  #loadEnds(): void {
    this.#a.load(4, FRAME, CONTEXT, DATA).load(4, FRAME_END, CONTEXT, DATA_END);
  }

  /** Goes to one of the labels: whether the frame has at least so many bytes, no more than the window. */
  jumpIfLength(is: "atLeast" | "below", length: number, to: string): void {
    this.#a.copy(1, FRAME).alu("add", 1, length);
    this.#a.jumpIfRegister(is === "atLeast" ? "le" : "gt", 1, FRAME_END, to);
  }

  load(step: Step & { kind: "load" }): void {
    const { at, size, dst, known } = step;
    const offset = nearOffset(at, size);
    if (offset === undefined) return this.#loadFar(step);
    this.#operands.write(dst, (to) => {
      const read = () => this.#swapped(to, size, FRAME, offset);
      if (known) return read();
      const short = this.#a.newLabel("short");
      this.jumpIfLength("below", offset + size, short);
      read();
      this.#orZero(to, short);
    });
  }

  /** Leaves r2 at the bytes, for a look-up; goes to `none`, with 0 in r0, where the frame ends before them. */
  pointToBytes({ at, size, known }: Step & { kind: "findByBytes" }, none: string): void {
    const offset = nearOffset(at, size);
    if (offset === undefined) {
      const [short, copied] = [this.#a.newLabel("short"), this.#a.newLabel("copied")];
      this.#copyToBuffer(at, size, short);
      this.#a.jump(copied).label(short).move(0, 0).jump(none).label(copied);
      this.#a.copy(2, STACK_END).alu("add", 2, this.#buffer);
      return;
    }
    if (!known) {
      this.#a.move(0, 0);
      this.jumpIfLength("below", offset + size, none);
    }
    this.#a.copy(2, FRAME).alu("add", 2, offset);
  }

  #loadFar({ at, size, dst }: Step & { kind: "load" }): void {
    const short = this.#a.newLabel("short");
    this.#copyToBuffer(at, size, short);
    this.#operands.write(dst, (to) => {
      this.#swapped(to, size, STACK_END, this.#buffer);
      this.#orZero(to, short);
    });
  }

  #copyToBuffer(at: Value, size: number, short: string): void {
    this.#operands.move(2, at);
    if (!isConstant(at) && at.range.high > UINT32.high) {
      // The helper would see the lower 32 bits only.
      this.#a.move(1, UINT32.high).jumpIfRegister("gt", 2, 1, short);
    }
    this.#a.copy(1, CONTEXT).copy(3, STACK_END).alu("add", 3, this.#buffer).move(4, size);
    this.#a.call("skb_load_bytes").jumpIf("ne", 0, 0, short);
  }

  #swapped(to: Register, size: Size, base: Register, offset: number): void {
    this.#a.load(size, to, base, offset);
    if (size !== 1) this.#a.swap(to, (8 * size) as 16 | 32 | 64);
  }

  /** Ends what comes to a result; from `short` on it is 0. */
  #orZero(to: Register, short: string): void {
    const done = this.#a.newLabel("read");
    this.#a.jump(done).label(short).move(to, 0).label(done);
  }
}
