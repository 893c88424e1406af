/** What our machine computes is what the kernel computes: random arithmetic and jumps, run in both. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALU,
  ALU32,
  ALU64,
  BY_REGISTER,
  CONDITION,
  EXIT,
  INSTRUCTION,
  JMP,
  JMP32,
  LD_IMM64,
  TO_BE,
} from "../src/bpf/instruction.ts";
import type { Program } from "../src/bpf/program.ts";
import { Vm } from "../src/bpf/vm/vm.ts";
import { loadProgram, testRun } from "../src/linux/bpf/programs.ts";
import { close } from "../src/linux/sys.ts";
import { needsBpf } from "./bpf.ts";
import { Random } from "./random.ts";

const PROGRAMS = 500;
const STEPS = 40;
const FRAME = new Uint8Array(60);
const EDGES = [0, 1, 2, 31, 32, 63, 64, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, -0x80000000, -1];

type Bytes = [opcode: number, registers: number, offset: number, immediate: number];
const operations = Object.values(ALU);
const conditions = Object.values(CONDITION);

/** Registers 6 to 9 get values, are computed with, and all come into the result. */
function randomProgram(r: Random): Program {
  const edge = (): number => (r.below(4) === 0 ? r.below(2 ** 32) | 0 : r.pick(EDGES));
  const instructions: Bytes[] = [6, 7, 8, 9].flatMap((register): Bytes[] => [
    [LD_IMM64, register, 0, edge()],
    [0, 0, 0, edge()],
  ]);
  for (let n = 0; n < STEPS; n++) {
    const dst = 6 + r.below(4);
    const byRegister = r.below(2) === 0;
    const registers = dst | (byRegister ? (6 + r.below(4)) << 4 : 0);
    const operand = byRegister ? BY_REGISTER : 0;
    const kind = r.below(10);
    if (kind === 0) instructions.push([TO_BE, dst, 0, r.pick([16, 32, 64])]);
    else if (kind < 3) {
      const opcode = r.pick([JMP, JMP32]) | r.pick(conditions) | operand;
      instructions.push([opcode, registers, 1, byRegister ? 0 : edge()], [ALU64, 6, 0, n]);
    } else {
      const operation = r.pick(operations);
      const width = r.pick([ALU32, ALU64]);
      // The verifier refuses shifts by more than the width, where it can see them.
      const isShift = operation === ALU.lsh || operation === ALU.rsh || operation === ALU.arsh;
      const amount = isShift ? r.below(width === ALU32 ? 32 : 64) : edge();
      instructions.push([width | operation | operand, registers, 0, byRegister ? 0 : amount]);
    }
  }
  const mix = (from: number): Bytes[] => [
    [ALU64 | ALU.mul, 0, 0, 31],
    [ALU64 | ALU.xor | BY_REGISTER, from << 4, 0, 0],
    [ALU64 | ALU.rsh, from, 0, 32],
    [ALU64 | ALU.add | BY_REGISTER, from << 4, 0, 0],
  ];
  instructions.push([ALU64 | ALU.mov, 0, 0, 0], ...[6, 7, 8, 9].flatMap(mix), [EXIT, 0, 0, 0]);
  return { name: "random", bytes: encode(instructions), maps: [], lines: [], labels: [] };
}

function encode(instructions: readonly Bytes[]): Uint8Array {
  const bytes = Buffer.alloc(instructions.length * INSTRUCTION);
  for (const [i, [opcode, registers, offset, immediate]] of instructions.entries()) {
    const at = i * INSTRUCTION;
    bytes.writeUInt8(opcode, at);
    bytes.writeUInt8(registers, at + 1);
    bytes.writeInt16LE(offset, at + 2);
    bytes.writeInt32LE(immediate, at + 4);
  }
  return bytes;
}

test(`${PROGRAMS} random programs give the same result in our machine and in the kernel`, {
  skip: needsBpf,
}, () => {
  const r = new Random(1);
  for (let n = 0; n < PROGRAMS; n++) {
    const program = randomProgram(r);
    const fd = loadProgram(program, {});
    const kernel = testRun(fd, FRAME)!.result;
    close(fd);
    assert.equal(
      new Vm(program).run(FRAME),
      kernel,
      `${n}: ${Buffer.from(program.bytes).toString("hex")}`,
    );
  }
});
