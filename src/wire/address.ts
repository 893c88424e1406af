/**
 * Addresses as people write them and as bytes: IPv4, IPv6 (RFC 4291 §2.2 read, RFC 5952 written), prefixes
 * and MACs. For the control plane: everything here allocates. Bad text gives `undefined`, never an
 * exception; who asked the person for it knows what to say.
 */
import { type Frame, u8 } from "./frame.ts";

/** 4 or 16 bytes in network order. Not branded: netlink, the wire and people all hand us these. */
export type Ip = Uint8Array;
/** 6 bytes. */
export type Mac = Uint8Array;

/** An address and how many of its leading bits are the network. */
export interface Prefix {
  readonly ip: Ip;
  readonly length: number;
}

export const parseIp = (text: string): Ip | undefined =>
  text.includes(":") ? parseIp6(text) : parseIp4(text);

export const formatIp = (ip: Ip): string => (ip.length === 4 ? ip.join(".") : formatIp6(ip));

/** `10.0.0.1/24`; without a length, all of the address. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (!ip) return undefined;
  const length = slash < 0 ? ip.length * 8 : parseDecimal(text.slice(slash + 1), ip.length * 8);
  return length === undefined ? undefined : { ip, length };
}

export const formatPrefix = (prefix: Prefix): string => `${formatIp(prefix.ip)}/${prefix.length}`;

/** Six bytes of one or two hexadecimal digits between colons, as iproute2 reads them. */
export function parseMac(text: string): Mac | undefined {
  const words = text.split(":");
  if (words.length !== 6 || !words.every((word) => /^[0-9a-f]{1,2}$/i.test(word))) return undefined;
  return Uint8Array.from(words, (word) => Number.parseInt(word, 16));
}

export const formatMac = (mac: Mac): string =>
  Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");

/** Bytes 0–1 and 2–5, the two numbers as which a MAC travels in the frame path. */
export const macHigh = (mac: Mac): number => (mac[0]! << 8) | mac[1]!;
export const macLow = (mac: Mac): number => word32(mac, 2);

export function macFrom(high: number, low: number): Mac {
  return Uint8Array.of(high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low);
}

/** The number as which an IPv4 address travels in the frame path, 0 … 2^32 - 1. */
export const ip4ToNumber = (ip: Ip): number => word32(ip, 0);

export function ip4FromNumber(number: number): Ip {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

/** The IPv6 address at this offset of a frame, copied out. */
export const ip6From = (f: Frame, at: number): Ip =>
  Uint8Array.from({ length: 16 }, (_, i) => u8(f, at + i));

/** fe80::/10. */
export const isLinkLocal6 = (ip: Ip): boolean =>
  ip.length === 16 && ip[0] === 0xfe && (ip[1]! & 0xc0) === 0x80;

/** Four decimal octets. A leading zero is refused: some read `010` as eight. */
function parseIp4(text: string): Ip | undefined {
  const octets = text.split(".").map((word) => parseDecimal(word, 255));
  if (octets.length !== 4 || octets.includes(undefined)) return undefined;
  return Uint8Array.from(octets as number[]);
}

/** Digits only, no leading zero, at most `max`. */
function parseDecimal(text: string, max: number): number | undefined {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** Eight groups, or fewer around one `::`. A zone id (`%eth0`) is no part of the address and refused. */
function parseIp6(text: string): Ip | undefined {
  const [front, back, ...more] = text.split("::");
  const before = parseGroups(front!, back === undefined);
  const after = parseGroups(back ?? "", true);
  if (!before || !after || more.length > 0) return undefined;
  const zeros = 8 - before.length - after.length;
  if (back === undefined ? zeros !== 0 : zeros < 1) return undefined;
  const groups = [...before, ...new Array<number>(zeros).fill(0), ...after];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Groups of up to four digits; at the end of an address the last two may be written as IPv4. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const words = text.split(":");
  const ip4 = isEnd ? parseIp4(words.at(-1)!) : undefined;
  if (ip4) words.pop();
  if (!words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined;
  const groups = words.map((word) => Number.parseInt(word, 16));
  return ip4 ? [...groups, group(ip4, 0), group(ip4, 2)] : groups;
}

/** RFC 5952 §4, and §5 for IPv4-mapped addresses, whose last half reads better in decimal. */
function formatIp6(ip: Ip): string {
  const groups = Array.from({ length: 8 }, (_, i) => group(ip, 2 * i));
  if (groups[5] === 0xffff && groups.slice(0, 5).every((g) => g === 0))
    return `::ffff:${ip.subarray(12).join(".")}`;
  const { start, length } = longestZeros(groups);
  if (length < 2) return hex(groups); // §4.2.2: never for a single group
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** The first of the longest runs of zero groups (§4.2.3). */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  for (const [i, value] of groups.entries()) {
    if (value !== 0) start = i + 1;
    else if (i + 1 - start > longest.length) longest = { start, length: i + 1 - start };
  }
  return longest;
}

const hex = (groups: readonly number[]): string => groups.map((g) => g.toString(16)).join(":");

const group = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

const word32 = (bytes: Uint8Array, at: number): number =>
  ((group(bytes, at) << 16) | group(bytes, at + 2)) >>> 0;
