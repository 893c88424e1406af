/** Network devices (links): find, make, change and remove them. man: rtnetlink(7). */
import { AttrWriter } from "./codec.ts";
import {
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
} from "./constants.ts";
import * as info from "./link-info.ts";
import { writeTarget } from "./nsid.ts";
import { NetlinkError, type NetlinkSocket } from "./socket.ts";

export { IFF_ALLMULTI, type Link, type LinkStats, type OperState, parseLink } from "./link-info.ts";

/** What a socket may listen to: `NetlinkSocket.open({ groups })`. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_NEIGH = 3;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;
export const RTNLGRP_NSID = 28;

/** What a device may be told to be; what is left out stays as it is. */
export interface LinkChange {
  name?: string;
  up?: boolean;
  noarp?: boolean;
  /** Takes frames to every group. */
  allMulti?: boolean;
  mac?: Uint8Array;
  mtu?: number;
  /** "" takes it away. */
  alias?: string;
  carrier?: boolean;
  /** A number that devices may share. */
  group?: number;
  /** Moves it to the namespace the descriptor is open on. */
  netnsFd?: number;
  /** No link-local address by itself. A move to another namespace forgets that. */
  addrGenModeNone?: true;
}

export interface VethPeer {
  name: string;
  mac?: Uint8Array;
  mtu?: number;
  noarp?: boolean;
  /** Born in another namespace. */
  netnsFd?: number;
}

export interface VethSpec extends Omit<VethPeer, "netnsFd"> {
  up?: boolean;
  alias?: string;
  /** Comes up later than its other end, so not in the message that makes both: `setLink`. */
  peer: VethPeer;
}

/** Where to look: the socket's namespace, or one it has an id for. */
export interface InNamespace {
  targetNsid?: number;
}

const VETH_INFO_PEER = 1;
const IFLA_VLAN_ID = 1;
const AF_INET6 = 10;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_MODE_NONE = 1;
const IFNAMSIZ = 16;

/** Undefined if there is no such device. Names may be alternative ones. */
export function getLink(
  socket: NetlinkSocket,
  nameOrIndex: string | number,
  where: InNamespace = {},
): info.Link | undefined {
  const byIndex = typeof nameOrIndex === "number";
  const w = new AttrWriter(ifinfomsg(byIndex ? nameOrIndex : 0));
  if (!byIndex) w.string(nameAttr(nameOrIndex), nameOrIndex);
  writeTarget(w, info.IFLA_TARGET_NETNSID, where.targetNsid);
  try {
    const [answer] = socket.request(RTM_GETLINK, 0, w.finish(), `look up device ${nameOrIndex}`);
    return answer && info.parseLink(answer.payload);
  } catch (error) {
    if (error instanceof NetlinkError && error.code === "ENODEV") return undefined;
    throw error;
  }
}

/** Longer names than a device may have can only be alternative ones. */
const nameAttr = (name: string): number =>
  Buffer.byteLength(name) < IFNAMSIZ ? info.IFLA_IFNAME : info.IFLA_ALT_IFNAME;

export function dumpLinks(socket: NetlinkSocket, where: InNamespace = {}): info.Link[] {
  const w = writeTarget(new AttrWriter(ifinfomsg(0)), info.IFLA_TARGET_NETNSID, where.targetNsid);
  return socket
    .dump(RTM_GETLINK, w.finish(), "list devices")
    .map(({ payload }) => info.parseLink(payload));
}

/** A pair of devices: what enters one leaves the other. */
export function addVeth(socket: NetlinkSocket, spec: VethSpec): info.Link {
  const w = writeNew(new AttrWriter(ifinfomsg(0, spec)), spec).nest(info.IFLA_LINKINFO, (kind) =>
    kind
      .string(info.IFLA_INFO_KIND, "veth")
      .nest(info.IFLA_INFO_DATA, (data) =>
        data.nest(VETH_INFO_PEER, (peer) =>
          writeNew(peer.struct(ifinfomsg(0, spec.peer)), spec.peer),
        ),
      ),
  );
  const doing = `create veth ${spec.name} with ${spec.peer.name}`;
  socket.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, w.finish(), doing);
  const made = getLink(socket, spec.name)!;
  if (spec.alias === undefined) return made;
  try {
    setLink(socket, made.index, { alias: spec.alias }); // not taken at creation
    return { ...made, alias: spec.alias };
  } catch (error) {
    deleteLink(socket, made.index);
    throw error;
  }
}

