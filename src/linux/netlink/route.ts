/** Routes: where would a packet go, what do the tables say. man: ip-route(8). */
import { type Attrs, AttrWriter, align4, attrs, header, NetlinkFormatError } from "./codec.ts";
import {
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "./constants.ts";
import { familyOf } from "./family.ts";
import { bytes, pick, u32 } from "./pick.ts";
import { NetlinkError, type NetlinkSocket } from "./socket.ts";

const TYPES = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
  "xresolve",
] as const;
export type RouteType = (typeof TYPES)[number];

export interface RouteSpec {
  /** AF_…. */
  family: number;
  /** Left out: the default route. */
  dst?: Uint8Array;
  prefixLength: number;
  table: number;
  type: RouteType;
  oif?: number;
  /** Its family may be the other one (RFC 5549). */
  gateway?: Uint8Array;
  /** The gateway need not be in a subnet of the device. */
  onlink?: boolean;
  /** RT_SCOPE_…; left out: what `ip route` would take. */
  scope?: number;
  /** Lower is preferred. */
  priority?: number;
  /** Bytes of a packet on this way, and of TCP's segments in it, at most; left out: as the device has it. */
  mtu?: number;
  advmss?: number;
}

/** One way of a route that has several. */
export interface Hop {
  readonly oif: number;
  readonly gateway?: Uint8Array;
  readonly onlink: boolean;
}

export interface Route extends Readonly<RouteSpec> {
  readonly scope: number;
  /** If there are several, `oif` and `gateway` are left out. */
  readonly hops?: readonly Hop[];
  /** The source address the kernel would choose. */
  readonly prefsrc?: Uint8Array;
}

export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
const RT_SCOPE_NOWHERE = 255;
const RTPROT_STATIC = 4;
const RTNH_F_ONLINK = 4;

/** struct rtmsg. */
const RTMSG = 12;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;

/** struct rtnexthop. */
const RTNEXTHOP = 8;

/** What the routes of types "unreachable" and "prohibit" say, and no route at all. */
const NO_WAY: readonly string[] = ["ENETUNREACH", "EHOSTUNREACH", "EACCES"];

/** Which way the kernel would send a packet; undefined: none. */
export function getRoute(
  socket: NetlinkSocket,
  packet: { dst: Uint8Array; src?: Uint8Array; oif?: number; iif?: number },
): Route | undefined {
  const { dst, src, oif, iif } = packet;
  const fixed = { family: familyOf(dst), dst: bits(dst), src: src && bits(src) };
  const w = new AttrWriter(rtmsg(fixed)).bytes(RTA_DST, dst);
  if (src !== undefined) w.bytes(RTA_SRC, src);
  if (oif !== undefined) w.u32(RTA_OIF, oif);
  if (iif !== undefined) w.u32(RTA_IIF, iif);
  try {
    const [answer] = socket.request(RTM_GETROUTE, 0, w.finish(), "look up a route");
    return answer && parseRoute(answer.payload);
  } catch (error) {
    if (error instanceof NetlinkError && saysNoWay(error)) return undefined;
    throw error;
  }
}

/** A blackhole is EINVAL, as a wrong request is; only that is explained. */
const saysNoWay = ({ code, extack }: NetlinkError): boolean =>
  NO_WAY.includes(code) || (code === "EINVAL" && extack === undefined);

export function dumpRoutes(
  socket: NetlinkSocket,
  which: { family: number; table?: number; oif?: number },
): Route[] {
  const w = new AttrWriter(rtmsg({ family: which.family }));
  if (which.table !== undefined) w.u32(RTA_TABLE, which.table);
  if (which.oif !== undefined) w.u32(RTA_OIF, which.oif);
  try {
    return socket
      .dump(RTM_GETROUTE, w.finish(), "list routes")
      .map(({ payload }) => parseRoute(payload));
  } catch (error) {
    // A table is there as long as there is a route in it.
    if (error instanceof NetlinkError && error.code === "ENOENT") return [];
    throw error;
  }
}

/** Throws EEXIST if there is one for the same destination, table and priority. */
export function addRoute(socket: NetlinkSocket, spec: RouteSpec): void {
  const doing = `add a route to table ${spec.table}`;
  socket.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, encodeRoute(spec), doing);
}

/** Beside those for the same destination; throws EEXIST only if there is one that is the same in all. */
export function appendRoute(socket: NetlinkSocket, spec: RouteSpec): void {
  const doing = `add a route to table ${spec.table}`;
  socket.request(RTM_NEWROUTE, NLM_F_CREATE, encodeRoute(spec), doing);
}

/** Takes the place of the one for the same destination, table and priority, if any. */
export function replaceRoute(socket: NetlinkSocket, spec: RouteSpec): void {
  const doing = `put a route into table ${spec.table}`;
  socket.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, encodeRoute(spec), doing);
}

