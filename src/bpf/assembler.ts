/**
 * Writes eBPF programs: one call per instruction, jumps by label, maps by name. What comes out (`program.ts`) names
 * its maps still; who loads it puts their descriptors in.
 */
import {
  ALU,
  ALU32,
  ALU64,
  type AluOperation,
  BY_REGISTER,
  CALL,
  CONDITION,
  type Condition,
  EXIT,
  HELPER,
  type Helper,
  INSTRUCTION,
  type Instruction,
  JA,
  JMP,
  LD_IMM64,
  LDX,
  MEM,
  PSEUDO_MAP_FD,
  PSEUDO_MAP_VALUE,
  type Register,
  SIZE,
  type Size,
  ST,
  STX,
  TO_BE,
} from "./instruction.ts";
import type { MapReference, Program, SourceLine } from "./program.ts";

export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #labels: Map<string, number> = new Map();
  /** Jumps whose offset is still to be filled in, by index. */
  readonly #jumps: Map<number, string> = new Map();
  readonly #maps: MapReference[] = [];
  readonly #lines: SourceLine[] = [];
  #fresh = 0;

  /** How many instructions there are; the index of the next one. */
  get length(): number {
    return this.#instructions.length;
  }

  /** A label that nobody has so far; `what` is for the reader of a listing. */
  newLabel(what: string): string {
    const taken = new Set([...this.#labels.keys(), ...this.#jumps.values()]);
    let label: string;
    do label = `${what}_${this.#fresh++}`;
    while (taken.has(label));
    return label;
  }
  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label ${name} stands twice`);
    this.#labels.set(name, this.length);
    return this;
  }
  /** What follows comes of this line of source. */
  line(line: Omit<SourceLine, "at">): this {
    const last = this.#lines.at(-1);
    if (last?.file === line.file && last.line === line.line) return this;
    if (last?.at === this.length) this.#lines.pop();
    this.#lines.push({ at: this.length, ...line });
    return this;
  }

  /** `dst` becomes a number that fits 53 bits. */
  move(dst: Register, value: number): this {
    if (value === (value | 0)) return this.#alu(ALU64, "mov", dst, value);
    if (value === value >>> 0) return this.#alu(ALU32, "mov", dst, value | 0);
    return this.#load64(dst, 0, value >>> 0, Math.floor(value / 2 ** 32));
  }
  copy(dst: Register, src: Register): this {
    return dst === src ? this : this.#aluRegister(ALU64, "mov", dst, src);
  }
  /** The lower 32 bits; the upper become 0. */
  copy32(dst: Register, src: Register): this {
    return this.#aluRegister(ALU32, "mov", dst, src);
  }
  /** `dst = dst operation value`, in 64 bits; `value` is signed, of 32 bits. */
  alu(operation: AluOperation, dst: Register, value: number): this {
    return this.#alu(ALU64, operation, dst, value);
  }
  aluRegister(operation: AluOperation, dst: Register, src: Register): this {
    return this.#aluRegister(ALU64, operation, dst, src);
  }
  /** Turns the lower 16 or 32 bits from network to host order, or back; the upper become 0. */
  swap(dst: Register, bits: 16 | 32 | 64): this {
    return this.#emit(TO_BE, dst, 0, 0, bits);
  }

  load(size: Size, dst: Register, base: Register, offset: number): this {
    return this.#emit(LDX | MEM | SIZE[size], dst, base, offset, 0);
  }
  store(size: Size, base: Register, offset: number, src: Register): this {
    return this.#emit(STX | MEM | SIZE[size], base, src, offset, 0);
  }
  storeValue(size: Size, base: Register, offset: number, value: number): this {
    return this.#emit(ST | MEM | SIZE[size], base, 0, offset, value);
  }
  /** The map itself, as an argument for a helper. */
  loadMap(dst: Register, map: string): this {
    this.#maps.push({ at: this.length, map });
    return this.#load64(dst, PSEUDO_MAP_FD, 0, 0);
  }
  /** Address of a byte of the first value of an array map. */
  loadMapValue(dst: Register, map: string, offset: number): this {
    this.#maps.push({ at: this.length, map });
    return this.#load64(dst, PSEUDO_MAP_VALUE, 0, offset);
  }

  jump(to: string): this {
    return this.#jump(JA, 0, 0, 0, to);
  }
  jumpIf(condition: Condition, dst: Register, value: number, to: string): this {
    return this.#jump(JMP | CONDITION[condition], dst, 0, value, to);
  }
  jumpIfRegister(condition: Condition, dst: Register, src: Register, to: string): this {
    return this.#jump(JMP | CONDITION[condition] | BY_REGISTER, dst, src, 0, to);
  }
  call(helper: Helper): this {
    return this.#emit(CALL, 0, 0, 0, HELPER[helper]);
  }
  exit(): this {
    return this.#emit(EXIT, 0, 0, 0, 0);
  }

  /** Throws for a jump to a label that stands nowhere. */
  finish(name: string): Program {
    this.#dropIdleJumps();
    const bytes = new DataView(new ArrayBuffer(this.length * INSTRUCTION));
    for (const [i, instruction] of this.#instructions.entries()) {
      const label = this.#jumps.get(i);
      const offset = label === undefined ? instruction.offset : this.#target(label) - i - 1;
      bytes.setUint8(i * INSTRUCTION, instruction.opcode);
      bytes.setUint8(i * INSTRUCTION + 1, (instruction.src << 4) | instruction.dst);
      bytes.setInt16(i * INSTRUCTION + 2, offset, true);
      bytes.setInt32(i * INSTRUCTION + 4, instruction.immediate, true);
    }
    return {
      name,
      bytes: new Uint8Array(bytes.buffer),
      maps: this.#maps,
      lines: this.#lines,
      labels: [...this.#labels].map(([label, at]) => ({ label, at })),
    };
  }

  #target(label: string): number {
    const at = this.#labels.get(label);
    if (at === undefined) throw new Error(`no label ${label}`);
    return at;
  }

  /** A jump to the next instruction does nothing. */
  #dropIdleJumps(): void {
    for (let i = this.length - 1; i >= 0; i--) {
      const label = this.#jumps.get(i);
      if (this.#instructions[i]!.opcode !== JA || this.#target(label!) !== i + 1) continue;
      this.#instructions.splice(i, 1);
      const moved = (at: number) => (at > i ? at - 1 : at);
      for (const [name, at] of this.#labels) this.#labels.set(name, moved(at));
      for (const list of [this.#maps, this.#lines])
        for (const [n, entry] of list.entries())
          list[n] = { ...entry, at: moved(entry.at) } as never;
      const jumps = [...this.#jumps].filter(([at]) => at !== i);
      this.#jumps.clear();
      for (const [at, name] of jumps) this.#jumps.set(moved(at), name);
      // A line that became nothing but the jump is gone with it.
      const gone = this.#lines.findIndex(({ at }, n) => at === this.#lines[n + 1]?.at);
      if (gone >= 0) this.#lines.splice(gone, 1);
    }
  }

  #alu(width: number, operation: AluOperation, dst: Register, value: number): this {
    return this.#emit(width | ALU[operation], dst, 0, 0, value);
  }
  #aluRegister(width: number, operation: AluOperation, dst: Register, src: Register): this {
    return this.#emit(width | ALU[operation] | BY_REGISTER, dst, src, 0, 0);
  }
  #load64(dst: Register, src: number, low: number, high: number): this {
    return this.#emit(LD_IMM64, dst, src, 0, low | 0).#emit(0, 0, 0, 0, high);
  }
  #jump(opcode: number, dst: number, src: number, immediate: number, to: string): this {
    this.#jumps.set(this.length, to);
    return this.#emit(opcode, dst, src, 0, immediate);
  }
  #emit(opcode: number, dst: number, src: number, offset: number, immediate: number): this {
    this.#instructions.push({ opcode, dst, src, offset, immediate });
    return this;
  }
}
