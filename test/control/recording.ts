/**
 * What people typed and what Linux's ipvlan and iproute2 answered, in the form of `test/kernel/control.json`:
 * cases, each a list of steps on a fresh topology. Recorded once, so trusted to have this form.
 */
import { readFileSync } from "node:fs";
import { type Flag, flags, type Mode, modes } from "../../src/driver/settings.ts";

export interface Case {
  readonly id: string;
  readonly title: string;
  readonly steps: readonly Step[];
}

export type Step = Typed | Shown | Addressed | Raw | Other;

/** A command line with its exit status. */
export interface Typed {
  readonly ns: string;
  readonly cmd: string;
  readonly rc: number;
  readonly out?: string;
  readonly err?: string;
  readonly json?: readonly LinkShown[];
}

/** A device as `ip -d -j link show` shows it; none: there is no such device. */
export interface Shown {
  readonly ns: string;
  readonly show: string;
  readonly rc: number;
  readonly err?: string;
  readonly link?: LinkShown;
}

/** Addresses by device. */
export interface Addressed {
  readonly ns: string;
  readonly addresses: Readonly<Record<string, readonly string[]>>;
}

/** A message to the kernel that `ip` will not send. */
export interface Raw {
  readonly ns: string;
  readonly rtnetlink: string;
  readonly errno: number;
}

/** Files and events of the kernel's own. */
export interface Other {
  readonly ns?: string;
  readonly cat?: string;
  readonly monitor?: string;
}

export interface LinkShown {
  readonly ifname: string;
  /** The device it sits on, if that is in the same namespace. */
  readonly link?: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address: string;
  readonly linkinfo?: {
    readonly info_kind: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
  };
}

const FILE = new URL("../../../test/kernel/control.json", import.meta.url);

export const readCases = (): readonly Case[] =>
  (JSON.parse(readFileSync(FILE, "utf8")) as { cases: Case[] }).cases;

/** What a raw step asks for. Values without a word stay the numbers they are. */
export interface RawRequest {
  readonly verb: "create" | "change";
  readonly name: string;
  readonly master?: string;
  readonly mode?: Mode | number;
  readonly flag?: Flag | number;
}

const RAW = /^RTM_NEWLINK (create|change) (\S+) link=(\S+) IFLA_IPVLAN=(.*)$/;
const ATTRIBUTE = /\((\d+), '(\w*)'\)/g;
/** Hexadecimal digits of a 16 bit number. */
const DIGITS = 4;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;

/** None: the message has what JSON cannot say, values of odd lengths and attributes of unknown numbers. */
export function findRequest(rtnetlink: string): RawRequest | undefined {
  const [, verb, name, master, attributes] = RAW.exec(rtnetlink)!;
  const values = new Map<number, number>();
  for (const [, type, hex] of attributes!.matchAll(ATTRIBUTE)) {
    if (hex!.length !== DIGITS || Number(type) > IFLA_IPVLAN_FLAGS) return undefined;
    values.set(Number(type), Buffer.from(hex!, "hex").readUInt16LE());
  }
  const mode = values.get(IFLA_IPVLAN_MODE);
  const flag = values.get(IFLA_IPVLAN_FLAGS);
  return {
    verb: verb as RawRequest["verb"],
    name: name!,
    ...(master !== "None" && { master: master! }),
    ...(mode !== undefined && { mode: wordOf(modes, mode) }),
    ...(flag !== undefined && { flag: wordOf(flags, flag) }),
  };
}

const wordOf = <Word extends string>(
  numbers: Readonly<Record<Word, number>>,
  number: number,
): Word | number =>
  (Object.keys(numbers) as Word[]).find((word) => numbers[word] === number) ?? number;
