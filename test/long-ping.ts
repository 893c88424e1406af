/**
 * A ping that spans an event: answers before it, during it and after it, and none that is missing.
 *
 *     const ping = new LongPing("lan", "10.0.0.10");
 *     await ping.hear();
 *     await kill();
 *     await ping.hear();
 *     assert.deepEqual(await ping.end(), []);
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnAt } from "../scripts/lab.ts";

const COUNT = 10;
const INTERVAL_S = 0.02;
const HEARD_MS = 20_000;

export class LongPing {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = "";

  /** From one of the lab's ends; `by`: what brings the program elsewhere from there. */
  constructor(end: string, to: string, by: readonly string[] = []) {
    const ping = spawnAt(end, [...by, "ping", "-i", String(INTERVAL_S), to]);
    ping.stdout.setEncoding("utf8").on("data", (piece) => {
      this.#said += piece;
    });
    this.#process = ping;
    this.#ended = once(ping, "close");
  }

  /** Returns when some more answers have come from now on. */
  async hear(): Promise<void> {
    const wanted = this.#answers().length + COUNT;
    const deadline = performance.now() + HEARD_MS;
    while (this.#answers().length < wanted) {
      if (performance.now() > deadline) throw new Error(`no answer any more: ${this.#said}`);
      await sleep(INTERVAL_S * 1000);
    }
  }

  /** Numbers of the requests that nobody answered, though a later one was. */
  async end(): Promise<readonly number[]> {
    this.#process.kill();
    await this.#ended;
    const answers = this.#answers();
    const all = Array.from({ length: Math.max(...answers) }, (_, i) => i + 1);
    return all.filter((number) => !answers.includes(number));
  }

  #answers(): number[] {
    return [...this.#said.matchAll(/icmp_seq=(\d+) .*time=/g)].map(([, number]) => Number(number));
  }
}
