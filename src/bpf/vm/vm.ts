/**
 * Runs programs of eBPF without a kernel: tests need no root, and a browser can show a decision. Stricter than the
 * processor, since there is no verifier: a register that nobody wrote, memory outside of what a program has, the
 * frame's old addresses after a helper moved it, and a program without end are faults.
 */
import {
  ALU,
  ALU32,
  ALU64,
  BY_REGISTER,
  CALL,
  EXIT,
  type Helper,
  type Instruction,
  JA,
  JMP,
  JMP32,
  LD_IMM64,
  LDX,
  MEM,
  PSEUDO_MAP_FD,
  PSEUDO_MAP_VALUE,
  SIZE,
  type Size,
  ST,
  STX,
  TO_BE,
} from "../instruction.ts";
import { decode } from "../listing.ts";
import type { Program } from "../program.ts";
import { compute, holds, swapBytes } from "./arithmetic.ts";
import { helperName, helpers, type VmHelper } from "./helpers.ts";
import type { VmMap } from "./maps.ts";
import { Memory, VmFault } from "./memory.ts";

export interface VmOptions {
  /** By the names that the program uses. */
  readonly maps?: Readonly<Record<string, VmMap>>;
  /** Besides those of `helpers.ts`, or instead of them. */
  readonly helpers?: Partial<Record<Helper, VmHelper>>;
}

export interface FrameOptions {
  /** Bytes of the frame that lie in one piece, until `skb_pull_data` asks for more; all of them, unless told. */
  readonly linear?: number;
  /** Words of struct __sk_buff besides length and data, by offset. */
  readonly context?: Readonly<Record<number, number>>;
}

/** Instructions that one run may take: more than any program without a loop has. */
const STEPS_MAX = 1_000_000;
/** Bytes. */
const STACK = 512;
/** What is on the stack before somebody writes there: nobody may count on 0. */
const STALE = 0xa5;

// struct __sk_buff.
const CONTEXT = 192;
const CONTEXT_LENGTH = 0;
const CONTEXT_DATA = 76;
const CONTEXT_DATA_END = 80;

export class Vm {
  readonly program: Program;
  readonly instructions: readonly Instruction[];
  readonly options: VmOptions;

  constructor(program: Program, options: VmOptions = {}) {
    this.program = program;
    this.instructions = decode(program.bytes);
    this.options = options;
  }

  /** What the program returns: r0's lower 32 bits, not signed. Throws `VmFault`. */
  run(frame: Uint8Array, options: FrameOptions = {}): number {
    return new Run(this, frame, options).run();
  }
}

/** One run: what helper functions work on. */
export class Run {
  readonly memory: Memory = new Memory();
  readonly frame: Uint8Array;
  /** Bytes of the frame that lie in one piece. */
  linear = 0;
  readonly #vm: Vm;
  readonly #context: DataView = new DataView(new ArrayBuffer(CONTEXT));
  readonly #registers: (bigint | undefined)[] = new Array(11).fill(undefined);
  #data: number | undefined;
  /** Index of the instruction that runs. */
  #at = 0;

  constructor(vm: Vm, frame: Uint8Array, { linear = frame.length, context = {} }: FrameOptions) {
    this.#vm = vm;
    this.frame = frame;
    const stack = this.memory.add("stack", new Uint8Array(STACK).fill(STALE));
    const words = Object.entries(context);
    for (const [offset, value] of words) this.#context.setUint32(Number(offset), value, true);
    this.#context.setUint32(CONTEXT_LENGTH, frame.length, true);
    this.placeFrame(linear);
    this.#registers[1] = BigInt(this.memory.add("context", new Uint8Array(this.#context.buffer)));
    this.#registers[10] = BigInt(stack + STACK);
  }

