/**
 * Frames that wait: floods for their copies, in an engine packets for a neighbour. A full backlog loses the
 * newest, as Linux's does (Kernel: ipvlan_multicast_enqueue(), IPVLAN_QBACKLOG_LIMIT).
 */
import { Frame } from "../wire/frame.ts";
import type { Slave } from "./decide/machine.ts";
import { SLAVES_MAX } from "./statistics.ts";

/** Frames. */
export const BACKLOG_MAX = 1000;
/** Bytes of all waiting frames together: 1000 of an Ethernet MTU, or fewer and larger ones. */
export const BACKLOG_BYTES_MAX: number = 2 << 20;

/** A ring of bytes, and a ring of where each frame lies in it and which slave it was told with. */
export class Backlog {
  readonly #headroom: number;
  readonly #bytes: Uint8Array = new Uint8Array(BACKLOG_BYTES_MAX);
  readonly #starts: Int32Array = new Int32Array(BACKLOG_MAX);
  readonly #lengths: Int32Array = new Int32Array(BACKLOG_MAX);
  readonly #slaves: Int32Array = new Int32Array(BACKLOG_MAX);
  /** By slave; the system finds memory only for those that are counted. */
  readonly #framesOf: Int32Array = new Int32Array(SLAVES_MAX + 1);
  readonly #bytesOf: Int32Array = new Int32Array(SLAVES_MAX + 1);
  readonly #frame = new Frame();
  #head = 0;
  #count = 0;
  #size = 0;
  /** Where the next frame's headroom goes. */
  #tail = 0;

  constructor(headroom: number) {
    this.#headroom = headroom;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Whether the slave may add a frame without taking others' room: nobody has more than what is left free. So one
   * that floods gets half, two a third each, and there is always as much for one more.
   */
  hasShare(f: Frame, slave: Slave): boolean {
    const size = this.#headroom + f.length;
    return (
      this.#framesOf[slave]! < BACKLOG_MAX - this.#count &&
      this.#bytesOf[slave]! + size <= BACKLOG_BYTES_MAX - this.#size - size
    );
  }

  /** Copies a frame with its headroom; false if there is no room. */
  push(f: Frame, slave: Slave): boolean {
    const size = this.#headroom + f.length;
    const at = this.#room(size);
    if (at < 0) return false;
    copy(f.bytes, f.start - this.#headroom, this.#bytes, at, size);
    const i = (this.#head + this.#count) % BACKLOG_MAX;
    this.#starts[i] = at + this.#headroom;
    this.#lengths[i] = f.length;
    this.#slaves[i] = slave;
    this.#tail = at + size;
    this.#add(slave, 1, size);
    return true;
  }

  /** The frame that has waited longest; valid until it is dropped and the next `push`, which may push it again. */
  first(): Frame {
    return this.#frame.set(this.#bytes, this.#starts[this.#head]!, this.#lengths[this.#head]!);
  }

  /** What `push` was told of it. */
  firstSlave(): Slave {
    return this.#slaves[this.#head]!;
  }

  /** Moves `f` to the n-th frame, from 0 for the first, and tells its slave. */
  peek(n: number, f: Frame): Slave {
    const i = (this.#head + n) % BACKLOG_MAX;
    f.set(this.#bytes, this.#starts[i]!, this.#lengths[i]!);
    return this.#slaves[i]!;
  }

  drop(): void {
    const size = this.#headroom + this.#lengths[this.#head]!;
    this.#add(this.#slaves[this.#head]!, -1, -size);
    this.#head = (this.#head + 1) % BACKLOG_MAX;
  }

  #add(slave: Slave, frames: number, bytes: number): void {
    this.#count += frames;
    this.#size += bytes;
    this.#framesOf[slave]! += frames;
    this.#bytesOf[slave]! += bytes;
  }

  /** Where `size` bytes are free in one piece, or -1. */
  #room(size: number): number {
    if (this.#count === BACKLOG_MAX) return -1;
    if (this.#count === 0) return size <= BACKLOG_BYTES_MAX ? 0 : -1;
    const oldest = this.#starts[this.#head]! - this.#headroom;
    if (this.#tail > oldest) {
      if (this.#tail + size <= BACKLOG_BYTES_MAX) return this.#tail;
      return size < oldest ? 0 : -1;
    }
    return this.#tail + size < oldest ? this.#tail : -1;
  }
}

/** Bytes from which on a copy in one go is faster, though it allocates the view. */
const LARGE = 512;

/** Where the two overlap, `toAt` is the lower: a dropped frame that is pushed again moves down if at all. */
function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, size: number): void {
  if (size >= LARGE) to.set(from.subarray(at, at + size), toAt);
  else for (let i = 0; i < size; i++) to[toAt + i] = from[at + i]!;
}
