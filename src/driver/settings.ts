/** What a port is set to, in words, in the numbers of rtnetlink, and packed into one word for other threads. */
import { BRIDGE, HOWTO, KERNEL, L2, L3, L3S, PRIVATE, VEPA } from "./decide/machine.ts";
import { PortError } from "./errors.ts";

export type Mode = "l2" | "l3" | "l3s";
export type Flag = "bridge" | "private" | "vepa";
/** What the HOWTO promises, or what Linux's driver does where it differs. */
export type Compat = "howto" | "kernel";

export interface Settings {
  readonly mode: Mode;
  readonly flag: Flag;
  readonly compat: Compat;
}

/** Modes by the numbers of IFLA_IPVLAN_MODE. */
export const modes: Readonly<Record<Mode, number>> = { l2: L2, l3: L3, l3s: L3S };
/** Flags by the bits of IFLA_IPVLAN_FLAGS. */
export const flags: Readonly<Record<Flag, number>> = {
  bridge: BRIDGE,
  private: PRIVATE,
  vepa: VEPA,
};
export const compats: Readonly<Record<Compat, number>> = { howto: HOWTO, kernel: KERNEL };

/** Kernel: ipvlan_nl_validate(). */
export function modeOfNumber(number: number): Mode {
  const mode = nameOf(modes, number);
  if (mode === undefined) throw new PortError("EINVAL");
  return mode;
}

/** Private and vepa exclude each other. Kernel: ipvlan_nl_validate(). */
export function flagOfBits(bits: number): Flag {
  const flag = nameOf(flags, bits);
  if (flag === undefined) throw new PortError("EINVAL");
  return flag;
}

/** A word that another thread can be given in one atomic store. */
export const pack = (mode: Mode, flag: Flag, compat: Compat): number =>
  modes[mode] | (flags[flag] << 8) | (compats[compat] << 16);

/** The numbers that decisions run on, out of such a word. */
export const modeOf = (packed: number): number => packed & 0xff;
export const flagOf = (packed: number): number => (packed >>> 8) & 0xff;
export const compatOf = (packed: number): number => (packed >>> 16) & 0xff;

function nameOf<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
  number: number,
): Name | undefined {
  return (Object.keys(numbers) as Name[]).find((name) => numbers[name] === number);
}
