/**
 * Which slaves take frames to a group MAC: the multicast filters of the slaves that are up. Kernel: the `mac_filters`
 * of `struct ipvl_dev`, which are 256 bits of hash each; here they are exact.
 *
 * A walk over the members is three calls with numbers, so that a flood allocates nothing:
 *
 *     for (let n = groups.first(high, low); n !== 0; n = groups.next(n)) deliver(groups.member(n), frame);
 *
 * A MAC is bytes 0–1 and bytes 2–5 of it; the latter may be signed. One walk at a time; a table that changes under it makes it miss or repeat a slave, not fail.
 */
import { type Mac, macHigh, macLow } from "../wire/address.ts";
import type { Slave } from "./decide/machine.ts";

/** Groups of one slave; one with more takes every group, as a device whose filter is full does. */
export const GROUPS_PER_SLAVE_MAX = 1024;

/** A slave's filter, or "all" for a device that is allmulti or promiscuous. */
export type Groups = readonly Mac[] | "all";

export class GroupTable {
  /** By bytes 0–1 of the MAC, then by bytes 2–5: each a small integer, which a Map looks up without boxing. */
  readonly #groups: Map<number, Map<number, Members>> = new Map();
  readonly #filters: Map<Slave, Groups> = new Map();
  readonly #everybody = new Members();
  readonly #takesAll = new Members();
  // Of the walk at hand: those who asked for the group, then those who take all.
  #asked: Members = NO_MEMBERS;
  #others: Members = NO_MEMBERS;

  /** Replaces the slave's filter. A slave with a filter, though it be empty, is up and takes broadcast. */
  set(slave: Slave, groups: Groups): void {
    this.remove(slave);
    const filter = groups === "all" || groups.length > GROUPS_PER_SLAVE_MAX ? "all" : groups;
    this.#filters.set(slave, filter);
    this.#everybody.add(slave);
    if (filter === "all") this.#takesAll.add(slave);
    else for (const mac of filter) this.#join(slave, macHigh(mac), macLow(mac));
  }

  /** The slave is down or gone. */
  remove(slave: Slave): void {
    const filter = this.#filters.get(slave);
    if (filter === undefined) return;
    this.#filters.delete(slave);
    this.#everybody.delete(slave);
    if (filter === "all") this.#takesAll.delete(slave);
    else for (const mac of filter) this.#leave(slave, macHigh(mac), macLow(mac));
  }

  /** Whether no slave takes the group. */
  isEmpty(high: number, low: number): boolean {
    return this.first(high, low) === 0;
  }

  /** Starts a walk over the slaves that take a group; 0 if there are none. */
  first(high: number, low: number): number {
    const isBroadcast = high === 0xffff && (low | 0) === -1;
    this.#asked = isBroadcast ? this.#everybody : this.#find(high, low);
    this.#others = isBroadcast ? NO_MEMBERS : this.#takesAll;
    return this.next(0);
  }

  next(n: number): number {
    return n < this.#asked.count + this.#others.count ? n + 1 : 0;
  }

  member(n: number): Slave {
    const { count } = this.#asked;
    return n <= count ? this.#asked.slaves[n - 1]! : this.#others.slaves[n - 1 - count]!;
  }

  #find(high: number, low: number): Members {
    return this.#groups.get(high)?.get(low | 0) ?? NO_MEMBERS;
  }

  #join(slave: Slave, high: number, low: number): void {
    const sameHigh = this.#groups.get(high) ?? new Map<number, Members>();
    const members = sameHigh.get(low | 0) ?? new Members();
    this.#groups.set(high, sameHigh);
    sameHigh.set(low | 0, members);
    members.add(slave);
  }

  #leave(slave: Slave, high: number, low: number): void {
    const sameHigh = this.#groups.get(high);
    const members = sameHigh?.get(low | 0);
    if (sameHigh === undefined || members === undefined) return;
    members.delete(slave);
    if (members.count === 0) sameHigh.delete(low | 0);
    if (sameHigh.size === 0) this.#groups.delete(high);
  }
}

/** A set of slaves that is walked by index. */
class Members {
  slaves: Int32Array = new Int32Array(4);
  count = 0;

  add(slave: Slave): void {
    if (this.#indexOf(slave) >= 0) return;
    if (this.count === this.slaves.length) {
      const grown = new Int32Array(this.count * 2);
      grown.set(this.slaves);
      this.slaves = grown;
    }
    this.slaves[this.count++] = slave;
  }

  /** The last one takes its place. */
  delete(slave: Slave): void {
    const i = this.#indexOf(slave);
    if (i >= 0) this.slaves[i] = this.slaves[--this.count]!;
  }

  #indexOf(slave: Slave): number {
    const i = this.slaves.indexOf(slave);
    return i < this.count ? i : -1;
  }
}

const NO_MEMBERS = new Members();