  run(): number {
    try {
      for (let steps = 0; steps < STEPS_MAX; steps++) {
        const instruction = this.#vm.instructions[this.#at];
        if (instruction === undefined) throw new VmFault("it is outside of the program");
        if (instruction.opcode === EXIT) return Number(BigInt.asUintN(32, this.#get(0)));
        this.#at += 1 + this.#step(instruction);
      }
      throw new VmFault(`the program does not end in ${STEPS_MAX} steps`);
    } catch (error) {
      if (error instanceof VmFault) error.message = `instruction ${this.#at}: ${error.message}`;
      throw error;
    }
  }

  /** Of the helper that is called; n is 1 … 5. */
  argument(n: number): bigint {
    return this.#get(n);
  }

  /** The map that `handle` stands for in a register. */
  map(handle: bigint): VmMap {
    const reference = this.#vm.program.maps[Number(handle) - 1];
    if (reference === undefined) throw new VmFault("there is no map in the register");
    return this.#mapNamed(reference.map);
  }

  /** Puts the frame's first bytes in one piece where they were not before: addresses in it are void. */
  placeFrame(linear: number): void {
    if (this.#data !== undefined) this.memory.remove(this.#data);
    this.linear = linear;
    this.#data = this.memory.add("frame", this.frame.subarray(0, linear));
    this.#context.setUint32(CONTEXT_DATA, this.#data, true);
    this.#context.setUint32(CONTEXT_DATA_END, this.#data + linear, true);
  }

  /** Runs one instruction; how many are to be skipped then. */
  #step(i: Instruction): number {
    switch (i.opcode) {
      case LD_IMM64:
        this.#loadImmediate(i);
        return 1;
      case JA:
        return i.offset;
      case CALL:
        this.#call(i.immediate);
        return 0;
      case TO_BE:
        this.#set(i, swapBytes(this.#get(i.dst), i.immediate));
        return 0;
    }
    switch (i.opcode & 0x07) {
      case LDX:
        this.#set(i, this.memory.load(sizeOf(i), this.#place(i.src, i)));
        return 0;
      case STX:
        this.memory.store(sizeOf(i), this.#place(i.dst, i), this.#get(i.src));
        return 0;
      case ST:
        this.memory.store(sizeOf(i), this.#place(i.dst, i), immediate(i));
        return 0;
      case ALU32:
      case ALU64: {
        const width = (i.opcode & 0x07) === ALU64 ? 64 : 32;
        // What is only written need not have been.
        const dst = this.#registers[i.dst] ?? (isMove(i) ? 0n : this.#get(i.dst));
        this.#set(i, compute(i.opcode & 0xf0, width, dst, this.#operand(i)));
        return 0;
      }
      case JMP:
      case JMP32: {
        const width = (i.opcode & 0x07) === JMP ? 64 : 32;
        const taken = holds(i.opcode & 0xf0, width, this.#get(i.dst), this.#operand(i));
        if (taken === undefined) throw unknown(i);
        return taken ? i.offset : 0;
      }
    }
    throw unknown(i);
  }

  #get(register: number): bigint {
    const value = this.#registers[register];
    if (value === undefined) throw new VmFault(`r${register} has no value`);
    return value;
  }
  #set(i: Instruction, value: bigint | undefined): void {
    if (value === undefined) throw unknown(i);
    if (i.dst >= 10) throw new VmFault(`r${i.dst} cannot be written`);
    this.#registers[i.dst] = value;
  }
  #operand(i: Instruction): bigint {
    return i.opcode & BY_REGISTER ? this.#get(i.src) : immediate(i);
  }
  #place(base: number, i: Instruction): bigint {
    if ((i.opcode & 0xe0) !== MEM) throw unknown(i);
    return BigInt.asUintN(64, this.#get(base) + BigInt(i.offset));
  }

  /** Of the number the upper half is in the next instruction; of an address the offset. */
  #loadImmediate(i: Instruction): void {
    const upper = this.#vm.instructions[this.#at + 1]?.immediate;
    if (upper === undefined) throw new VmFault("it is cut off");
    if (i.src === 0) {
      this.#set(i, BigInt.asUintN(64, (BigInt(upper) << 32n) | BigInt(i.immediate >>> 0)));
      return;
    }
    const { maps } = this.#vm.program;
    const n = maps.findIndex(({ at }) => at === this.#at);
    if (n < 0) throw new VmFault("no map is named for it");
    if (i.src === PSEUDO_MAP_FD) this.#set(i, BigInt(n + 1));
    else if (i.src === PSEUDO_MAP_VALUE) {
      const value = this.#mapNamed(maps[n]!.map).find(new Uint8Array(4));
      if (value === undefined) throw new VmFault("the map has no first value");
      this.#set(i, BigInt(this.memory.add("map value", value) + upper));
    } else throw unknown(i);
  }

  #mapNamed(name: string): VmMap {
    const map = this.#vm.options.maps?.[name];
    if (map === undefined) throw new VmFault(`there is no map ${name}`);
    return map;
  }

  #call(number: number): void {
    const name = helperName(number);
    const helper = name && (this.#vm.options.helpers?.[name] ?? helpers[name]);
    if (helper === undefined) throw new VmFault(`there is no helper ${name ?? number}`);
    const result = BigInt.asUintN(64, helper(this));
    this.#registers.fill(undefined, 1, 6);
    this.#registers[0] = result;
  }
}

const SIZES = new Map<number, Size>(
  (Object.keys(SIZE) as unknown as Size[]).map((size) => [SIZE[size], Number(size) as Size]),
);
const sizeOf = (i: Instruction): Size => SIZES.get(i.opcode & 0x18)!;

/** With its sign in 64 bits. */
const immediate = (i: Instruction): bigint => BigInt.asUintN(64, BigInt(i.immediate));

const isMove = (i: Instruction): boolean => (i.opcode & 0xf0) === ALU.mov;

const unknown = (i: Instruction): VmFault =>
  new VmFault(`opcode 0x${i.opcode.toString(16).padStart(2, "0")} is not known`);
