/** Neighbours: which MAC an address on the link has. man: ip-neighbour(8). */
import { AttrWriter, attrs, header } from "./codec.ts";
import {
  NLM_F_CREATE,
  NLM_F_REPLACE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from "./constants.ts";
import { familyOf } from "./family.ts";
import { bytes, pick } from "./pick.ts";
import { NetlinkError, type NetlinkSocket } from "./socket.ts";

export interface Neighbour {
  readonly ifindex: number;
  readonly ip: Uint8Array;
  /** Known, though perhaps no longer fresh. */
  readonly mac?: Uint8Array;
  /** One bit of NUD_…. */
  readonly state: number;
}

export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

/** struct ndmsg. */
const NDMSG = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
/** In a dump's attributes: of one device only. */
const NDA_IFINDEX = 8;
const NTF_USE = 1;

/** Undefined if nobody has asked for it lately. */
export function getNeighbour(
  socket: NetlinkSocket,
  ifindex: number,
  ip: Uint8Array,
): Neighbour | undefined {
  const payload = new AttrWriter(ndmsg({ family: familyOf(ip), ifindex })).bytes(NDA_DST, ip);
  try {
    const [answer] = socket.request(RTM_GETNEIGH, 0, payload.finish(), "look up a neighbour");
    return answer && parseNeighbour(answer.payload);
  } catch (error) {
    if (error instanceof NetlinkError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

export function dumpNeighbours(
  socket: NetlinkSocket,
  which: { family?: number; ifindex?: number } = {},
): Neighbour[] {
  const w = new AttrWriter(ndmsg({ family: which.family ?? 0, ifindex: 0 }));
  if (which.ifindex !== undefined) w.u32(NDA_IFINDEX, which.ifindex);
  return socket
    .dump(RTM_GETNEIGH, w.finish(), "list neighbours")
    .map(({ payload }) => parseNeighbour(payload));
}

/** The kernel finds out (again) who has the address, as if it had a packet to send there. */
export function askNeighbour(socket: NetlinkSocket, ifindex: number, ip: Uint8Array): void {
  const fixed = ndmsg({ family: familyOf(ip), ifindex, flags: NTF_USE });
  const payload = new AttrWriter(fixed).bytes(NDA_DST, ip).finish();
  socket.request(RTM_NEWNEIGH, NLM_F_CREATE, payload, `ask for a neighbour on device ${ifindex}`);
}

/** Stays until it is deleted, and takes the place of what was learnt. */
export function addNeighbour(
  socket: NetlinkSocket,
  { ifindex, ip, mac }: { ifindex: number; ip: Uint8Array; mac: Uint8Array },
): void {
  const fixed = ndmsg({ family: familyOf(ip), ifindex, state: NUD_PERMANENT });
  const payload = new AttrWriter(fixed).bytes(NDA_DST, ip).bytes(NDA_LLADDR, mac).finish();
  const doing = `add a neighbour on device ${ifindex}`;
  socket.request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, payload, doing);
}

export function deleteNeighbour(socket: NetlinkSocket, ifindex: number, ip: Uint8Array): void {
  const payload = new AttrWriter(ndmsg({ family: familyOf(ip), ifindex })).bytes(NDA_DST, ip);
  const doing = `delete a neighbour on device ${ifindex}`;
  socket.request(RTM_DELNEIGH, 0, payload.finish(), doing);
}

/** Reads an RTM_NEWNEIGH or RTM_DELNEIGH. */
export function parseNeighbour(payload: Uint8Array): Neighbour {
  const fixed = header(payload, NDMSG);
  const told = attrs(payload, NDMSG);
  return {
    ifindex: fixed.getInt32(4, true),
    ip: told.get(NDA_DST)?.bytes ?? new Uint8Array(0),
    state: fixed.getUint16(8, true),
    ...pick(told, { mac: NDA_LLADDR }, bytes),
  };
}

function ndmsg(fixed: {
  family: number;
  ifindex: number;
  state?: number;
  flags?: number;
}): Uint8Array {
  const payload = Buffer.alloc(NDMSG);
  payload[0] = fixed.family;
  payload.writeInt32LE(fixed.ifindex, 4);
  payload.writeUInt16LE(fixed.state ?? 0, 8);
  payload[10] = fixed.flags ?? 0;
  return payload;
}
