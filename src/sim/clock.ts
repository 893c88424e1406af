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
  /** What is to happen at once, in order: most of what there is, and no heap's work. */
  #soon: Timer[] = [];
  /** How many of them have happened. */
  #done = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const atMs = this.#nowMs + delayMs;
    const timer = { atMs, order: this.#order++, action, isCancelled: false };
    if (delayMs === 0) this.#soon.push(timer);
    else this.#push(timer);
    return timer;
  }

  /** Lets time pass, until `isOver` if that is sooner. */
  run(durationMs: number, isOver: () => boolean = () => false): void {
    const endMs = this.#nowMs + durationMs;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      if (next.isCancelled) continue;
      this.#nowMs = next.atMs;
      next.action();
      if (isOver()) return;
    }
    this.#nowMs = endMs;
  }

  /** Takes the next one out, if its time is not after this. */
  #next(endMs: number): Timer | undefined {
    const [soon, later] = [this.#soon[this.#done], this.#timers[0]];
    if (soon !== undefined && (later === undefined || isBefore(soon, later))) {
      this.#done++;
      if (this.#done === this.#soon.length) {
        this.#soon = [];
        this.#done = 0;
      }
      return soon;
    }
    if (later === undefined || later.atMs > endMs) return undefined;
    this.#pop();
    return later;
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
