/**
 * eBPF instructions: 8 bytes each, little-endian here: opcode, registers (source in the high half), a signed offset
 * of 16 bits, an immediate of 32. Loading 64 bits takes two. RFC 9669.
 */

/** A register: r0 result, r1 … r5 arguments (lost in calls), r6 … r9 kept over calls, r10 the stack's end. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** Bytes of a memory access. */
export type Size = 1 | 2 | 4 | 8;

export interface Instruction {
  readonly opcode: number;
  readonly dst: number;
  readonly src: number;
  /** Of memory, in bytes; of a jump, in instructions behind the next. */
  offset: number;
  immediate: number;
}

/** Bytes of an instruction. */
export const INSTRUCTION = 8;

// Classes: the low three bits of an opcode.
export const LD = 0x00;
export const LDX = 0x01;
export const ST = 0x02;
export const STX = 0x03;
export const ALU32 = 0x04;
export const JMP = 0x05;
export const JMP32 = 0x06;
export const ALU64 = 0x07;

/** Set: the second operand is a register; clear: the immediate. */
export const BY_REGISTER = 0x08;

/** Arithmetic, by the high four bits of an opcode. */
export const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
} as const;
export type AluOperation = keyof typeof ALU;

/** Conditions, by the high four bits of an opcode; an `s` compares signed. */
export const CONDITION = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  ne: 0x50,
  sgt: 0x60,
  sge: 0x70,
  lt: 0xa0,
  le: 0xb0,
  slt: 0xc0,
  sle: 0xd0,
} as const;
export type Condition = keyof typeof CONDITION;

export const SIZE: Readonly<Record<Size, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };
/** Of a memory access to a place given by register and offset. */
export const MEM = 0x60;

export const JA = 0x05;
export const CALL = 0x85;
export const EXIT = 0x95;
/** Loads 64 bits: two instructions, of which the second has only an immediate, the upper half. */
export const LD_IMM64 = 0x18;
/** To big-endian, of `immediate` bits; the upper bits become 0. */
export const TO_BE = 0xdc;

// What `src` says of LD_IMM64's immediate.
export const PSEUDO_MAP_FD = 1;
export const PSEUDO_MAP_VALUE = 2;

/** Helper functions, by their numbers. man: bpf-helpers(7). */
export const HELPER = {
  map_lookup_elem: 1,
  ktime_get_ns: 5,
  skb_store_bytes: 9,
  l3_csum_replace: 10,
  clone_redirect: 13,
  redirect: 23,
  skb_load_bytes: 26,
  skb_change_type: 32,
  skb_pull_data: 39,
  ringbuf_output: 130,
  redirect_neigh: 152,
  redirect_peer: 155,
} as const;
export type Helper = keyof typeof HELPER;
