/**
 * Neighbour discovery, RFC 4861 §4, behind an IPv6 header that starts at `at` and has no extension headers
 * (RFC 6980 forbids fragments, and nobody sends others): type at 40, target address of solicitations and
 * advertisements at 48, options behind it.
 */
import { type Frame, put8, put16, put32, u8, u16, u32 } from "./frame.ts";
import * as ipv6 from "./ipv6.ts";

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const REDIRECT = 137;

export const NEXT_HEADER_ICMP6 = 58;

/** Bytes of a solicitation or advertisement without options. */
export const LENGTH = 24;
/** Bytes of an option that carries a MAC. */
export const LINK_LAYER_OPTION = 8;
export const SOURCE_LINK_LAYER = 1;
export const TARGET_LINK_LAYER = 2;

/** Flags of an advertisement. */
export const ROUTER = 0x80;
export const SOLICITED = 0x40;
export const OVERRIDE = 0x20;

export const isIcmp6 = (f: Frame, at: number): boolean =>
  ipv6.nextHeader(f, at) === NEXT_HEADER_ICMP6 && f.length >= at + ipv6.HEADER + 8;
export const type = (f: Frame, at: number): number => u8(f, at + ipv6.HEADER);
/** `ROUTER`, `SOLICITED`, `OVERRIDE` of an advertisement. */
export const flags = (f: Frame, at: number): number => u8(f, at + ipv6.HEADER + 4);
/** Offset of the target address. */
export const targetAt = (at: number): number => at + ipv6.HEADER + 8;

/** A solicitation from `::` asks whether its target is taken, RFC 4862 §5.4.2. */
export const isDadProbe = (f: Frame, at: number): boolean =>
  ipv6.isUnspecified(f, ipv6.srcAt(at)) && isIcmp6(f, at) && type(f, at) === NEIGHBOUR_SOLICITATION;

/** Offset of the first whole option of this type behind a solicitation or advertisement, or -1. */
export function findOption(f: Frame, at: number, optionType: number): number {
  const end = Math.min(f.length, ipv6.payloadAt(at) + ipv6.payloadLength(f, at));
  let option = optionsAt(at);
  while (option + 2 <= end) {
    const length = u8(f, option + 1) * 8;
    if (length === 0 || option + length > end) return -1; // RFC 4861 §4.6: length 0 is to be discarded
    if (u8(f, option) === optionType) return option;
    option += length;
  }
  return -1;
}
/** MAC in a link-layer option, given the option's offset. */
export const optionMacHigh = (f: Frame, option: number): number => u16(f, option + 2);
export const optionMacLow = (f: Frame, option: number): number => u32(f, option + 4);

/** Without checksum, as the writers below: `icmp.fillChecksum6` it once the options are in. */
export function writeSolicitation(f: Frame, at: number, target: Uint8Array): void {
  writeMessage(f, at, NEIGHBOUR_SOLICITATION, 0, target);
}

export function writeAdvertisement(
  f: Frame,
  at: number,
  withFlags: number,
  target: Uint8Array,
): void {
  writeMessage(f, at, NEIGHBOUR_ADVERTISEMENT, withFlags, target);
}

/** The first option, which is the only one that solicitations and advertisements have. */
export function writeLinkLayerOption(
  f: Frame,
  at: number,
  optionType: number,
  macHigh: number,
  macLow: number,
): void {
  const option = optionsAt(at);
  put8(f, option, optionType);
  put8(f, option + 1, LINK_LAYER_OPTION / 8);
  put16(f, option + 2, macHigh);
  put32(f, option + 4, macLow);
}

const optionsAt = (at: number): number => ipv6.payloadAt(at) + LENGTH;

function writeMessage(
  f: Frame,
  at: number,
  messageType: number,
  withFlags: number,
  target: Uint8Array,
): void {
  const icmpAt = ipv6.payloadAt(at);
  put8(f, icmpAt, messageType);
  put8(f, icmpAt + 1, 0);
  put16(f, icmpAt + 2, 0);
  put32(f, icmpAt + 4, withFlags << 24);
  ipv6.putAddress(f, targetAt(at), target);
}
