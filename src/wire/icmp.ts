/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443): type, code, checksum; and the echo messages of both, which differ
 * in their type numbers and in what the checksum covers. `at` is where the ICMP header starts, `ipAt`
 * where the IP header does. Neighbour discovery is in `ndisc.ts`.
 */
import { checksum as checksumOf } from "./checksum.ts";
import { type Frame, put8, put16, u8, u16 } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import { transportChecksum6 } from "./pseudo-header.ts";

export const PROTOCOL = 1;
export const PROTOCOL6 = 58;
/** Of every message type we know. */
export const HEADER = 8;

export const ECHO_REPLY = 0;
export const ECHO_REQUEST = 8;
export const ECHO_REQUEST6 = 128;
export const ECHO_REPLY6 = 129;

/** Errors: what they are about follows the header, from its IP header on. RFC 792, RFC 4443 §2.1. */
export const UNREACHABLE = 3;
export const REDIRECT = 5;
export const TIME_EXCEEDED = 11;
export const UNREACHABLE6 = 1;
export const TOO_BIG6 = 2;
export const TIME_EXCEEDED6 = 3;
/** Codes of UNREACHABLE. */
export const NO_ROUTE = 0;
export const NO_HOST = 1;
export const NO_PORT = 3;
export const FRAGMENTATION_NEEDED = 4;
/** Code of REDIRECT. */
export const REDIRECT_HOST = 1;
/** Of UNREACHABLE6, whose code 0 means no route, too. */
export const NO_ADDRESS6 = 3;
export const NO_PORT6 = 4;

export interface Echo {
  readonly type: number;
  readonly identifier: number;
  readonly sequence: number;
}

export const check = (f: Frame, at: number): boolean => f.length >= at + HEADER;
export const type = (f: Frame, at: number): number => u8(f, at);
export const code = (f: Frame, at: number): number => u8(f, at + 1);
export const checksum = (f: Frame, at: number): number => u16(f, at + 2);
/** Of an echo message, as the sequence number. */
export const identifier = (f: Frame, at: number): number => u16(f, at + 4);
export const sequence = (f: Frame, at: number): number => u16(f, at + 6);
/** Of FRAGMENTATION_NEEDED (RFC 1191 §4) and TOO_BIG6 (RFC 4443 §3.2), of the link that is too narrow. */
export const mtu = (f: Frame, at: number): number => u16(f, at + 6);
/** Of REDIRECT: offset of the router's address. */
export const gatewayAt = (at: number): number => at + 4;
export const payloadAt = (at: number): number => at + HEADER;

/** The header without checksum: `fillChecksum4` or `fillChecksum6` it once the payload is in. */
export function writeEcho(f: Frame, at: number, echo: Echo): void {
  put8(f, at, echo.type);
  put8(f, at + 1, 0);
  put16(f, at + 2, 0);
  put16(f, at + 4, echo.identifier);
  put16(f, at + 6, echo.sequence);
}

export function fillChecksum4(f: Frame, ipAt: number): void {
  const at = ipv4.payloadAt(f, ipAt);
  put16(f, at + 2, 0);
  put16(f, at + 2, checksumOf(f, at, ipv4.payloadLength(f, ipAt)));
}

export function fillChecksum6(f: Frame, ipAt: number): void {
  const at = ipv6.payloadAt(ipAt);
  put16(f, at + 2, 0);
  put16(f, at + 2, transportChecksum6(f, ipAt));
}
