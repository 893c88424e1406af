/** IPv4 header, RFC 791 §3.1; `at` is where it starts. Addresses are numbers, 0 … 2^32 - 1. */
import { checksum, update16 } from "./checksum.ts";
import { type Frame, put8, put16, put32, u8, u16, u32 } from "./frame.ts";

export const MIN_HEADER = 20;

export interface Fields {
  /** Of header and payload, in bytes. */
  readonly totalLength: number;
  /** 0 unless given: nobody needs it in a packet that may not be fragmented (RFC 6864 §4.1). */
  readonly identification?: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly src: number;
  readonly dst: number;
}

/** Whole header there, version 4, lengths consistent. Kernel: ipvlan_get_L3_hdr(). */
export function check(f: Frame, at: number): boolean {
  if (f.length < at + MIN_HEADER || version(f, at) !== 4) return false;
  const header = headerLength(f, at);
  const total = totalLength(f, at);
  return header >= MIN_HEADER && header <= total && total <= f.length - at;
}

export const version = (f: Frame, at: number): number => u8(f, at) >> 4;
/** In bytes. */
export const headerLength = (f: Frame, at: number): number => (u8(f, at) & 0x0f) * 4;
export const tos = (f: Frame, at: number): number => u8(f, at + 1);
/** Of header and payload, in bytes. */
export const totalLength = (f: Frame, at: number): number => u16(f, at + 2);
export const identification = (f: Frame, at: number): number => u16(f, at + 4);
/** In units of 8 bytes. */
export const fragmentOffset = (f: Frame, at: number): number => u16(f, at + 6) & 0x1fff;
export const moreFragments = (f: Frame, at: number): boolean => (u16(f, at + 6) & 0x2000) !== 0;
export const dontFragment = (f: Frame, at: number): boolean => (u16(f, at + 6) & 0x4000) !== 0;
export const ttl = (f: Frame, at: number): number => u8(f, at + 8);
export const protocol = (f: Frame, at: number): number => u8(f, at + 9);
export const headerChecksum = (f: Frame, at: number): number => u16(f, at + 10);
export const src = (f: Frame, at: number): number => u32(f, at + 12);
export const dst = (f: Frame, at: number): number => u32(f, at + 16);
/** Offset of the source address; the destination stands right behind it. */
export const srcAt = (at: number): number => at + 12;
export const payloadAt = (f: Frame, at: number): number => at + headerLength(f, at);
/** In bytes; below 0 in a header that `check` refuses. */
export const payloadLength = (f: Frame, at: number): number =>
  totalLength(f, at) - headerLength(f, at);

/** 127.0.0.0/8. */
export const isLoopback = (addr: number): boolean => addr >>> 24 === 127;
/** 224.0.0.0/4. */
export const isMulticast = (addr: number): boolean => addr >>> 28 === 14;
/** 255.255.255.255. */
export const isLimitedBroadcast = (addr: number): boolean => addr === 0xffffffff;

/** MAC of a group, RFC 1112 §6.4: 01:00:5e and the group's lower 23 bits, so 32 groups share each. */
export const GROUP_MAC_HIGH = 0x0100;
export const groupMacLow = (group: number): number => 0x5e000000 | (group & 0x7fffff);

/** A header without options, not to be fragmented, checksum included. */
export function write(f: Frame, at: number, fields: Fields): void {
  put16(f, at, 0x4500);
  put16(f, at + 2, fields.totalLength);
  put16(f, at + 4, fields.identification ?? 0);
  put16(f, at + 6, 0x4000);
  put8(f, at + 8, fields.ttl);
  put8(f, at + 9, fields.protocol);
  put32(f, at + 12, fields.src);
  put32(f, at + 16, fields.dst);
  fillChecksum(f, at);
}

export function fillChecksum(f: Frame, at: number): void {
  put16(f, at + 10, 0);
  put16(f, at + 10, checksum(f, at, headerLength(f, at)));
}

/** Brings the checksum along; a wrong one stays as wrong as it was. */
export function setTtl(f: Frame, at: number, value: number): void {
  const word = u16(f, at + 8);
  const changed = (value << 8) | protocol(f, at);
  put16(f, at + 8, changed);
  put16(f, at + 10, update16(headerChecksum(f, at), word, changed));
}
