/**
 * What a slave and a master do not take: another MAC, devices on top, a bridge or bond above. The kernel would let a
 * veth have all of it; Linux's driver refuses, so we do (D11). Words in, answer out, no I/O.
 */
import type { Role } from "../client/client.ts";
import type { DeviceWords, Setting } from "../words/device-words.ts";
import { explained, refused, type UsageError } from "../words/errors.ts";

/** Something is to be set on a device, or stacked on it. For other devices the line is the system's. */
export interface Stack {
  readonly verb: "stack";
  readonly name: string;
  /** "address"; a kind of device that is to stand on it; or the name of what is to be its master. */
  readonly upper: string;
  readonly isMaster: boolean;
}

const NOT_SUPPORTED = "Operation not supported";
const INVALID = "Invalid argument";
const BUSY = "Device or resource busy";

/** By kind of the upper device. Kernel: ipvlan's device flags, netdev_rx_handler_register(). */
const REFUSALS: Readonly<Record<Role, Readonly<Record<string, UsageError>>>> = {
  slave: {
    address: refused(NOT_SUPPORTED),
    vlan: explained("8021q: VLANs not supported on device"),
    macvlan: refused(INVALID),
    macvtap: refused(INVALID),
    bridge: refused(INVALID),
    bond: refused(NOT_SUPPORTED),
  },
  master: {
    macvlan: refused(BUSY),
    macvtap: refused(BUSY),
    bridge: refused(BUSY),
    bond: refused(BUSY),
    team: refused(BUSY),
  },
};

export const findRefusal = (role: Role, kind: string): UsageError | undefined =>
  Object.hasOwn(REFUSALS[role], kind) ? REFUSALS[role][kind] : undefined;

const lastOf = (settings: readonly Setting[], keyword: string): string | undefined =>
  settings.findLast((one) => one.keyword === keyword)?.value;

/** `link add link X … type KIND`. */
export function findStackOn({ settings, kind = "" }: DeviceWords): Stack | undefined {
  const name = lastOf(settings, "link");
  const isOurs = findRefusal("slave", kind) !== undefined;
  return name === undefined || !isOurs
    ? undefined
    : { verb: "stack", name, upper: kind, isMaster: false };
}

/** `link set X address …`, `link set X master Y`. */
export function findStackUnder(name: string, { settings }: DeviceWords): Stack | undefined {
  const master = lastOf(settings, "master");
  if (settings.some(({ keyword }) => keyword === "address"))
    return { verb: "stack", name, upper: "address", isMaster: false };
  return master === undefined ? undefined : { verb: "stack", name, upper: master, isMaster: true };
}
