/**
 * The Internet checksum: the one's complement of the one's complement sum of 16-bit words (RFC 1071), and
 * its update when one word changes (RFC 1624). Which bytes a header's checksum covers is that header's file's business;
 * the words that TCP, UDP and ICMPv6 add from the IP header are in `pseudo-header.ts`.
 *
 * A sum is carried unfolded: a number has 53 bits, so no carry is lost and sums of parts just add up, as
 * long as each part but the last has an even length (RFC 1071 §2 (A)).
 */
import type { Frame } from "./frame.ts";

/** Unfolded sum of `length` bytes; those beyond the frame's end count as 0, and so does the half of an odd word. */
export function sum(f: Frame, at: number, length: number): number {
  const b = f.bytes;
  const end = f.start + Math.min(at + length, f.length);
  // Upper and lower bytes apart: no shift per word, and both stay small integers up to 16 MB.
  let upper = 0;
  let lower = 0;
  let i = f.start + at;
  for (; i + 8 <= end; i += 8) {
    upper += b[i]! + b[i + 2]! + b[i + 4]! + b[i + 6]!;
    lower += b[i + 1]! + b[i + 3]! + b[i + 5]! + b[i + 7]!;
  }
  for (; i + 2 <= end; i += 2) {
    upper += b[i]!;
    lower += b[i + 1]!;
  }
  if (i < end) upper += b[i]!;
  return upper * 256 + lower;
}

/** Adds the carries back in until 16 bits are left. */
export function fold(unfolded: number): number {
  let rest = unfolded;
  // `&` sees the low 32 bits of any integer; only the shift has to be a division.
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x10000);
  return rest;
}

/** What stands in a header for this unfolded sum. */
export const finish = (unfolded: number): number => ~fold(unfolded) & 0xffff;

/** Over bytes whose checksum field is 0: what belongs there. Over all of a sound header: 0. */
export const checksum = (f: Frame, at: number, length: number): number =>
  finish(sum(f, at, length));

/**
 * The checksum after one of the words it covers changed, RFC 1624 §3 equation 3. The same as counting
 * anew, unless nothing but zeros is left to count.
 */
export const update16 = (old: number, oldWord: number, newWord: number): number =>
  finish((~old & 0xffff) + (~oldWord & 0xffff) + newWord);
