/**
 * What decisions run on: the port's settings and its address table. This file is the JavaScript half; a
 * compiler to eBPF knows the same names and emits instructions for them. Bytes of the frame come from
 * `wire/frame.ts` (`u8`, `u16`, `u32`, `length`).
 *
 * The files of this folder keep to a subset (integers, constants, functions over `(port, frame)`, no
 * objects, no loops without a bound, no effects), so that they can be compiled as they stand.
 */
import type { Frame } from "../../wire/frame.ts";

/** A slave's device id on its port, 1 … 65,533. */
export type Slave = number;
export const NOBODY = 0;

export const L2 = 0;
export const L3 = 1;
export const L3S = 2;

export const BRIDGE = 0;
export const PRIVATE = 1;
export const VEPA = 2;

/** What the HOWTO promises (the default), or what Linux does where the two differ: docs/parity.md. */
export const HOWTO = 0;
export const KERNEL = 1;

/** What a decision may ask of a port. */
export interface DecisionPort {
  readonly mode: number;
  readonly flag: number;
  readonly compat: number;
  /** The master's MAC: bytes 0–1, bytes 2–5. */
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: {
    /** `addr`: a word of 32 bits, signed or not. */
    find4(addr: number): Slave;
    find6(f: Frame, at: number): Slave;
  };
}

/** The slave that holds an IPv4 address and is up, or NOBODY. */
export function owner4(port: DecisionPort, addr: number): Slave {
  return port.addresses.find4(addr | 0); // signed: V8 boxes what is above 2^31
}

/** The slave that holds the IPv6 address at `at` and is up, or NOBODY. */
export function owner6(port: DecisionPort, f: Frame, at: number): Slave {
  return at + 16 <= f.length ? port.addresses.find6(f, at) : NOBODY;
}

/** Whether a VLAN tag travels beside the frame. Only eBPF meets that: our own devices have it inside. */
export function tagBeside(_f: Frame): boolean {
  return false;
}
