/**
 * Tells the log of conflicts that are found and that are over. Conflicts come with every address that somebody sets;
 * so they are looked at some time later, all at once, however many there are.
 */
import type { Conflict } from "../driver/port.ts";
import { formatIp } from "../wire/address.ts";

const LATER_MS = 500;

export class ConflictLog {
  readonly #tell: (text: string, address: string) => void;
  readonly #conflicts: () => readonly Conflict[];
  #known: ReadonlySet<string> = new Set();
  #later: NodeJS.Timeout | undefined;

  constructor(tell: (text: string, address: string) => void, conflicts: () => readonly Conflict[]) {
    this.#tell = tell;
    this.#conflicts = conflicts;
  }

  /** Addresses have changed. */
  lookLater(): void {
    this.#later ??= setTimeout(() => this.#look(), LATER_MS).unref();
  }

  close(): void {
    clearTimeout(this.#later);
  }

  #look(): void {
    this.#later = undefined;
    const now = new Set(this.#conflicts().map(({ ip }) => formatIp(ip)));
    for (const address of now) if (!this.#known.has(address)) this.#tell("conflict found", address);
    for (const address of this.#known) if (!now.has(address)) this.#tell("conflict over", address);
    this.#known = now;
  }
}
