/**
 * What is written into the devices, so that they can be told again after a restart: names and aliases (`ip link`
 * shows them) of host ends and pairs in the private namespace.
 */
import type { Slave } from "../driver/decide/machine.ts";
import { compats, flags, modes, type Settings } from "../driver/settings.ts";

/** Names are used again, and indexes tell nothing to a person. */
export interface MasterId {
  readonly name: string;
  readonly ifindex: number;
}

/** A slave's host end; names are at most 15 bytes. */
export const hostName = (masterIfindex: number, id: Slave): string => `s${masterIfindex}.${id}`;

export const slaveAlias = (masterIfindex: number, id: Slave): string =>
  `ipvlan slave ${id} of ${masterIfindex}`;

export const portAlias = (master: MasterId, { mode, flag, compat }: Settings): string =>
  `ipvlan port ${master.name} ${master.ifindex} ${mode} ${flag} ${compat}`;

/** Undefined for a device that is no host end of ours. */
export function parseSlaveAlias(
  alias: string | undefined,
): { id: Slave; masterIfindex: number } | undefined {
  const told = /^ipvlan slave (\d+) of (\d+)$/.exec(alias ?? "");
  return told ? { id: Number(told[1]), masterIfindex: Number(told[2]) } : undefined;
}

/** Undefined for a device that is not the end of a port's pair. */
export function parsePortAlias(
  alias: string | undefined,
): { master: MasterId; settings: Settings } | undefined {
  const told = /^ipvlan port (\S+) (\d+) (\S+) (\S+) (\S+)$/.exec(alias ?? "");
  if (told === null) return undefined;
  const [, name, ifindex, mode, flag, compat] = told as unknown as string[];
  const known = Object.hasOwn(modes, mode!) && Object.hasOwn(flags, flag!);
  if (!known || !Object.hasOwn(compats, compat!)) return undefined;
  const settings = { mode, flag, compat } as unknown as Settings;
  return { master: { name: name!, ifindex: Number(ifindex) }, settings };
}
