/** TCP header, RFC 9293 §3.1; `at` is where it starts, `ipAt` where the IP header in front of it does. Options are not read. */
import { type Frame, put8, put16, put32, u8, u16, u32 } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import { transportChecksum4, transportChecksum6 } from "./pseudo-header.ts";

export const PROTOCOL = 6;
/** Without options. */
export const MIN_HEADER = 20;

/** Flags. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;

export interface Fields {
  readonly srcPort: number;
  readonly dstPort: number;
  /** Of the first byte of payload, or of SYN. 0 … 2^32 - 1, as the next. */
  readonly sequence: number;
  /** What is expected next; 0 without the flag ACK. */
  readonly acknowledgement: number;
  readonly flags: number;
  /** Bytes that the sender takes. */
  readonly window: number;
}

/** Whole header there. */
export const check = (f: Frame, at: number): boolean =>
  f.length - at >= MIN_HEADER &&
  headerLength(f, at) >= MIN_HEADER &&
  headerLength(f, at) <= f.length - at;

export const srcPort = (f: Frame, at: number): number => u16(f, at);
export const dstPort = (f: Frame, at: number): number => u16(f, at + 2);
export const sequence = (f: Frame, at: number): number => u32(f, at + 4);
export const acknowledgement = (f: Frame, at: number): number => u32(f, at + 8);
/** In bytes, with options. */
export const headerLength = (f: Frame, at: number): number => (u8(f, at + 12) >> 4) * 4;
export const flags = (f: Frame, at: number): number => u8(f, at + 13);
/** In bytes; what an option might scale it by is not asked. */
export const window = (f: Frame, at: number): number => u16(f, at + 14);
export const checksum = (f: Frame, at: number): number => u16(f, at + 16);
export const payloadAt = (f: Frame, at: number): number => at + headerLength(f, at);

/** A header without options and checksum: `fillChecksum4` or `fillChecksum6` it once the payload is in. */
export function write(f: Frame, at: number, fields: Fields): void {
  put16(f, at, fields.srcPort);
  put16(f, at + 2, fields.dstPort);
  put32(f, at + 4, fields.sequence);
  put32(f, at + 8, fields.acknowledgement);
  put8(f, at + 12, (MIN_HEADER / 4) << 4);
  put8(f, at + 13, fields.flags);
  put16(f, at + 14, fields.window);
  put32(f, at + 16, 0); // checksum, urgent pointer
}

export function fillChecksum4(f: Frame, ipAt: number): void {
  const at = ipv4.payloadAt(f, ipAt);
  put16(f, at + 16, 0);
  put16(f, at + 16, transportChecksum4(f, ipAt));
}

export function fillChecksum6(f: Frame, ipAt: number): void {
  const at = ipv6.payloadAt(ipAt);
  put16(f, at + 16, 0);
  put16(f, at + 16, transportChecksum6(f, ipAt));
}
