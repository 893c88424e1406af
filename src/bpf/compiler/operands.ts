/** Values in instructions: constants, registers and stack slots look alike from here on. */
import type { Assembler } from "../assembler.ts";
import type { Register } from "../instruction.ts";
import { isConstant, type Temporary, type Value } from "./blocks.ts";
import type { Home } from "./registers.ts";

export const CONTEXT: Register = 6;
export const STACK_END: Register = 10;
/** Holds what has no home of its own, until the next instruction. */
const SCRATCH: Register = 0;

export class Operands {
  readonly #assembler: Assembler;
  readonly #homes: ReadonlyMap<Temporary, Home>;
  /** Of slot 0, from the stack's end: slots go down from there. */
  readonly #slotsAt: number;

  constructor(assembler: Assembler, homes: ReadonlyMap<Temporary, Home>, slotsAt: number) {
    this.#assembler = assembler;
    this.#homes = homes;
    this.#slotsAt = slotsAt;
  }

  /** The register that has the value: its own, or else `scratch`, into which it is brought. */
  read(v: Value, scratch: Register): Register {
    const own = this.registerOf(v);
    if (own !== undefined) return own;
    this.move(scratch, v);
    return scratch;
  }
  /** Brings the value into this very register. */
  move(to: Register, v: Value): void {
    if (isConstant(v)) {
      this.#assembler.move(to, v.constant);
      return;
    }
    const home = this.#homes.get(v)!;
    if ("register" in home) this.#assembler.copy(to, home.register);
    else if ("slot" in home) this.#assembler.load(8, to, STACK_END, this.#offset(home.slot));
    else this.#assembler.load(4, to, CONTEXT, home.context);
  }
  /** `make` writes the result into the register it is given. */
  write(dst: Temporary, make: (to: Register) => void): void {
    const home = this.#homes.get(dst)!;
    if ("register" in home) return make(home.register);
    if ("context" in home) return; // lies there already
    make(SCRATCH);
    this.#assembler.store(8, STACK_END, this.#offset(home.slot), SCRATCH);
  }
  registerOf(v: Value): Register | undefined {
    if (isConstant(v)) return undefined;
    const home = this.#homes.get(v)!;
    return "register" in home ? home.register : undefined;
  }

  #offset(slot: number): number {
    return this.#slotsAt - 8 * slot;
  }
}

/** Whether an instruction can have it as its immediate. */
export const isImmediate = (v: Value): v is { readonly constant: number } =>
  isConstant(v) && v.constant === (v.constant | 0);
