/** IP addresses of devices. man: rtnetlink(7). */
import { AttrWriter, attrs, header, NetlinkFormatError } from "./codec.ts";
import { NLM_F_CREATE, NLM_F_EXCL, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from "./constants.ts";
import { familyOf } from "./family.ts";
import { writeTarget } from "./nsid.ts";
import { pick, string } from "./pick.ts";
import type { NetlinkSocket } from "./socket.ts";

export interface Address {
  /** AF_…. */
  readonly family: number;
  /** The device's own, not that of the other end of a point-to-point link. */
  readonly ip: Uint8Array;
  readonly prefixLength: number;
  readonly ifindex: number;
  /** IFA_F_…. */
  readonly flags: number;
  /** RT_SCOPE_…. */
  readonly scope: number;
  readonly label?: string;
  /** Duplicate address detection (RFC 4862) is not through yet, or has failed. */
  readonly tentative: boolean;
  readonly dadFailed: boolean;
}

export interface AddressSpec {
  ifindex: number;
  ip: Uint8Array;
  prefixLength: number;
  /** IFA_F_…, such as IFA_F_NODAD. */
  flags?: number;
}

export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;

/** struct ifaddrmsg. */
const IFADDRMSG = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_FLAGS = 8;
const IFA_TARGET_NETNSID = 10;

/** Reads an RTM_NEWADDR or RTM_DELADDR. */
export function parseAddress(payload: Uint8Array): Address {
  const fixed = header(payload, IFADDRMSG);
  const told = attrs(payload, IFADDRMSG);
  const ip = (told.get(IFA_LOCAL) ?? told.get(IFA_ADDRESS))?.bytes;
  if (ip === undefined) throw new NetlinkFormatError("address message without an address");
  const flags = told.get(IFA_FLAGS)?.u32() ?? fixed.getUint8(2);
  return {
    family: fixed.getUint8(0),
    ip,
    prefixLength: fixed.getUint8(1),
    ifindex: fixed.getInt32(4, true),
    flags,
    scope: fixed.getUint8(3),
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    dadFailed: (flags & IFA_F_DADFAILED) !== 0,
    ...pick(told, { label: IFA_LABEL }, string),
  };
}

export function dumpAddresses(
  socket: NetlinkSocket,
  which: { ifindex?: number; family?: number; targetNsid?: number } = {},
): Address[] {
  const { ifindex = 0, family = 0, targetNsid } = which;
  const w = new AttrWriter(ifaddrmsg({ family, prefixLength: 0, ifindex }));
  writeTarget(w, IFA_TARGET_NETNSID, targetNsid);
  return socket
    .dump(RTM_GETADDR, w.finish(), "list addresses")
    .map(({ payload }) => parseAddress(payload));
}

export function addAddress(socket: NetlinkSocket, spec: AddressSpec): void {
  const w = identify(spec).u32(IFA_FLAGS, spec.flags ?? 0);
  const doing = `add an address to device ${spec.ifindex}`;
  socket.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, w.finish(), doing);
}

export function deleteAddress(socket: NetlinkSocket, spec: AddressSpec): void {
  const doing = `delete an address of device ${spec.ifindex}`;
  socket.request(RTM_DELADDR, 0, identify(spec).finish(), doing);
}

function identify({ ip, prefixLength, ifindex }: AddressSpec): AttrWriter {
  return new AttrWriter(ifaddrmsg({ family: familyOf(ip), prefixLength, ifindex }))
    .bytes(IFA_LOCAL, ip)
    .bytes(IFA_ADDRESS, ip);
}

function ifaddrmsg(fixed: { family: number; prefixLength: number; ifindex: number }): Uint8Array {
  const bytes = Buffer.alloc(IFADDRMSG);
  bytes[0] = fixed.family;
  bytes[1] = fixed.prefixLength;
  bytes.writeInt32LE(fixed.ifindex, 4);
  return bytes;
}
