/** Virtual time: what is to happen, in order. Nothing happens but when `run` says so, and then at once. */

/** Something that is to happen. */
export interface Timer {
  readonly atMs: number;
  /** Of two at the same time the one that was asked for first comes first. */
  readonly order: number;
  readonly action: () => void;
  isCancelled: boolean;
}

export class Clock {
  #nowMs = 0;
  #order = 0;
  /** A binary heap, the next one first. */
  readonly #timers: Timer[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const atMs = this.#nowMs + delayMs;
    const timer = { atMs, order: this.#order++, action, isCancelled: false };
    this.#push(timer);
    return timer;
  }

  /** Lets time pass, until `isOver` if that is sooner. */
  run(durationMs: number, isOver: () => boolean = () => false): void {
    const endMs = this.#nowMs + durationMs;
    for (let next = this.#timers[0]; next && next.atMs <= endMs; next = this.#timers[0]) {
      this.#pop();
      if (next.isCancelled) continue;
      this.#nowMs = next.atMs;
      next.action();
      if (isOver()) return;
    }
    this.#nowMs = endMs;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, timer)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Timer, b: Timer): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
