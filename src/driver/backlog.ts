/**
 * Floods that wait for their copies. A full backlog loses the newest, as Linux's does
 * (Kernel: ipvlan_multicast_enqueue(), IPVLAN_QBACKLOG_LIMIT).
 */
import { Frame } from "../wire/frame.ts";
import type { Slave } from "./decide/machine.ts";

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
  readonly #frame = new Frame();
  #head = 0;
  #count = 0;
  /** Where the next frame's headroom goes. */
  #tail = 0;

  constructor(headroom: number) {
    this.#headroom = headroom;
  }

  get count(): number {
    return this.#count;
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
    this.#count++;
    this.#tail = at + size;
    return true;
  }

  /** The frame that has waited longest; valid until `drop`. */
  first(): Frame {
    return this.#frame.set(this.#bytes, this.#starts[this.#head]!, this.#lengths[this.#head]!);
  }

  /** What `push` was told of it. */
  firstSlave(): Slave {
    return this.#slaves[this.#head]!;
  }

  drop(): void {
    this.#head = (this.#head + 1) % BACKLOG_MAX;
    this.#count--;
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

/** `set(subarray)` is faster from some hundred bytes on, but allocates the view. */
function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, size: number): void {
  for (let i = 0; i < size; i++) to[toAt + i] = from[at + i]!;
}
