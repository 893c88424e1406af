/** What a drawing of a simulated host shows: namespaces, their devices, and what joins these. */
import type { Flag, Mode } from "../driver/settings.ts";
import type { Device } from "../sim/device.ts";
import type { Place } from "../sim/recorder.ts";
import type { World } from "../sim/shell/world.ts";
import { formatMac, formatPrefix, isLinkLocal6 } from "../wire/address.ts";

export interface PortNode {
  readonly mode: Mode;
  readonly flag: Flag;
  readonly slaves: readonly Device[];
}

export interface DeviceNode {
  readonly device: Device;
  readonly name: string;
  readonly isUp: boolean;
  readonly mac: string;
  /** With their prefix lengths; those of a link are left out, every device has one. */
  readonly addresses: readonly string[];
  /** Of a master. */
  readonly port?: PortNode;
}

export interface NamespaceNode {
  readonly name: string;
  /** Without lo. */
  readonly devices: readonly DeviceNode[];
}

/** A slave and its master, the two ends of a cable, a port and its bridge. */
export interface Link {
  readonly kind: "slave" | "cable" | "bridge";
  readonly a: Device;
  readonly b: Device;
}

export interface Topology {
  readonly namespaces: readonly NamespaceNode[];
  readonly links: readonly Link[];
  /** How many namespaces are left out. */
  readonly omitted: number;
}

/** Namespaces that are shown. */
export const NAMESPACES_MAX = 100;

/** The device that is at a place now. */
export const findAt = ({ namespaces }: Topology, place: Place): Device | undefined =>
  namespaces
    .find(({ name }) => name === place.netns)
    ?.devices.find(({ name }) => name === place.device)?.device;

export function topologyOf(world: World): Topology {
  const shown = [...world.namespaces.values()].slice(0, NAMESPACES_MAX);
  const devices = shown.flatMap((netns) => netns.devices).filter((device) => !device.isLoopback);
  const ports = new Map(
    Array.from(world.ports, ({ master, port, slaves }) => {
      const { mode, flag } = port.settings;
      return [master, { mode, flag, slaves }] as const;
    }),
  );
  const isShown = new Set(devices);
  return {
    namespaces: shown.map((netns) => ({
      name: netns.name,
      devices: netns.devices
        .filter((device) => !device.isLoopback)
        .map((device) => describe(device, ports.get(device))),
    })),
    links: devices
      .flatMap((device) => linksOf(world, device))
      .filter(({ a, b }) => isShown.has(a) && isShown.has(b)),
    omitted: world.namespaces.size - shown.length,
  };
}

function describe(device: Device, port: PortNode | undefined): DeviceNode {
  const addresses = device.netns?.addressesOf(device) ?? [];
  return {
    device,
    name: device.name,
    isUp: device.isUp,
    mac: formatMac(device.mac),
    addresses: addresses.filter(({ ip }) => !isLinkLocal6(ip)).map(formatPrefix),
    ...(port !== undefined && { port }),
  };
}

/** Each link once: a cable by the end that comes first. */
function linksOf(world: World, device: Device): Link[] {
  const links: Link[] = [];
  const master = world.portOfSlave(device)?.master;
  if (master !== undefined) links.push({ kind: "slave", a: device, b: master });
  const peer = world.peerOf(device);
  if (peer !== undefined && isFirst(world, device, peer))
    links.push({ kind: "cable", a: device, b: peer });
  const bridge = world.bridgeOf(device);
  if (bridge !== undefined) links.push({ kind: "bridge", a: device, b: bridge });
  return links;
}

function isFirst(world: World, a: Device, b: Device): boolean {
  for (const netns of world.namespaces.values())
    for (const device of netns.devices) {
      if (device === a) return true;
      if (device === b) return false;
    }
  return false;
}
