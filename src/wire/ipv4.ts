/** IPv4 header, RFC 791 §3.1; `at` is where it starts. Addresses are numbers, 0 … 2^32 - 1. */
import { type Frame, u8, u16, u32 } from "./frame.ts";

export const MIN_HEADER = 20;

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
export const ttl = (f: Frame, at: number): number => u8(f, at + 8);
export const protocol = (f: Frame, at: number): number => u8(f, at + 9);
export const headerChecksum = (f: Frame, at: number): number => u16(f, at + 10);
export const src = (f: Frame, at: number): number => u32(f, at + 12);
export const dst = (f: Frame, at: number): number => u32(f, at + 16);

/** 127.0.0.0/8. */
export const isLoopback = (addr: number): boolean => addr >>> 24 === 127;
/** 224.0.0.0/4. */
export const isMulticast = (addr: number): boolean => addr >>> 28 === 14;
/** 255.255.255.255. */
export const isLimitedBroadcast = (addr: number): boolean => addr === 0xffffffff;
