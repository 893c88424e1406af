/**
 * A program for the reader, each line of source above the instructions that it became:
 *
 *       ; xmit.ts:14  if (f.length < eth.HEADER) return v.drop(v.RUNT);
 *         mov r1, r7
 *         add r1, 14
 *         jle r1, r8, else_2
 *
 * The notation is that of bpf_conformance; jumps name labels, calls helpers, loads of a map the map.
 */
import {
  ALU,
  ALU32,
  ALU64,
  BY_REGISTER,
  CALL,
  CONDITION,
  EXIT,
  HELPER,
  INSTRUCTION,
  type Instruction,
  JA,
  JMP,
  JMP32,
  LD_IMM64,
  LDX,
  PSEUDO_MAP_FD,
  PSEUDO_MAP_VALUE,
  SIZE,
  ST,
  STX,
  TO_BE,
} from "./instruction.ts";
import type { Program } from "./program.ts";

export function listing(program: Program): string {
  const instructions = decode(program.bytes);
  const labels = targets(program, instructions);
  const maps = new Map(program.maps.map(({ at, map }) => [at, map]));
  const lines = new Map(program.lines.map((line) => [line.at, line]));
  const out: string[] = [];
  for (let at = 0; at < instructions.length; at++) {
    const instruction = instructions[at]!;
    const label = labels.get(at);
    if (label !== undefined) out.push(`${label}:`);
    const line = lines.get(at);
    if (line) out.push(`  ; ${line.file}:${line.line}  ${line.text}`);
    if (instruction.opcode === LD_IMM64) {
      const high = instructions[++at]!.immediate;
      out.push(`    ${load64(instruction, high, maps.get(at - 1) ?? "?")}`);
    } else {
      const target = labels.get(at + 1 + instruction.offset) ?? "?";
      out.push(`    ${disassemble(instruction, target)}`);
    }
  }
  return `${out.join("\n")}\n`;
}

export function decode(bytes: Uint8Array): Instruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / INSTRUCTION }, (_, i) => {
    const at = i * INSTRUCTION;
    const registers = view.getUint8(at + 1);
    return {
      opcode: view.getUint8(at),
      dst: registers & 15,
      src: registers >> 4,
      offset: view.getInt16(at + 2, true),
      immediate: view.getInt32(at + 4, true),
    };
  });
}

/** One instruction of 8 bytes; `target` is the label that it jumps to, if it is a jump. */
export function disassemble(i: Instruction, target: string): string {
  const second = i.opcode & BY_REGISTER ? `r${i.src}` : number(i.immediate);
  switch (i.opcode) {
    case JA:
      return `ja ${target}`;
    case CALL:
      return `call ${HELPER_NAMES[i.immediate] ?? i.immediate}`;
    case EXIT:
      return "exit";
    case TO_BE:
      return `be${i.immediate} r${i.dst}`;
  }
  switch (i.opcode & 7) {
    case LDX:
      return `ldx${letters(i)} r${i.dst}, [r${i.src}${offset(i)}]`;
    case STX:
      return `stx${letters(i)} [r${i.dst}${offset(i)}], r${i.src}`;
    case ST:
      return `st${letters(i)} [r${i.dst}${offset(i)}], ${number(i.immediate)}`;
    case JMP:
      return `j${CONDITIONS[i.opcode & 0xf0]} r${i.dst}, ${second}, ${target}`;
    case JMP32:
      return `j${CONDITIONS[i.opcode & 0xf0]}32 r${i.dst}, ${second}, ${target}`;
    case ALU32:
      return `${OPERATIONS[i.opcode & 0xf0]}32 r${i.dst}, ${second}`;
    case ALU64:
      return `${OPERATIONS[i.opcode & 0xf0]} r${i.dst}, ${second}`;
    default:
      return `opcode ${number(i.opcode)}`;
  }
}

function load64(i: Instruction, high: number, map: string): string {
  if (i.src === PSEUDO_MAP_FD) return `lddw r${i.dst}, map ${map}`;
  if (i.src === PSEUDO_MAP_VALUE) return `lddw r${i.dst}, value of ${map} + ${high}`;
  const value = (BigInt(high) << 32n) | BigInt(i.immediate >>> 0);
  return `lddw r${i.dst}, ${value}`;
}

/** Labels that something jumps to, by the index of what they stand before. */
function targets(program: Program, instructions: readonly Instruction[]): Map<number, string> {
  const isJump = ({ opcode }: Instruction) =>
    ((opcode & 7) === JMP || (opcode & 7) === JMP32) && opcode !== CALL && opcode !== EXIT;
  const reached = new Set(instructions.flatMap((i, at) => (isJump(i) ? [at + 1 + i.offset] : [])));
  const labels = new Map<number, string>();
  for (const { label, at } of program.labels)
    if (reached.has(at) && !labels.has(at)) labels.set(at, label);
  return labels;
}

const byValue = (names: Readonly<Record<string, number>>): Readonly<Record<number, string>> =>
  Object.fromEntries(Object.entries(names).map(([name, value]) => [value, name]));

const OPERATIONS = byValue(ALU);
const CONDITIONS = byValue(CONDITION);
const HELPER_NAMES = byValue(HELPER);
const LETTERS: Readonly<Record<number, string>> = {
  [SIZE[1]]: "b",
  [SIZE[2]]: "h",
  [SIZE[4]]: "w",
  [SIZE[8]]: "dw",
};

const letters = ({ opcode }: Instruction): string => LETTERS[opcode & 0x18]!;
const offset = (i: Instruction): string => (i.offset < 0 ? `${i.offset}` : `+${i.offset}`);
/** Small numbers as people count, others as protocols write them. */
function number(n: number): string {
  if (Math.abs(n) < 256) return `${n}`;
  return n < 0 ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`;
}
