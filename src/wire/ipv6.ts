/**
 * IPv6 header, RFC 8200 §3; `at` is where it starts. An address fits no number: it travels as the offset
 * where its 16 bytes start, and is compared in place.
 */
import { type Frame, put8, put16, put32, u8, u16, u32 } from "./frame.ts";

export const HEADER = 40;
/** Bytes of an address. */
export const ADDRESS = 16;

export interface Fields {
  /** Of what follows the header, in bytes. */
  readonly payloadLength: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly flowLabel?: number;
  /** 16 bytes. */
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
}

/** Whole header there and version 6; the payload length is nobody's business here, as in Linux. */
export const check = (f: Frame, at: number): boolean =>
  f.length >= at + HEADER && version(f, at) === 6;

export const version = (f: Frame, at: number): number => u8(f, at) >> 4;
export const trafficClass = (f: Frame, at: number): number => (u16(f, at) >> 4) & 0xff;
export const flowLabel = (f: Frame, at: number): number => u32(f, at) & 0xfffff;
export const payloadLength = (f: Frame, at: number): number => u16(f, at + 4);
export const nextHeader = (f: Frame, at: number): number => u8(f, at + 6);
export const hopLimit = (f: Frame, at: number): number => u8(f, at + 7);
/** Offsets of the addresses. */
export const srcAt = (at: number): number => at + 8;
export const dstAt = (at: number): number => at + 24;
export const payloadAt = (at: number): number => at + HEADER;

/** Whether the address at `at` is `::`. */
export const isUnspecified = (f: Frame, at: number): boolean =>
  u32(f, at) === 0 && u32(f, at + 4) === 0 && u32(f, at + 8) === 0 && u32(f, at + 12) === 0;
/** ff00::/8. */
export const isMulticast = (f: Frame, at: number): boolean => u8(f, at) === 0xff;

/** MAC of the group at `at`, RFC 2464 §7: 33:33 and the group's last four bytes. */
export const GROUP_MAC_HIGH = 0x3333;
export const groupMacLow = (f: Frame, at: number): number => u32(f, at + 12);

/** A header of traffic class 0. */
export function write(f: Frame, at: number, fields: Fields): void {
  put32(f, at, 0x60000000 | (fields.flowLabel ?? 0));
  put16(f, at + 4, fields.payloadLength);
  put8(f, at + 6, fields.nextHeader);
  put8(f, at + 7, fields.hopLimit);
  putAddress(f, srcAt(at), fields.src);
  putAddress(f, dstAt(at), fields.dst);
}

export function putAddress(f: Frame, at: number, address: Uint8Array): void {
  for (let i = 0; i < ADDRESS; i++) put8(f, at + i, address[i] ?? 0);
}

/**
 * Writes at `at` the group that the holder of the address at `targetAt` listens to,
 * ff02::1:ff00:0/104 and the address's last three bytes (RFC 4291 §2.7.1).
 */
export function putSolicitedNode(f: Frame, at: number, targetAt: number): void {
  const last = u32(f, targetAt + 12);
  put32(f, at, 0xff020000);
  put32(f, at + 4, 0);
  put32(f, at + 8, 1);
  put32(f, at + 12, 0xff000000 | (last & 0xffffff));
}

/** No checksum covers it. */
export function setHopLimit(f: Frame, at: number, value: number): void {
  put8(f, at + 7, value);
}
