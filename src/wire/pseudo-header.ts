/**
 * Checksums of what IP carries. TCP, UDP and ICMPv6 count addresses, protocol and length of the IP header along,
 * as a header that is never sent: RFC 9293 §3.1, RFC 768, RFC 8200 §8.1. ICMP for IPv4 does not.
 *
 * `ipAt` is where the IP header starts. Neither fragments nor IPv6 extension headers are looked into:
 * the transport header is taken to stand right behind the IP header.
 */
import { finish, sum } from "./checksum.ts";
import type { Frame } from "./frame.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";

/** Unfolded; folded, it is what a sender leaves in the checksum field for the device to finish. */
export const pseudoSum4 = (f: Frame, ipAt: number): number =>
  sum(f, ipv4.srcAt(ipAt), 8) + ipv4.protocol(f, ipAt) + ipv4.payloadLength(f, ipAt);

export const pseudoSum6 = (f: Frame, ipAt: number): number =>
  sum(f, ipv6.srcAt(ipAt), 32) + ipv6.nextHeader(f, ipAt) + ipv6.payloadLength(f, ipAt);

/** While the checksum field is 0: what belongs there. Otherwise: 0 if the segment arrived whole. */
export const transportChecksum4 = (f: Frame, ipAt: number): number =>
  finish(pseudoSum4(f, ipAt) + sum(f, ipv4.payloadAt(f, ipAt), ipv4.payloadLength(f, ipAt)));

export const transportChecksum6 = (f: Frame, ipAt: number): number =>
  finish(pseudoSum6(f, ipAt) + sum(f, ipv6.payloadAt(ipAt), ipv6.payloadLength(f, ipAt)));
