/**
 * What is written into the devices, so that they can be told again after a restart: names and aliases (`ip link`
 * shows them) of host ends and pairs in the private namespace. The alias is written last: a device without one was
 * being made when a daemon was killed.
 */
import type { Slave } from "../driver/decide/machine.ts";
import { compats, flags, modes, type Settings } from "../driver/settings.ts";
import { ENGINE_CHOICES, type EngineChoice } from "../engine/engine.ts";

/** A port's number in the private namespace, 1 … `PORTS_MAX`. It stays when the master moves and is numbered anew. */
export type PortId = number;

/** Ports of one daemon; names of host ends are at most 15 bytes. */
export const PORTS_MAX = 65_535;

/** Names are used again, and indexes tell nothing to a person. */
export interface MasterId {
  readonly name: string;
  readonly ifindex: number;
}

/** What a slave's host end tells. */
export interface SlaveIdentity {
  readonly id: Slave;
  readonly port: PortId;
  /** For whom it was made, in the words of who made it: `LABEL_PATTERN`. */
  readonly label?: string | undefined;
}

/** Fits an alias with all else that stands there. Kernel: IFALIASZ is 256. */
export const LABEL_PATTERN = "^[!-~]{1,200}$";

/** What the end of a port's pair tells. */
export interface PortIdentity {
  readonly port: PortId;
  readonly master: MasterId;
  readonly settings: Settings;
  readonly engine: EngineChoice;
  /** Not all slaves' devices are as these settings want them. */
  readonly isChanging: boolean;
}

/** `port`: in the master's namespace its ifindex, since every daemon counts its ports for itself. */
export const hostName = ({ port, id }: SlaveIdentity): string => `s${port}.${id}`;

/** Our end of the pair that leads up into the master's namespace. */
export const downName = (port: PortId): string => `down${port}`;

export const slaveAlias = ({ id, port, label }: SlaveIdentity): string =>
  `ipvlan slave ${id} of ${port}${label === undefined ? "" : ` for ${label}`}`;

export function portAlias({ port, master, settings, engine, isChanging }: PortIdentity): string {
  const { mode, flag, compat } = settings;
  const words = ["ipvlan port", port, master.name, master.ifindex, mode, flag, compat, engine];
  return [...words, ...(isChanging ? ["changing"] : [])].join(" ");
}

/** Undefined for a device that is no host end of ours. */
export function parseSlaveAlias(alias: string | undefined): SlaveIdentity | undefined {
  const told = /^ipvlan slave (\d+) of (\d+)(?: for ([!-~]+))?$/.exec(alias ?? "");
  if (told === null) return undefined;
  const [, id, port, label] = told;
  return { id: Number(id), port: Number(port), ...(label !== undefined && { label }) };
}

/** Undefined for a device that is not the end of a port's pair. */
export function parsePortAlias(alias: string | undefined): PortIdentity | undefined {
  const told =
    /^ipvlan port (\d+) (\S+) (\d+) (\S+) (\S+) (\S+)(?: (auto|ebpf|userspace))?( changing)?$/.exec(
      alias ?? "",
    );
  if (told === null) return undefined;
  const [, port, name, ifindex, mode, flag, compat] = told as unknown as string[];
  const engine = ENGINE_CHOICES.find((one) => one === told[7]) ?? "auto"; // none before version 0.2
  const known = Object.hasOwn(modes, mode!) && Object.hasOwn(flags, flag!);
  if (!known || !Object.hasOwn(compats, compat!)) return undefined;
  const settings = { mode, flag, compat } as unknown as Settings;
  const master = { name: name!, ifindex: Number(ifindex) };
  return { port: Number(port), master, settings, engine, isChanging: told[8] !== undefined };
}