/** A device for the frames of one VLAN on another device. Kernel: CONFIG_VLAN_8021Q. */
export function addVlan(socket: NetlinkSocket, name: string, below: number, vlan: number): void {
  const w = new AttrWriter(ifinfomsg(0, { up: true }))
    .string(info.IFLA_IFNAME, name)
    .u32(info.IFLA_LINK, below)
    .nest(info.IFLA_LINKINFO, (kind) =>
      kind
        .string(info.IFLA_INFO_KIND, "vlan")
        .nest(info.IFLA_INFO_DATA, (data) => data.u16(IFLA_VLAN_ID, vlan)),
    );
  socket.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, w.finish(), `create VLAN ${name}`);
}

export function setLink(socket: NetlinkSocket, index: number, change: LinkChange): void {
  const { alias, carrier, group, addrGenModeNone } = change;
  const w = writeNew(new AttrWriter(ifinfomsg(index, change)), change);
  if (alias !== undefined) w.bytes(info.IFLA_IFALIAS, Buffer.from(alias));
  if (group !== undefined) w.u32(info.IFLA_GROUP, group);
  if (carrier !== undefined) w.u8(info.IFLA_CARRIER, Number(carrier));
  if (addrGenModeNone)
    w.nest(info.IFLA_AF_SPEC, (family) =>
      family.nest(AF_INET6, (v6) => v6.u8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE)),
    );
  socket.request(RTM_SETLINK, 0, w.finish(), `change device ${index}`);
}

/** With one end of a veth goes the other. */
export function deleteLink(socket: NetlinkSocket, index: number): void {
  socket.request(RTM_DELLINK, 0, ifinfomsg(index), `delete device ${index}`);
}

/**
 * Many at once: one by one, each keeps the kernel waiting until nobody can be looking at it any more. Those that are gone
 * already are passed over.
 */
export function deleteLinks(socket: NetlinkSocket, indexes: readonly number[]): void {
  const w = new AttrWriter(ifinfomsg(0)).u32(info.IFLA_GROUP, DOOMED);
  tolerateGone(() => {
    for (const index of indexes) tolerateGone(() => setLink(socket, index, { group: DOOMED }));
    socket.request(RTM_DELLINK, 0, w.finish(), `delete ${indexes.length} devices`);
  });
}

/** A group that nobody has. man: ip-link(8). */
const DOOMED = 0x69706c76;

function tolerateGone(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== "ENODEV") throw error;
  }
}

/** What may be said of a new device as of an old one. */
function writeNew(w: AttrWriter, spec: Partial<VethPeer>): AttrWriter {
  if (spec.name !== undefined) w.string(info.IFLA_IFNAME, spec.name);
  if (spec.mac !== undefined) w.bytes(info.IFLA_ADDRESS, spec.mac);
  if (spec.mtu !== undefined) w.u32(info.IFLA_MTU, spec.mtu);
  if (spec.netnsFd !== undefined) w.u32(info.IFLA_NET_NS_FD, spec.netnsFd);
  return w;
}

const FLAGS = { up: info.IFF_UP, noarp: info.IFF_NOARP, allMulti: info.IFF_ALLMULTI } as const;
type Flags = { [name in keyof typeof FLAGS]?: boolean };

/** struct ifinfomsg: the flags to set and which of them to touch. */
function ifinfomsg(index: number, set: Flags = {}): Uint8Array {
  const bytes = Buffer.alloc(info.IFINFOMSG);
  let [flags, touched] = [0, 0];
  for (const [name, bit] of Object.entries(FLAGS)) {
    const wanted = set[name as keyof Flags];
    if (wanted !== undefined) touched |= bit;
    if (wanted === true) flags |= bit;
  }
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(touched, 12);
  return bytes;
}
