/**
 * Which group MACs the slaves' own stacks want to receive. The kernel tells of no change in them; so they are
 * read again when something else tells of one (an address, IGMP or MLD from the slave), and all of them now and
 * then, for what is joined in silence (`ip maddr add`).
 */
import { closeSync, openSync, readSync } from "node:fs";
import type { Slave as DeviceId } from "../driver/decide/machine.ts";
import { GROUPS_PER_SLAVE_MAX, type Groups } from "../driver/group-table.ts";
import { parseMac } from "../wire/address.ts";

/**
 * Bytes that are read of a namespace's memberships, which may be without end: some 8000 of all its devices. A slave's
 * that are not among them are unknown, and it takes all.
 */
const MEMBERSHIPS_MAX = 256 << 10;

/** Of this thread's namespace. man: procfs(5), /proc/net/dev_mcast: index, name, uses, global uses, MAC. */
export function readGroups(ifindex: number): Groups {
  const fd = openSync("/proc/thread-self/net/dev_mcast", "r");
  try {
    let length = 0;
    for (let got = -1; got !== 0 && length < MEMBERSHIPS_MAX; length += got)
      got = readSync(fd, membershipsText, length, MEMBERSHIPS_MAX - length, null);
    if (length === MEMBERSHIPS_MAX) return "all";
    return parseGroups(membershipsText.toString("latin1", 0, length), ifindex);
  } finally {
    closeSync(fd);
  }
}
/** Read by one caller at a time. */
const membershipsText = Buffer.alloc(MEMBERSHIPS_MAX);

/** A slave with more groups than a filter holds takes them all. */
export function parseGroups(text: string, ifindex: number): Groups {
  const groups: Uint8Array[] = [];
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (Number(words[0]) !== ifindex) continue;
    const mac = parseMac(words[4]?.replace(/..(?=.)/g, "$&:") ?? "");
    if (mac !== undefined) groups.push(mac);
    if (groups.length > GROUPS_PER_SLAVE_MAX) return "all";
  }
  return groups;
}

const ROUND_MS = 1000;
/** Between two readings, whoever shouts. */
const PAUSE_MS = 10;
/** Slaves read per round beside those that are told of. */
const PER_ROUND = 16;

/** Calls `read` for slaves whose memberships may have changed: soon, and once for many changes. */
export class MembershipWatch {
  readonly #read: (id: DeviceId) => void;
  readonly #stale: Set<DeviceId> = new Set();
  /** Who is read in the rounds to come. */
  #queue: DeviceId[] = [];
  readonly #timer: NodeJS.Timeout;
  #reading: NodeJS.Timeout | undefined;
  #last = 0;

  constructor(all: () => Iterable<DeviceId>, read: (id: DeviceId) => void) {
    this.#read = read;
    this.#timer = setInterval(() => this.#round(all), ROUND_MS);
    this.#timer.unref();
  }

  changed(id: DeviceId): void {
    this.#stale.add(id);
    if (this.#reading !== undefined) return;
    const wait = this.#last + PAUSE_MS - performance.now();
    this.#reading = setTimeout(() => this.#readStale(), Math.max(0, wait));
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#reading);
    this.#stale.clear();
  }

  #round(all: () => Iterable<DeviceId>): void {
    if (this.#queue.length === 0) this.#queue = [...all()];
    for (const id of this.#queue.splice(0, PER_ROUND)) this.changed(id);
  }

  #readStale(): void {
    this.#reading = undefined;
    this.#last = performance.now();
    const ids = [...this.#stale];
    this.#stale.clear();
    for (const id of ids) this.#read(id);
  }
}
