/** Which device may be a master, and where one is that has left its namespace. */
import { PortError } from "../driver/errors.ts";
import { upName } from "../engine/master/master-side.ts";
import { dumpLinks, getLink, type Link } from "../linux/netlink/link.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { SysError } from "../linux/sys.ts";
import { parseSlaveAlias } from "./identity.ts";
import { findNetnsPath, namespaces } from "./namespaces.ts";

const ARPHRD_ETHER = 1;
const IFF_LOOPBACK = 0x8;
/** A device with one of these on it, or that is one's port, has its receive handler taken. */
const PORT_KINDS: readonly string[] = ["bridge", "bond", "team"];
const UPPER_KINDS: readonly string[] = ["macvlan", "macvtap"];

/** A device, and a path that opens to its namespace. */
export interface Place {
  readonly netns: string;
  readonly master: Link;
}

export const findMaster = (
  netns: string | number,
  nameOrIndex: string | number,
): Link | undefined => withNetns(netns, () => inSocket((socket) => getLink(socket, nameOrIndex)));

/** Where a device went. `last`: the message with which it left `netns`, which numbers namespaces in its own way. */
export function findMovedTo(netns: number, { newNsid, newIfindex }: Link): Place | undefined {
  if (newNsid === undefined || newIfindex === undefined) return undefined;
  const path = withNetns(netns, () =>
    inSocket((socket) => findNetnsPath(socket, newNsid, undefined)),
  );
  const master = path === undefined ? undefined : unlessGone(() => findMaster(path, newIfindex));
  return path === undefined || master === undefined ? undefined : { netns: path, master };
}

/** The device of that name and MAC in any namespace. Slaves have the master's MAC and perhaps its name: they are passed over. */
export function findAnywhere(name: string, mac: Uint8Array): Place | undefined {
  const isSought = (socket: NetlinkSocket, link: Link) =>
    link.mac !== undefined && Buffer.compare(link.mac, mac) === 0 && !isSlave(socket, link);
  for (const [netns, fd] of namespaces()) {
    const master = withNetns(fd, () =>
      inSocket((socket) => {
        const link = getLink(socket, name);
        return link !== undefined && isSought(socket, link) ? link : undefined;
      }),
    );
    if (master !== undefined) return { netns, master };
  }
  return undefined;
}

/** The other end tells. */
function isSlave(socket: NetlinkSocket, { kind, link, linkNsid }: Link): boolean {
  if (kind !== "veth" || link === undefined) return false;
  const host = getLink(socket, link, linkNsid === undefined ? {} : { targetNsid: linkNsid });
  return parseSlaveAlias(host?.alias) !== undefined;
}

/**
 * In the master's namespace, for a master that has no port of ours: one of another daemon's, which had the master in
 * another namespace and followed it, is as busy as a bridge's. Kernel: ipvlan_port_create(),
 * netdev_rx_handler_register().
 */
export function refuseUnfit(master: Link): void {
  if ((master.flags & IFF_LOOPBACK) !== 0 || master.type !== ARPHRD_ETHER || master.kind === "vrf")
    throw new PortError("EINVAL");
  const taken =
    PORT_KINDS.includes(master.slaveKind ?? "") ||
    inSocket(dumpLinks).some(
      (link) => UPPER_KINDS.includes(link.kind ?? "") && link.link === master.index,
    );
  if (taken) throw new PortError("EBUSY");
  if (inSocket((socket) => getLink(socket, upName(master.index))) !== undefined)
    throw new PortError("EBUSY", `Another daemon has slaves on ${master.name}`);
}

/** A namespace may go while we look for it. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof SysError) return undefined;
    throw error;
  }
}

function inSocket<T>(section: (socket: NetlinkSocket) => T): T {
  const socket = NetlinkSocket.open();
  try {
    return section(socket);
  } finally {
    socket.close();
  }
}
