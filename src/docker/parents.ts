/**
 * The masters of networks: a device that is there, a VLAN of one that is (`eth0.10`), or a pair of devices that leads
 * nowhere, for a network of its own. Those that we make are gone after a reboot, and are made again.
 */
import {
  addVeth,
  addVlan,
  deleteLink,
  getLink,
  type Link,
  setLink,
} from "../linux/netlink/link.ts";
import { NetlinkError, NetlinkSocket } from "../linux/netlink/socket.ts";
import { findSysctl, setSysctl } from "../linux/sysctl.ts";

/** The devices of dockerd's network namespace, which is ours. */
export interface Parents {
  find(name: string): Link | undefined;
  /** A VLAN or a pair, by the name. */
  make(name: string): void;
  /** Tolerates that it is gone. */
  remove(name: string): void;
}

/** What a network's own master is called; libnetwork's name for it. */
export const ownParent = (networkId: string): string => `di-${networkId.slice(0, 12)}`;

const isOwn = (name: string): boolean => /^di-[0-9a-z]{12}$/.test(name);
const otherEnd = (name: string): string => name.replace(/^di-/, "dj-");

const IFF_LOOPBACK = 0x8;
const VLAN_MAX = 4094;

/** The parent that somebody names: whether there is one, and else what is to be made. */
export function demandParent(parents: Parents, name: string): "found" | "missing" {
  const found = parents.find(name);
  if (found !== undefined) {
    if ((found.flags & IFF_LOOPBACK) === 0) return "found";
    throw new Error("loopback interface is not a valid ipvlan parent link");
  }
  takeApart(name);
  return "missing";
}

/** `eth0.10` */
function takeApart(name: string): { below: string; vlan: number } {
  const [, below, digits] = /^([^/\s]+)\.(\d+)$/.exec(name) ?? [];
  if (below === undefined || Buffer.byteLength(name) > 15)
    throw new Error(`invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  const vlan = Number(digits);
  if (vlan < 1 || vlan > VLAN_MAX)
    throw new Error(`vlan id must be between 1-${VLAN_MAX}, received: ${digits}`);
  return { below, vlan };
}

export const systemParents: Parents = {
  find: (name) => inSocket((socket) => getLink(socket, name)),
  make: (name) => (isOwn(name) ? makePair(name) : makeVlan(name)),
  remove(name) {
    inSocket((socket) => {
      const found = getLink(socket, name);
      if (found !== undefined) deleteLink(socket, found.index);
    });
  },
};

function makeVlan(name: string): void {
  const { below, vlan } = takeApart(name);
  inSocket((socket) => {
    const device = getLink(socket, below);
    if (device === undefined)
      throw new Error(`failed to find master interface ${below} on the Docker host`);
    try {
      addVlan(socket, name, device.index, vlan);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      const why = error.code === "EOPNOTSUPP" ? NO_VLANS : error.message;
      throw new Error(`failed to create ${name} vlan link: ${why}`);
    }
  });
}
const NO_VLANS = "operation not supported: this kernel has no 802.1Q (CONFIG_VLAN_8021Q)";

/** Both ends are up, so that there is a carrier; at the far one nobody is at home. */
function makePair(name: string): void {
  inSocket((socket) => {
    const near = addVeth(socket, { name, peer: { name: otherEnd(name), noarp: true } });
    try {
      const ipv6 = `ipv6/conf/${otherEnd(name)}/disable_ipv6`;
      if (findSysctl(ipv6) !== undefined) setSysctl(ipv6, 1);
      for (const index of [near.link!, near.index]) setLink(socket, index, { up: true });
    } catch (error) {
      deleteLink(socket, near.index);
      throw error;
    }
  });
}

function inSocket<T>(section: (socket: NetlinkSocket) => T): T {
  const socket = NetlinkSocket.open();
  try {
    return section(socket);
  } finally {
    socket.close();
  }
}
