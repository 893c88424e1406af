/** UDP header, RFC 768; `at` is where it starts, `ipAt` where the IP header in front of it does. */
import { type Frame, put16, u16 } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import { transportChecksum4, transportChecksum6 } from "./pseudo-header.ts";

export const PROTOCOL = 17;
export const HEADER = 8;

export interface Fields {
  readonly srcPort: number;
  readonly dstPort: number;
  /** Of header and payload, in bytes. */
  readonly length: number;
}

/** Whole datagram there, length consistent; that the header is there follows. */
export const check = (f: Frame, at: number): boolean =>
  length(f, at) >= HEADER && length(f, at) <= f.length - at;

export const srcPort = (f: Frame, at: number): number => u16(f, at);
export const dstPort = (f: Frame, at: number): number => u16(f, at + 2);
/** Of header and payload, in bytes. */
export const length = (f: Frame, at: number): number => u16(f, at + 4);
/** 0: the sender counted none, which IPv6 forbids. */
export const checksum = (f: Frame, at: number): number => u16(f, at + 6);
export const payloadAt = (at: number): number => at + HEADER;

/** The header without checksum: `fillChecksum4` or `fillChecksum6` it once the payload is in. */
export function write(f: Frame, at: number, fields: Fields): void {
  put16(f, at, fields.srcPort);
  put16(f, at + 2, fields.dstPort);
  put16(f, at + 4, fields.length);
  put16(f, at + 6, 0);
}

export function fillChecksum4(f: Frame, ipAt: number): void {
  const at = ipv4.payloadAt(f, ipAt);
  put16(f, at + 6, 0);
  put16(f, at + 6, spoken(transportChecksum4(f, ipAt)));
}

export function fillChecksum6(f: Frame, ipAt: number): void {
  const at = ipv6.payloadAt(ipAt);
  put16(f, at + 6, 0);
  put16(f, at + 6, spoken(transportChecksum6(f, ipAt)));
}

/** A checksum that comes out as 0 is sent as its other zero, since 0 says "none". */
const spoken = (counted: number): number => (counted === 0 ? 0xffff : counted);
