/**
 * What is written into the devices, so that they can be told again after a restart: names and aliases (`ip link`
 * shows them) of host ends and pairs in the private namespace.
 */
import type { Slave } from "../driver/decide/machine.ts";
import { compats, flags, modes, type Settings } from "../driver/settings.ts";

/** A slave's host end; names are at most 15 bytes. */
export const hostName = (masterIfindex: number, id: Slave): string => `s${masterIfindex}.${id}`;

export const slaveAlias = (masterIfindex: number, id: Slave): string =>
  `ipvlan slave ${id} of ${masterIfindex}`;

export const portAlias = (master: string, { mode, flag, compat }: Settings): string =>
  `ipvlan port ${master} ${mode} ${flag} ${compat}`;

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
): { master: string; settings: Settings } | undefined {
  const told = /^ipvlan port (\S+) (\S+) (\S+) (\S+)$/.exec(alias ?? "");
  if (told === null) return undefined;
  const [, master, mode, flag, compat] = told as unknown as string[];
  if (!(mode! in modes && flag! in flags && compat! in compats)) return undefined;
  return { master: master!, settings: { mode, flag, compat } as unknown as Settings };
}
