/**
 * How the loop that moves frames waits for the next. Falling asleep and being woken takes longer than the time between
 * two frames of heavy traffic. So where the last sleep was short it looks again for a while instead, and between two
 * looks it lets everybody else have the processor: it takes only what nobody wants.
 */
import { type Epoll, yieldProcessor } from "../../linux/sys.ts";

/** A sleep as short as this would not have been one, had we looked again. */
const SHORT_MS = 0.05;
/** Looks before the next sleep: they take about as long. */
const LOOKS = 64;

export class Patience {
  readonly #epoll: Pick<Epoll, "wait">;
  #isHeavy = false;

  constructor(epoll: Pick<Epoll, "wait">) {
    this.#epoll = epoll;
  }

  /** Waits at most `timeoutMs`; how many descriptors are ready. */
  wait(timeoutMs: number): number {
    for (let n = 0; this.#isHeavy && n < LOOKS; n++) {
      const ready = this.#epoll.wait(0);
      if (ready > 0 || timeoutMs === 0) return ready;
      yieldProcessor();
    }
    const start = performance.now();
    const ready = this.#epoll.wait(timeoutMs);
    this.#isHeavy = ready > 0 && performance.now() - start < SHORT_MS;
    return ready;
  }
}
