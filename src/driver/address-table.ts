/**
 * Which slave holds an IP address. Kernel: ipvlan_ht_addr_lookup() and the hash table of `struct ipvl_port`.
 *
 * One thread writes; any number of threads read the same SharedArrayBuffer at the same time, without locks:
 *
 *     header: slots · seed · live · written · moved · 3 spare     then per slot: key 0–3 · meta
 *
 * - Open addressing, linear probing, slots a power of two. IPv4 keys use one word, IPv6 keys all four.
 * - **Invariant: a slot's key never changes once its meta word is set.** The key is written first, the meta word
 *   last and atomically, and a deleted slot keeps its key. So a reader that has loaded a meta word may compare
 *   the key at leisure, and what it then returns was true when it loaded that word.
 * - A deleted slot is free only for the same address. When the slots run out, the writer copies what is live into
 *   a new buffer, larger if need be, and marks the old one as moved: whoever shares the buffer watches `buffer`
 *   (writer) or `isStale` (readers) and attaches to the new one. Until then a reader sees the table of before.
 *
 * The hash is keyed by a seed, so that whoever may choose addresses cannot choose them to collide.
 */
import type { Ip } from "../wire/address.ts";
import { type Frame, u32 } from "../wire/frame.ts";
import { NOBODY, type Slave } from "./decide/machine.ts";
import { PortError } from "./errors.ts";

/** Addresses of one port. */
export const ADDRESSES_MAX = 1_000_000;

export interface AddressTableOptions {
  /** In a SharedArrayBuffer, for readers in other threads. */
  readonly shared?: boolean;
  /** Secret of the hash; a random one if absent. */
  readonly seed?: number;
  /** Addresses that fit before the table moves for the first time. */
  readonly capacity?: number;
}

const SLOTS = 0;
const SEED = 1;
const LIVE = 2;
const WRITTEN = 3;
const MOVED = 4;
const HEADER = 8;

const META = 4;
const SLOT = 5;

// The meta word; 0 is a slot that was never used. A deleted address has no slave.
const SLAVE = 0xffff;
const ACTIVE = 1 << 16;
const IS_4 = 1 << 17;
const IS_6 = 1 << 18;

const SLOTS_MIN = 64;

/** A table that is 5/8 full looks at four slots to learn that an address is nobody's. */
const capacityOf = (slots: number): number => (slots >>> 3) * 5;

export class AddressTable {
  #words: Int32Array;
  #mask: number;
  #seed: number;
  /** Addresses that there may be: an engine's tables may hold fewer than this one. */
  limit: number = ADDRESSES_MAX;
  /** The key of the address at hand. */
  readonly #key: Int32Array = new Int32Array(4);

  constructor(options: AddressTableOptions = {}) {
    const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.#words = newWords(slotsFor(options.capacity ?? 0), seed, options.shared ?? false);
    this.#mask = this.#words[SLOTS]! - 1;
    this.#seed = this.#words[SEED]!;
  }

  /** A reader's view of a table that another thread writes. */
  static attach(buffer: ArrayBufferLike): AddressTable {
    const table = new AddressTable();
    table.#use(new Int32Array(buffer));
    return table;
  }