export function deleteRoute(socket: NetlinkSocket, spec: RouteSpec): void {
  const scope = spec.scope ?? RT_SCOPE_NOWHERE;
  const payload = encodeRoute({ ...spec, scope });
  socket.request(RTM_DELROUTE, 0, payload, `delete a route from table ${spec.table}`);
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE. */
export function parseRoute(payload: Uint8Array): Route {
  const fixed = header(payload, RTMSG);
  const told = attrs(payload, RTMSG);
  const gateway = readGateway(told);
  const hops = told.get(RTA_MULTIPATH)?.bytes;
  return {
    family: fixed.getUint8(0),
    prefixLength: fixed.getUint8(1),
    table: told.get(RTA_TABLE)?.u32() ?? fixed.getUint8(4),
    scope: fixed.getUint8(6),
    type: TYPES[fixed.getUint8(7)] ?? "unspec",
    onlink: (fixed.getUint32(8, true) & RTNH_F_ONLINK) !== 0,
    ...pick(told, { dst: RTA_DST, prefsrc: RTA_PREFSRC }, bytes),
    ...pick(told, { oif: RTA_OIF, priority: RTA_PRIORITY }, u32),
    ...(gateway && { gateway }),
    ...(hops && { hops: readHops(hops) }),
  };
}

function readHops(all: Uint8Array): Hop[] {
  const hops: Hop[] = [];
  for (let at = 0; at < all.length; ) {
    const fixed = header(all.subarray(at), RTNEXTHOP);
    const length = fixed.getUint16(0, true);
    if (length < RTNEXTHOP || at + length > all.length)
      throw new NetlinkFormatError("odd next hop");
    const gateway = readGateway(attrs(all.subarray(at, at + length), RTNEXTHOP));
    hops.push({
      oif: fixed.getInt32(4, true),
      onlink: (fixed.getUint8(2) & RTNH_F_ONLINK) !== 0,
      ...(gateway && { gateway }),
    });
    at += align4(length);
  }
  return hops;
}

function readGateway(told: Attrs): Uint8Array | undefined {
  const via = told.get(RTA_VIA)?.bytes; // struct rtvia: family, then the address
  if (via === undefined) return told.get(RTA_GATEWAY)?.bytes;
  if (via.length !== 6 && via.length !== 18) throw new NetlinkFormatError("odd gateway");
  return via.subarray(2);
}

function encodeRoute(spec: RouteSpec): Uint8Array {
  const { family, dst, gateway, oif, priority, mtu, advmss } = spec;
  const fixed = { family, dst: spec.prefixLength, type: spec.type, scope: scopeOf(spec) };
  const w = new AttrWriter(rtmsg({ ...fixed, onlink: spec.onlink })).u32(RTA_TABLE, spec.table);
  if (dst !== undefined) w.bytes(RTA_DST, dst);
  if (oif !== undefined) w.u32(RTA_OIF, oif);
  if (priority !== undefined) w.u32(RTA_PRIORITY, priority);
  if (mtu !== undefined || advmss !== undefined)
    w.nest(RTA_METRICS, (metrics) => {
      if (mtu !== undefined) metrics.u32(RTAX_MTU, mtu);
      if (advmss !== undefined) metrics.u32(RTAX_ADVMSS, advmss);
    });
  if (gateway === undefined) return w.finish();
  if (familyOf(gateway) === family) return w.bytes(RTA_GATEWAY, gateway).finish();
  return w.bytes(RTA_VIA, Uint8Array.of(familyOf(gateway), 0, ...gateway)).finish();
}

function scopeOf(spec: RouteSpec): number {
  if (spec.scope !== undefined) return spec.scope;
  if (spec.type === "local" || spec.type === "nat") return RT_SCOPE_HOST;
  if (["broadcast", "multicast", "anycast"].includes(spec.type)) return RT_SCOPE_LINK;
  return spec.type === "unicast" && spec.gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

interface Fixed {
  family: number;
  /** Bits of the prefixes. */
  dst?: number;
  src?: number | undefined;
  scope?: number;
  type?: RouteType;
  onlink?: boolean | undefined;
}

/** The table goes into an attribute, where it has 32 bits. */
function rtmsg({ family, dst = 0, src = 0, scope = 0, type, onlink = false }: Fixed): Uint8Array {
  const fixed = Buffer.alloc(RTMSG);
  fixed.set([family, dst, src]);
  fixed[6] = scope;
  if (type !== undefined) {
    fixed[5] = RTPROT_STATIC;
    fixed[7] = TYPES.indexOf(type);
  }
  fixed.writeUInt32LE(onlink ? RTNH_F_ONLINK : 0, 8);
  return fixed;
}

const bits = (ip: Uint8Array): number => ip.length * 8;
