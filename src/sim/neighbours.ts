/**
 * The neighbours of one device, of one family: which MAC an address has, and what waits to hear of it. States and times
 * are those of RFC 4861 §7.3 and Linux's defaults, for ARP as for ND.
 */
import type { Ip, Mac } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import type { Clock, Timer } from "./clock.ts";
import { keyOf } from "./routes.ts";

/** `permanent`: as a person said, whatever is heard. */
export type NeighbourState =
  | "incomplete"
  | "reachable"
  | "stale"
  | "delay"
  | "probe"
  | "failed"
  | "permanent";

export interface Neighbour {
  readonly ip: Ip;
  readonly mac: Mac | undefined;
  readonly state: NeighbourState;
}

/** Linux: `gc_thresh3`. */
export const NEIGHBOURS_MAX = 1024;
/** Frames that wait for one neighbour; the oldest goes for the newest. */
export const WAITING_MAX = 100;
const PROBES = 3;
const PROBE_MS = 1000;
const REACHABLE_MS = 30_000;
const DELAY_MS = 5000;

interface Entry {
  readonly ip: Ip;
  mac: Mac | undefined;
  state: NeighbourState;
  probes: number;
  waiting: Frame[];
  timer: Timer | undefined;
}

export interface NeighboursParts {
  readonly clock: Clock;
  /** Asks for the MAC of an address: everybody, or who had it last. */
  readonly solicit: (ip: Ip, mac: Mac | undefined) => void;
  readonly send: (f: Frame, mac: Mac) => void;
  /** Nobody has answered. */
  readonly unreachable: (f: Frame) => void;
}

export class Neighbours {
  readonly #entries: Map<number | string, Entry> = new Map();
  readonly #parts: NeighboursParts;

  constructor(parts: NeighboursParts) {
    this.#parts = parts;
  }

  list(): readonly Neighbour[] {
    return [...this.#entries.values()];
  }

  /** Sends a packet to a neighbour, when it is known who that is. */
  output(f: Frame, to: Ip): void {
    const entry = this.#entries.get(keyOf(to)) ?? this.#create(to, "failed");
    if (entry === undefined) {
      this.#parts.unreachable(f);
      return;
    }
    if (entry.state === "failed") this.#ask(entry, "incomplete");
    if (entry.state === "stale")
      this.#set(entry, "delay", DELAY_MS, () => this.#ask(entry, "probe"));
    if (entry.mac !== undefined && entry.state !== "incomplete") this.#parts.send(f, entry.mac);
    else {
      if (entry.waiting.length >= WAITING_MAX) entry.waiting.shift();
      entry.waiting.push(f);
    }
  }

  /** An answer, or a question that tells who asks. `isAnswer`: he was asked, and so is there. */
  learn(ip: Ip, mac: Mac, isAnswer: boolean, mayCreate: boolean): void {
    const known = this.#entries.get(keyOf(ip));
    const entry = known ?? (mayCreate ? this.#create(ip, "stale") : undefined);
    if (entry === undefined || entry.state === "permanent") return;
    const isSame = entry.mac?.every((byte, i) => byte === mac[i]) === true;
    entry.mac = mac;
    if (isAnswer) this.#reach(entry);
    else if (!isSame || entry.state === "incomplete" || entry.state === "failed")
      this.#set(entry, "stale");
    this.#sendWaiting(entry, mac);
  }

  find(ip: Ip): Neighbour | undefined {
    return this.#entries.get(keyOf(ip));
  }

  /** As a person says. False: there are too many. */
  set(ip: Ip, mac: Mac, state: NeighbourState): boolean {
    const entry = this.#entries.get(keyOf(ip)) ?? this.#create(ip, state);
    if (entry === undefined) return false;
    entry.mac = mac;
    if (state === "reachable") this.#reach(entry);
    else this.#set(entry, state);
    this.#sendWaiting(entry, mac);
    return true;
  }

  /** Whether there was one. What waits for it is lost. */
  remove(ip: Ip): boolean {
    const entry = this.#entries.get(keyOf(ip));
    if (entry?.timer !== undefined) entry.timer.isCancelled = true;
    return this.#entries.delete(keyOf(ip));
  }

  /** All but the permanent ones. */
  flush(): void {
    for (const { ip, state } of this.list()) if (state !== "permanent") this.remove(ip);
  }

  #reach(entry: Entry): void {
    this.#set(entry, "reachable", REACHABLE_MS, () => this.#set(entry, "stale"));
  }

  #sendWaiting(entry: Entry, mac: Mac): void {
    const { waiting } = entry;
    entry.waiting = [];
    for (const f of waiting) this.#parts.send(f, mac);
  }

  clear(): void {
    for (const { timer } of this.#entries.values())
      if (timer !== undefined) timer.isCancelled = true;
    this.#entries.clear();
  }

  /** Undefined: the table is full of neighbours that are in use. */
  #create(ip: Ip, state: NeighbourState): Entry | undefined {
    if (this.#entries.size >= NEIGHBOURS_MAX && !this.#makeRoom()) return undefined;
    const entry: Entry = { ip, mac: undefined, state, probes: 0, waiting: [], timer: undefined };
    this.#entries.set(keyOf(ip), entry);
    return entry;
  }

  #makeRoom(): boolean {
    for (const [key, { state }] of this.#entries)
      if (state === "stale" || state === "failed") return this.#entries.delete(key);
    return false;
  }

  #ask(entry: Entry, state: "incomplete" | "probe"): void {
    entry.probes = 0;
    const probe = () => {
      if (entry.probes++ === PROBES) this.#fail(entry);
      else {
        this.#set(entry, state, PROBE_MS, probe);
        this.#parts.solicit(entry.ip, state === "probe" ? entry.mac : undefined);
      }
    };
    probe();
  }

  #fail(entry: Entry): void {
    entry.mac = undefined;
    this.#set(entry, "failed");
    const { waiting } = entry;
    entry.waiting = [];
    for (const f of waiting) this.#parts.unreachable(f);
  }

  #set(entry: Entry, state: NeighbourState, forMs?: number, then?: () => void): void {
    entry.state = state;
    if (entry.timer !== undefined) entry.timer.isCancelled = true;
    entry.timer = forMs === undefined ? undefined : this.#parts.clock.after(forMs, then!);
  }
}
