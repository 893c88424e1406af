/** What a person reads of a replay: each disagreement with both sides, and counts at the end. */
import { formatIp } from "../../src/wire/address.ts";
import { dump } from "../../src/wire/dump.ts";
import { Frame } from "../../src/wire/frame.ts";
import { type Observation, recorded } from "./expectation.ts";
import type { Lab } from "./lab.ts";
import type { Case } from "./recording.ts";
import type { Result } from "./replay.ts";

export class Report {
  readonly #lab: Lab;
  readonly #skips: Map<string, number> = new Map();
  #passed = 0;
  #failed = 0;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  get isClean(): boolean {
    return this.#failed === 0;
  }

  add({ case: c, outcome, seen }: Result): void {
    if (outcome.kind === "passed") this.#passed++;
    else if (outcome.kind === "skipped")
      this.#skips.set(outcome.reason, (this.#skips.get(outcome.reason) ?? 0) + 1);
    else {
      this.#failed++;
      console.log(describeFailure(this.#lab, c, outcome.complaints, seen));
    }
  }

  summarize(): void {
    const skips = [...this.#skips].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    for (const [reason, count] of skips)
      console.log(`${String(count).padStart(5)} skipped: ${reason}`);
    const skipped = skips.reduce((sum, [, count]) => sum + count, 0);
    console.log(`${this.#passed} passed, ${this.#failed} failed, ${skipped} skipped`);
  }
}

function describeFailure(
  lab: Lab,
  c: Case,
  complaints: readonly string[],
  seen: Observation | undefined,
): string {
  const expected = recorded(lab, c);
  const sent = c.frame ? line(c.frame) : `a datagram to ${formatIp(c.datagram!.dst)}`;
  return [
    `FAILED ${c.id}: ${c.description}`,
    `  ${c.from} sends ${sent}`,
    ...places("recorded", expected.frames, (pattern) => pattern.bytes),
    ...(c.error === undefined ? [] : [`  recorded  ${c.error}`]),
    ...places("here", seen?.frames ?? new Map<string, Uint8Array[]>(), (bytes) => bytes),
    ...complaints.map((complaint) => `  ${complaint}`),
  ].join("\n");
}

function places<T>(
  side: string,
  frames: ReadonlyMap<string, readonly T[]>,
  bytesOf: (t: T) => Uint8Array,
): string[] {
  const lines = [...frames].flatMap(([place, seen]) =>
    seen.map((one) => `  ${side.padEnd(9)} ${place}: ${line(bytesOf(one))}`),
  );
  return lines.length > 0 ? lines : [`  ${side.padEnd(9)} nowhere`];
}

/** In words, then as it is. */
function line(bytes: Uint8Array): string {
  return `${dump(Frame.of(bytes))}\n              ${Buffer.from(bytes).toString("hex")}`;
}
