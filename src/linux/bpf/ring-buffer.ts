/**
 * The reading end of a map that programs write records into. Kernel: kernel/bpf/ringbuf.c. Mapped: a page with the
 * reader's position, one with the writers', then the ring, twice in a row so that no record is cut.
 */
import { mapMemory, memory, unmap } from "../sys.ts";

const PAGE = 4096;
/** A record's header: u32 length with the bits below, u32 that is the kernel's. Records start at multiples of it. */
const HEADER = 8;
/** Still being written. */
const BUSY = 0x80000000;
const DISCARDED = 0x40000000;

export class RingBuffer {
  readonly fd: number;
  readonly #consumerAt: number;
  readonly #producerAt: number;
  readonly #size: number;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #data: DataView;

  /** `size`: the map's `maxEntries`, bytes. */
  constructor(fd: number, size: number) {
    this.fd = fd;
    this.#size = size;
    this.#consumerAt = mapMemory(fd, PAGE, 0, true, "map a ring");
    this.#producerAt = mapMemory(fd, PAGE + 2 * size, PAGE, false, "map a ring");
    this.#consumer = new BigUint64Array(memory(this.#consumerAt, PAGE), 0, 1);
    this.#producer = new BigUint64Array(memory(this.#producerAt, PAGE), 0, 1);
    this.#data = new DataView(memory(this.#producerAt + PAGE, 2 * size));
  }

  /** Calls back with each record that is there, in order; its bytes are good until the call returns. */
  drain(each: (record: DataView) => void): void {
    const end = Atomics.load(this.#producer, 0);
    let at = Atomics.load(this.#consumer, 0);
    while (at < end) {
      const place = Number(at % BigInt(this.#size));
      const header = this.#data.getUint32(place, true);
      if ((header & BUSY) !== 0) break;
      const length = header & ~DISCARDED;
      if ((header & DISCARDED) === 0)
        each(new DataView(this.#data.buffer, this.#data.byteOffset + place + HEADER, length));
      at += BigInt(HEADER + Math.ceil(length / HEADER) * HEADER);
      Atomics.store(this.#consumer, 0, at);
    }
  }

  close(): void {
    unmap(this.#consumerAt, PAGE);
    unmap(this.#producerAt, PAGE + 2 * this.#size);
  }
}
