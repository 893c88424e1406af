/**
 * IPv6 header, RFC 8200 §3; `at` is where it starts. An address fits no number: it travels as the offset
 * where its 16 bytes start, and is compared in place.
 */
import { type Frame, u8, u16, u32 } from "./frame.ts";

export const HEADER = 40;

/** Whole header there and version 6; the payload length is nobody's business here, as in Linux. */
export const check = (f: Frame, at: number): boolean =>
  f.length >= at + HEADER && version(f, at) === 6;

export const version = (f: Frame, at: number): number => u8(f, at) >> 4;
export const payloadLength = (f: Frame, at: number): number => u16(f, at + 4);
export const nextHeader = (f: Frame, at: number): number => u8(f, at + 6);
export const hopLimit = (f: Frame, at: number): number => u8(f, at + 7);
/** Offsets of the addresses. */
export const srcAt = (at: number): number => at + 8;
export const dstAt = (at: number): number => at + 24;

/** Whether the address at `at` is `::`. */
export const isUnspecified = (f: Frame, at: number): boolean =>
  u32(f, at) === 0 && u32(f, at + 4) === 0 && u32(f, at + 8) === 0 && u32(f, at + 12) === 0;
/** ff00::/8. */
export const isMulticast = (f: Frame, at: number): boolean => u8(f, at) === 0xff;