  /** The slave that holds an IPv4 address and is up. */
  find4(addr: number): Slave {
    const at = this.#find4(addr | 0);
    return at < 0 ? NOBODY : activeSlave(this.#meta(at));
  }

  /** The slave that holds the IPv6 address at `at` of the frame and is up. */
  find6(f: Frame, at: number): Slave {
    const found = this.#find6(
      u32(f, at) | 0,
      u32(f, at + 4) | 0,
      u32(f, at + 8) | 0,
      u32(f, at + 12) | 0,
    );
    return found < 0 ? NOBODY : activeSlave(this.#meta(found));
  }

  /** The slave that holds the address, up or down. */
  holder(ip: Ip): Slave {
    const at = this.#find(ip);
    return at < 0 ? NOBODY : this.#meta(at) & SLAVE;
  }

  /** Gives the address to a slave, from whoever had it. */
  set(ip: Ip, slave: Slave, active: boolean): void {
    if (this.holder(ip) === NOBODY) {
      if (this.count >= this.limit) throw new PortError("ENOSPC", "Too many addresses");
      this.#reserve(ip);
      this.#words[LIVE]!++;
    }
    const family = ip.length === 4 ? IS_4 : IS_6;
    const at = this.#find(ip);
    Atomics.store(this.#words, (at < 0 ? ~at : at) + META, family | (active ? ACTIVE : 0) | slave);
  }

  /** Whether anybody held it. */
  delete(ip: Ip): boolean {
    const at = this.#find(ip);
    if (at < 0 || (this.#meta(at) & SLAVE) === NOBODY) return false;
    Atomics.store(this.#words, at + META, this.#meta(at) & (IS_4 | IS_6));
    this.#words[LIVE]!--;
    return true;
  }

  /** A slave that is down owns no traffic, but keeps its addresses reserved. */
  setActive(slave: Slave, active: boolean): void {
    for (let at = HEADER; at < this.#words.length; at += SLOT) {
      const meta = this.#words[at + META]!;
      if ((meta & SLAVE) !== slave) continue;
      Atomics.store(this.#words, at + META, active ? meta | ACTIVE : meta & ~ACTIVE);
    }
  }

  addressesOf(slave: Slave): Ip[] {
    const found: Ip[] = [];
    for (let at = HEADER; at < this.#words.length; at += SLOT) {
      if ((this.#words[at + META]! & SLAVE) === slave) found.push(this.#ipAt(at));
    }
    return found;
  }

  /** Addresses held. */
  get count(): number {
    return this.#words[LIVE]!;
  }

  /** Addresses, live and deleted, that fit before the table moves. */
  get capacity(): number {
    return capacityOf(this.#mask + 1);
  }

  /** What readers attach to; another one after the table has moved. */
  get buffer(): ArrayBufferLike {
    return this.#words.buffer;
  }

  /** Whether the writer has moved to another buffer. */
  get isStale(): boolean {
    return Atomics.load(this.#words, MOVED) !== 0;
  }

  /** Slots looked at to find the address, or that nobody has it: for whoever measures the hash. */
  probes(ip: Ip): number {
    const at = this.#find(ip);
    const slot = ((at < 0 ? ~at : at) - HEADER) / SLOT;
    return ((slot - this.#hash(ip)) & this.#mask) + 1;
  }

  #meta(at: number): number {
    return Atomics.load(this.#words, at + META);
  }

  /** Where the address's slot starts; if it has none, the complement of where the search ended. */
  #find(ip: Ip): number {
    const [a, b, c, d] = this.#keyOf(ip);
    return ip.length === 4 ? this.#find4(a!) : this.#find6(a!, b!, c!, d!);
  }

  #find4(key: number): number {
    const words = this.#words;
    for (let slot = hash4(this.#seed, key); ; slot++) {
      const at = HEADER + (slot & this.#mask) * SLOT;
      const meta = Atomics.load(words, at + META);
      if (meta === 0) return ~at;
      if ((meta & IS_4) !== 0 && words[at] === key) return at;
    }
  }

  #find6(a: number, b: number, c: number, d: number): number {
    const words = this.#words;
    for (let slot = hash6(this.#seed, a, b, c, d); ; slot++) {
      const at = HEADER + (slot & this.#mask) * SLOT;
      const meta = Atomics.load(words, at + META);
      if (meta === 0) return ~at;
      if ((meta & IS_6) === 0 || words[at] !== a || words[at + 1] !== b) continue;
      if (words[at + 2] === c && words[at + 3] === d) return at;
    }
  }

  /** Writes the key where the search for it ends, unless a slot has it already. */
  #reserve(ip: Ip): void {
    if (this.#find(ip) >= 0) return;
    if (this.#words[WRITTEN]! >= this.capacity) this.#move();
    this.#words.set(this.#keyOf(ip), ~this.#find(ip));
    this.#words[WRITTEN]!++;
  }

  #move(): void {
    const old = this.#words;
    const shared = !(old.buffer instanceof ArrayBuffer);
    // A quarter more than is live: a table that only sheds deleted addresses stays as large as it was.
    this.#use(newWords(slotsFor(Math.ceil((this.count * 5) / 4)), this.#seed, shared));
    for (let at = HEADER; at < old.length; at += SLOT) {
      if ((old[at + META]! & SLAVE) !== NOBODY) this.#copySlot(old, at);
    }
    Atomics.store(old, MOVED, 1);
  }

  #copySlot(old: Int32Array, at: number): void {
    const to =
      (old[at + META]! & IS_4) !== 0
        ? this.#find4(old[at]!)
        : this.#find6(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!);
    for (let i = 0; i < SLOT; i++) this.#words[~to + i] = old[at + i]!;
    this.#words[LIVE]!++;
    this.#words[WRITTEN]!++;
  }

  #use(words: Int32Array): void {
    this.#words = words;
    this.#mask = words[SLOTS]! - 1;
    this.#seed = words[SEED]!;
  }

  /** Valid until the next call. */
  #keyOf(ip: Ip): Int32Array {
    this.#key.fill(0);
    for (let i = 0; i < ip.length; i += 4) this.#key[i >>> 2] = wordOf(ip, i);
    return this.#key;
  }

  #hash(ip: Ip): number {
    const [a, b, c, d] = this.#keyOf(ip);
    return ip.length === 4 ? hash4(this.#seed, a!) : hash6(this.#seed, a!, b!, c!, d!);
  }

  #ipAt(at: number): Ip {
    const is4 = (this.#words[at + META]! & IS_4) !== 0;
    const ip = new Uint8Array(is4 ? 4 : 16);
    for (let i = 0; i < ip.length; i++) {
      ip[i] = this.#words[at + (i >>> 2)]! >>> (24 - 8 * (i & 3));
    }
    return ip;
  }
}

const activeSlave = (meta: number): Slave => ((meta & ACTIVE) !== 0 ? meta & SLAVE : NOBODY);

function slotsFor(capacity: number): number {
  let slots = SLOTS_MIN;
  while (capacityOf(slots) < capacity) slots *= 2;
  return slots;
}

function newWords(slots: number, seed: number, shared: boolean): Int32Array {
  const bytes = (HEADER + slots * SLOT) * Int32Array.BYTES_PER_ELEMENT;
  const words = new Int32Array(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  words[SLOTS] = slots;
  words[SEED] = seed;
  return words;
}

const wordOf = (b: Uint8Array, i: number): number =>
  (b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!;

/**
 * Takes one word of a key in. The multiplier is secret as the seed is, and each word is multiplied twice: a
 * difference in the top bit survives one multiplication by any odd number, so that the words of two addresses
 * could be chosen to cancel out, whatever the seed.
 */
function mix(hash: number, word: number, multiplier: number): number {
  let h = Math.imul(hash ^ word, multiplier);
  h = Math.imul(h ^ (h >>> 16), multiplier);
  return h ^ (h >>> 15);
}

/** Addresses that differ in a few high bits only, a subnet apart, need a third. */
function finish(hash: number): number {
  const h = Math.imul(hash, 0x21f0aaad);
  return h ^ (h >>> 15);
}

const multiplierOf = (seed: number): number => Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;

const hash4 = (seed: number, word: number): number => finish(mix(seed, word, multiplierOf(seed)));

function hash6(seed: number, a: number, b: number, c: number, d: number): number {
  const m = multiplierOf(seed);
  return finish(mix(mix(mix(mix(seed, a, m), b, m), c, m), d, m));
}
