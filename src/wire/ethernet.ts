/**
 * Ethernet header, IEEE 802.3 §3: destination 0–5, source 6–11, type or length 12–13. A MAC travels as two
 * numbers, `high` (bytes 0–1) and `low` (bytes 2–5), since six bytes fit no integer of 32 bits.
 * With the tags of 802.1Q and 802.1ad: type 0x8100 or 0x88a8, then two bytes of tag control information
 * (priority 3 bits, drop eligible 1, VLAN id 12), then the inner type.
 */
import { type Frame, put16, put32, u8, u16, u32 } from "./frame.ts";

export const HEADER = 14;
/** Bytes that one VLAN tag adds behind the MACs. */
export const TAG = 4;
/** Bytes of both MACs: where a tag goes in. */
const MACS = 12;

export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_PAUSE = 0x8808;
export const ETH_P_8021AD = 0x88a8;

export const dstHigh = (f: Frame): number => u16(f, 0);
export const dstLow = (f: Frame): number => u32(f, 2);
export const srcHigh = (f: Frame): number => u16(f, 6);
export const srcLow = (f: Frame): number => u32(f, 8);
/** Type of what follows, or below 1536 the length of an 802.3 frame. */
export const type = (f: Frame): number => u16(f, 12);
/** Tag control information, when `isTag(type(f))`. */
export const tagControl = (f: Frame): number => u16(f, 14);
/** VLAN id, when `isTag(type(f))`. */
export const vlanId = (f: Frame): number => tagControl(f) & 0x0fff;
/** The type behind one tag, when `isTag(type(f))`. */
export const innerType = (f: Frame): number => u16(f, 16);

/** Broadcast is a group too. */
export const isGroup = (f: Frame): boolean => (u8(f, 0) & 1) === 1;
/** Source MAC = destination MAC: on a port of one MAC, the neighbour is on this very master. */
export const isLocal = (f: Frame): boolean => dstHigh(f) === srcHigh(f) && dstLow(f) === srcLow(f);
export const isFrom = (f: Frame, high: number, low: number): boolean =>
  srcHigh(f) === high && srcLow(f) === low;
export const isTag = (etherType: number): boolean =>
  etherType === ETH_P_8021Q || etherType === ETH_P_8021AD;

export function setDst(f: Frame, high: number, low: number): void {
  put16(f, 0, high);
  put32(f, 2, low);
}
export function setSrc(f: Frame, high: number, low: number): void {
  put16(f, 6, high);
  put32(f, 8, low);
}
export function setType(f: Frame, etherType: number): void {
  put16(f, 12, etherType);
}

/**
 * Puts a tag behind the MACs, which move forward into the four bytes in front of the frame. False, and
 * nothing done, where the window has no such room or holds no MACs.
 */
export function pushTag(f: Frame, etherType: number, control: number): boolean {
  if (f.start < TAG || f.length < MACS) return false;
  f.bytes.copyWithin(f.start - TAG, f.start, f.start + MACS);
  f.start -= TAG;
  f.length += TAG;
  put16(f, MACS, etherType);
  put16(f, MACS + 2, control);
  return true;
}

/** Takes the outer tag out; the MACs move back over it. False, and nothing done, where there is none. */
export function popTag(f: Frame): boolean {
  if (f.length < HEADER + TAG || !isTag(type(f))) return false;
  f.bytes.copyWithin(f.start + TAG, f.start, f.start + MACS);
  f.start += TAG;
  f.length -= TAG;
  return true;
}
