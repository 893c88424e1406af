/** `monitor`: the system's `ip monitor`, and what it says about our slaves put right as it comes. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Daemons } from "../client/client.ts";
import type { LinkInfo } from "../daemon/control.ts";
import type { Call } from "./call.ts";
import type { Monitor } from "./command.ts";
import { type Facts, factsOf, findPair, type Pair, TextRewriter } from "./rewrite.ts";
import { getSystemIp, stream } from "./system-ip.ts";

/** A daemon knows its new slave a little later than the kernel tells of the device. */
const APPEAR_MS = 1000;
const POLL_MS = 20;
/** Devices of ours that are gone, whose end may still be told of. */
const PAST_MAX = 1024;
/** Pairs that turned out to be none of ours. */
const FOREIGN_MAX = 1024;

export function monitor({ words }: Monitor, call: Call): Promise<number> {
  const devices = new Devices(call.daemons);
  const rewriter = new TextRewriter();
  return stream(getSystemIp(call.self), [...call.options.words, ...words], async (lines) => {
    await devices.follow(lines);
    return lines.map((line) => rewriter.line(line, devices.facts));
  });
}

/** What is known of the devices that are told of. */
class Devices {
  facts: Facts = factsOf([], []);
  readonly #daemons: Daemons;
  #links: readonly LinkInfo[] = [];
  #past: readonly LinkInfo[] = [];
  readonly #foreign: Set<number> = new Set();

  constructor(daemons: Daemons) {
    this.#daemons = daemons;
  }

  /** Asks the daemons anew if one of the lines tells of what may be theirs, and waits for what they do not know yet. */
  async follow(lines: readonly string[]): Promise<void> {
    const pairs = lines
      .flatMap((line) => findPair(line) ?? [])
      .filter(({ ifindex }) => !this.#foreign.has(ifindex));
    if (pairs.length === 0) return;
    const deadline = performance.now() + APPEAR_MS;
    const isUnknown = (pair: Pair) => !pair.isGone && !this.#knows(pair);
    await this.#ask();
    while ((await this.#daemons.areThere()) && pairs.some(isUnknown)) {
      if (performance.now() > deadline) break;
      await sleep(POLL_MS);
      await this.#ask();
    }
    for (const pair of pairs.filter(isUnknown)) this.#setForeign(pair);
  }

  #knows({ ifindex, name }: Pair): boolean {
    return this.facts.hidden.has(name) || this.facts.slaves.some((one) => one.ifindex === ifindex);
  }

  async #ask(): Promise<void> {
    this.#daemons.forget();
    const links = (await this.#daemons.homes()).map(({ link }) => link);
    const gone = this.#links.filter((one) => !links.some((now) => isSame(one, now)));
    this.#links = links;
    this.#past = [...gone, ...this.#past].slice(0, PAST_MAX);
    this.facts = factsOf([...this.#links, ...this.#past], []);
  }

  #setForeign({ ifindex }: Pair): void {
    if (this.#foreign.size === FOREIGN_MAX) this.#foreign.clear();
    this.#foreign.add(ifindex);
  }
}

const isSame = (one: LinkInfo, other: LinkInfo): boolean =>
  one.ifindex === other.ifindex && one.name === other.name && one.here === other.here;
