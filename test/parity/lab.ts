/**
 * What the topology of a recording means: which device is the wire's far end, the master, a slave; who owns
 * which address; which groups a device's filter takes; which neighbours the namespaces know. Facts only; what
 * a driver makes of them is not told here, so that a driver can be judged by them.
 */
import {
  BRIDGE,
  type DecisionPort,
  HOWTO,
  L2,
  NOBODY,
  type Slave,
} from "../../src/driver/decide/machine.ts";
import {
  formatIp,
  formatMac,
  type Ip,
  ip4FromNumber,
  ip6From,
  type Mac,
  macFrom,
  macHigh,
  macLow,
  parseIp,
} from "../../src/wire/address.ts";
import * as eth from "../../src/wire/ethernet.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { type Case, type Device, RecordingError, SOCKET, type Topology } from "./recording.ts";

/** The place "it left the master". */
export const WIRE = "wire";
/** The device beyond, on which frames from outside are sent. */
const WIRE_DEVICE = "w0";
/** Of every device; the topology does not tell. */
export const MTU = 1500;

/** A device that has a MAC of its own. */
type Station = Device & { readonly mac: Mac };

export interface Lab {
  /** The far end of the wire. */
  readonly outside: Station;
  readonly master: Station;
  /** A slave's id on the port is its index here plus 1. */
  readonly slaves: readonly Device[];
  /** The place "the master's own stack has it". */
  readonly stack: string;
  /** Places that are compared. */
  readonly places: readonly string[];
  readonly udpPort: number;
  /** MAC by address, as every namespace has it permanently. */
  readonly neighbours: ReadonlyMap<string, Mac>;
  /** Group MACs that each slave's filter takes; broadcast passes all. */
  readonly filters: readonly (readonly Mac[])[];
  /** Who owns what, for the driver's `ownerOf…`, which ask a port for nothing else. */
  readonly owners: DecisionPort;
}

export function labOf(topology: Topology): Lab {
  const stations = topology.devices.filter(isStation);
  const outside = stations.find((d) => d.name === WIRE_DEVICE);
  const master = stations.find((d) => d !== outside);
  if (outside === undefined || master === undefined)
    throw new RecordingError(
      `meta.topology: expected ${WIRE_DEVICE} and a master, with a mac each`,
    );
  const slaves = topology.devices.filter((d) => d !== outside && d !== master);
  const stack = `${master.name}.stack`;
  const macOf = (device: Device): Mac => (device === outside ? outside.mac : master.mac);
  return {
    outside,
    master,
    slaves,
    stack,
    places: [...slaves.map((d) => d.name), stack, WIRE],
    udpPort: topology.udpPort,
    neighbours: new Map(
      topology.devices.flatMap((d) => d.addresses.map((a) => [formatIp(a.ip), macOf(d)] as const)),
    ),
    filters: slaves.map(filterOf),
    owners: {
      mode: L2,
      flag: BRIDGE,
      compat: HOWTO,
      macHigh: 0,
      macLow: 0,
      addresses: ownersOf(slaves),
    },
  };
}

export const devicesOf = ({ master, outside, slaves }: Lab): readonly Device[] => [
  master,
  outside,
  ...slaves,
];

/** The device a case's frame is sent on, or whose namespace's stack sends a datagram. */
export function getSender(lab: Lab, { id, from }: Case): Device {
  const sender = devicesOf(lab).find((d) => d.name === from || SOCKET + d.namespace === from);
  if (sender === undefined) throw new RecordingError(`${id}: the topology has no ${from}`);
  return sender;
}

const isStation = (device: Device): device is Station => device.mac !== undefined;

/** The slave's id on its port; NOBODY: the device is none. */
export const slaveId = (lab: Lab, device: Device): Slave => lab.slaves.indexOf(device) + 1;

export const slaveName = (lab: Lab, id: Slave): string => lab.slaves[id - 1]!.name;

/** Names of the slaves whose filter takes the frame's group. */
export function members(lab: Lab, f: Frame): string[] {
  const group = formatMac(macFrom(eth.dstHigh(f), eth.dstLow(f)));
  const takes = (filter: readonly Mac[]): boolean =>
    group === BROADCAST || filter.some((mac) => formatMac(mac) === group);
  return lab.slaves.filter((_, i) => takes(lab.filters[i]!)).map((d) => d.name);
}

/** The place where a namespace's stack meets the driver. */
export function placeOf(lab: Lab, namespace: string): string | undefined {
  if (namespace === lab.master.namespace) return lab.stack;
  if (namespace === lab.outside.namespace) return WIRE;
  return lab.slaves.find((d) => d.namespace === namespace)?.name;
}

export const isFromMaster = ({ master }: Lab, f: Frame): boolean =>
  eth.isFrom(f, macHigh(master.mac), macLow(master.mac));

export const isToMaster = ({ master }: Lab, f: Frame): boolean =>
  eth.dstHigh(f) === macHigh(master.mac) && eth.dstLow(f) === macLow(master.mac);

/** The MAC of a group, RFC 1112 §6.4 and RFC 2464 §7. */
export function groupMac(group: Ip): Mac {
  if (group.length === 16) return Uint8Array.of(0x33, 0x33, ...group.subarray(12));
  return Uint8Array.of(0x01, 0x00, 0x5e, group[1]! & 0x7f, group[2]!, group[3]!);
}

const BROADCAST = "ff:ff:ff:ff:ff:ff";
const ALL_NODES: readonly Ip[] = [parseIp("224.0.0.1")!, parseIp("ff02::1")!];
const SOLICITED_NODE = parseIp("ff02::1:ff00:0")!;

function filterOf(device: Device): Mac[] {
  const solicited = device.addresses
    .filter(({ ip }) => ip.length === 16)
    .map(({ ip }) => Uint8Array.of(...SOLICITED_NODE.subarray(0, 13), ...ip.subarray(13)));
  return [...ALL_NODES, ...device.groups, ...solicited].map(groupMac);
}

function ownersOf(slaves: readonly Device[]): DecisionPort["addresses"] {
  const owner = new Map<string, Slave>(
    slaves.flatMap((d, i) => d.addresses.map((a) => [formatIp(a.ip), i + 1] as const)),
  );
  const find = (ip: Ip): Slave => owner.get(formatIp(ip)) ?? NOBODY;
  return {
    find4: (addr) => find(ip4FromNumber(addr)),
    find6: (f, at) => find(ip6From(f, at)),
  };
}
