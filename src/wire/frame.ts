/**
 * A frame: a window on bytes that belong to somebody else (a slot of a receive ring, a packet read from
 * a file), so that looking at the next frame moves a window instead of allocating one.
 *
 * Every reader of this folder takes `(frame, at)`, `at` counted from the frame's first byte. Reading
 * beyond the end gives 0, as a whole: a word that is only half there is 0 too. The compiler to eBPF gives
 * `u8`, `u16` and `u32` the same meaning, which is why decisions may read before they ask for the length.
 */
export class Frame {
  /** What the window looks on; may be far longer than the frame. */
  bytes: Uint8Array = EMPTY;
  /** Index in `bytes` of the frame's first byte. */
  start = 0;
  /** Bytes in the frame. */
  length = 0;

  /** A window on all of `bytes`. */
  static of(bytes: Uint8Array): Frame {
    return new Frame().set(bytes, 0, bytes.length);
  }

  /** Moves the window; `start + length` must lie within `bytes`. */
  set(bytes: Uint8Array, start: number, length: number): this {
    this.bytes = bytes;
    this.start = start;
    this.length = length;
    return this;
  }

  /** The frame's bytes as a view, not a copy. Allocates: not for the frame path. */
  view(): Uint8Array {
    return this.bytes.subarray(this.start, this.start + this.length);
  }
}

const EMPTY = new Uint8Array(0);

/** Network byte order, as all words here. */
export function u8(f: Frame, at: number): number {
  return at + 1 <= f.length ? f.bytes[f.start + at]! : 0;
}

export function u16(f: Frame, at: number): number {
  if (at + 2 > f.length) return 0;
  const i = f.start + at;
  return (f.bytes[i]! << 8) | f.bytes[i + 1]!;
}

/** 0 … 2^32 - 1. */
export function u32(f: Frame, at: number): number {
  if (at + 4 > f.length) return 0;
  const b = f.bytes;
  const i = f.start + at;
  return ((b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!) >>> 0;
}

/** Writing beyond the end does nothing. */
export function put8(f: Frame, at: number, value: number): void {
  if (at + 1 <= f.length) f.bytes[f.start + at] = value;
}

export function put16(f: Frame, at: number, value: number): void {
  if (at + 2 > f.length) return;
  const i = f.start + at;
  f.bytes[i] = value >>> 8;
  f.bytes[i + 1] = value;
}

export function put32(f: Frame, at: number, value: number): void {
  if (at + 4 > f.length) return;
  put16(f, at, value >>> 16);
  put16(f, at + 2, value);
}
