/** What the kernel tells of a network device. Kernel: uapi/linux/if_link.h, rtnl_fill_ifinfo(). */
import { type Attr, attrs, header } from "./codec.ts";
import { bytes, i32, pick, string } from "./pick.ts";

export interface Link {
  readonly index: number;
  readonly name: string;
  /** 0, but in messages of bridges about their ports (AF_BRIDGE), which say little of the device itself. */
  readonly family: number;
  /** IFF_…. */
  readonly flags: number;
  readonly up: boolean;
  /** ARPHRD_…. */
  readonly type: number;
  readonly mtu: number;
  readonly mac?: Uint8Array;
  readonly permAddress?: Uint8Array;
  /** "veth", "bridge", …; hardware has none. */
  readonly kind?: string;
  /** What its master is to it: "bridge", "bond", …. */
  readonly slaveKind?: string;
  readonly alias?: string;
  /** The device it stands on or is paired with, in namespace `linkNsid` if that is told. */
  readonly link?: number;
  readonly linkNsid?: number;
  /** The bridge, bond or VRF it belongs to. */
  readonly master?: number;
  /** As iproute2 writes it. */
  readonly operstate: OperState;
  readonly carrier: boolean;
  readonly txqlen: number;
  readonly promiscuity: number;
  readonly allMulti: number;
  /** In the last message before it leaves a namespace: where it goes to, if that is known here, and as what. */
  readonly newNsid?: number;
  readonly newIfindex?: number;
  readonly stats?: LinkStats;
}

export interface LinkStats {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
  readonly multicast: number;
}

const OPER_STATES = [
  "UNKNOWN",
  "NOTPRESENT",
  "DOWN",
  "LOWERLAYERDOWN",
  "TESTING",
  "DORMANT",
  "UP",
] as const;
export type OperState = (typeof OPER_STATES)[number];

export const IFF_UP = 0x1;
export const IFF_NOARP = 0x80;
export const IFF_ALLMULTI = 0x200;

/** struct ifinfomsg. */
export const IFINFOMSG = 16;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_TXQLEN = 13;
const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_IFALIAS = 20;
const IFLA_STATS64 = 23;
export const IFLA_AF_SPEC = 26;
export const IFLA_GROUP = 27;
export const IFLA_NET_NS_FD = 28;
const IFLA_PROMISCUITY = 30;
export const IFLA_CARRIER = 33;
const IFLA_LINK_NETNSID = 37;
const IFLA_NEW_NETNSID = 45;
export const IFLA_TARGET_NETNSID = 46;
const IFLA_NEW_IFINDEX = 49;
export const IFLA_ALT_IFNAME = 53;
const IFLA_PERM_ADDRESS = 54;
const IFLA_ALLMULTI = 61;

export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;

/** Reads an RTM_NEWLINK or RTM_DELLINK. */
export function parseLink(payload: Uint8Array): Link {
  const fixed = header(payload, IFINFOMSG);
  const told = attrs(payload, IFINFOMSG);
  const flags = fixed.getUint32(8, true);
  const kinds = told.get(IFLA_LINKINFO)?.nested();
  const macs = { mac: IFLA_ADDRESS, permAddress: IFLA_PERM_ADDRESS };
  const numbers = {
    link: IFLA_LINK,
    linkNsid: IFLA_LINK_NETNSID,
    master: IFLA_MASTER,
    newNsid: IFLA_NEW_NETNSID,
    newIfindex: IFLA_NEW_IFINDEX,
  };
  return {
    index: fixed.getInt32(4, true),
    name: told.get(IFLA_IFNAME)?.string() ?? "",
    family: fixed.getUint8(0),
    flags,
    up: (flags & IFF_UP) !== 0,
    type: fixed.getUint16(2, true),
    mtu: told.get(IFLA_MTU)?.u32() ?? 0,
    operstate: OPER_STATES[told.get(IFLA_OPERSTATE)?.u8() ?? 0] ?? "UNKNOWN",
    carrier: told.get(IFLA_CARRIER)?.u8() === 1,
    txqlen: told.get(IFLA_TXQLEN)?.u32() ?? 0,
    promiscuity: told.get(IFLA_PROMISCUITY)?.u32() ?? 0,
    allMulti: told.get(IFLA_ALLMULTI)?.u32() ?? 0,
    ...pick(told, macs, bytes),
    ...pick(told, numbers, i32),
    ...pick(told, { alias: IFLA_IFALIAS }, string),
    ...pick(told, { stats: IFLA_STATS64 }, readStats),
    ...pick(kinds, { kind: IFLA_INFO_KIND, slaveKind: IFLA_INFO_SLAVE_KIND }, string),
  };
}

/** struct rtnl_link_stats64. */
function readStats(a: Attr): LinkStats {
  const words = a.struct(9 * 8);
  const count = (i: number): number => Number(words.getBigUint64(i * 8, true));
  return {
    rxPackets: count(0),
    txPackets: count(1),
    rxBytes: count(2),
    txBytes: count(3),
    rxErrors: count(4),
    txErrors: count(5),
    rxDropped: count(6),
    txDropped: count(7),
    multicast: count(8),
  };
}
