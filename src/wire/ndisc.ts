/**
 * Neighbour discovery, RFC 4861 §4, behind an IPv6 header that starts at `at` and has no extension headers
 * (RFC 6980 forbids fragments, and nobody sends others): type at 40, target address of solicitations and
 * advertisements at 48, options behind it.
 */
import { type Frame, u8 } from "./frame.ts";
import * as ipv6 from "./ipv6.ts";

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const REDIRECT = 137;

export const NEXT_HEADER_ICMP6 = 58;

export const isIcmp6 = (f: Frame, at: number): boolean =>
  ipv6.nextHeader(f, at) === NEXT_HEADER_ICMP6 && f.length >= at + ipv6.HEADER + 8;
export const type = (f: Frame, at: number): number => u8(f, at + ipv6.HEADER);
/** Offset of the target address. */
export const targetAt = (at: number): number => at + ipv6.HEADER + 8;

/** A solicitation from `::` asks whether its target is taken, RFC 4862 §5.4.2. */
export const isDadProbe = (f: Frame, at: number): boolean =>
  ipv6.isUnspecified(f, ipv6.srcAt(at)) && isIcmp6(f, at) && type(f, at) === NEIGHBOUR_SOLICITATION;
