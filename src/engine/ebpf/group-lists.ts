/**
 * Which host ends get a copy of a group frame, as the programs read it: lists in pieces (layout.ts, GROUPS). What
 * `driver/group-table.ts` is to the userspace engine; here a list is complete by itself, those who take every group
 * included, so that a program finds it with one look-up.
 */
import { GROUPS_PER_SLAVE_MAX, type Groups } from "../../driver/group-table.ts";
import { formatMac, type Mac } from "../../wire/address.ts";
import {
  PIECE_BYTES,
  PIECE_COUNT,
  PIECE_MAX,
  PIECE_MEMBERS,
  PIECE_MORE,
  PIECE_TOTAL,
} from "./layout.ts";

/** Writes a piece, or takes it away. Throws if there is no room for one more. */
export type WritePiece = (key: Uint8Array, piece: Uint8Array | undefined) => void;

/** Key of the list of those who take every group that has no list. */
const EVERY_GROUP: Mac = new Uint8Array(6);
const BROADCAST: Mac = new Uint8Array(6).fill(0xff);

/** A group that somebody asked for. */
interface Group {
  readonly mac: Mac;
  /** Host ends that asked, by ifindex. */
  readonly asked: Set<number>;
  readonly list: PieceList;
}

export class GroupLists {
  readonly #write: WritePiece;
  readonly #groups: Map<string, Group> = new Map();
  readonly #filters: Map<number, Groups> = new Map();
  /** Host ends that take every group. */
  readonly #takesAll: Set<number> = new Set();

  constructor(write: WritePiece) {
    this.#write = write;
  }

  /**
   * Replaces what a host end takes; undefined: nothing, broadcast neither. One with more groups than a filter holds, or
   * than there is room for, takes them all.
   */
  set(host: number, filter: Groups | undefined): void {
    const isTooLong = filter !== undefined && filter.length > GROUPS_PER_SLAVE_MAX;
    try {
      this.#change(host, isTooLong ? "all" : filter);
    } catch (error) {
      if (filter === "all" || filter === undefined) throw error;
      this.#change(host, undefined);
      this.#change(host, "all");
    }
  }

  #change(host: number, filter: Groups | undefined): void {
    const before = keysOf(this.#filters.get(host));
    const after = keysOf(filter);
    const kept = new Set(after.map(formatMac));
    const tookAll = this.#takesAll.has(host);
    if (filter === undefined) this.#filters.delete(host);
    else this.#filters.set(host, filter);
    if (filter === "all") this.#takesAll.add(host);
    else this.#takesAll.delete(host);
    // What is new comes first, so that nobody misses a group meanwhile that he had and keeps.
    for (const mac of after) this.#groupOf(mac).asked.add(host);
    const touched =
      tookAll === (filter === "all") ? after.map((mac) => this.#groupOf(mac)) : this.#all();
    for (const group of touched) this.#update(group, host);
    for (const mac of before) {
      const group = this.#groups.get(formatMac(mac));
      if (group === undefined || kept.has(formatMac(mac))) continue;
      group.asked.delete(host);
      this.#update(group, host);
    }
  }

  /** Brings a list in step with who asked, as far as this host end is concerned. */
  #update({ mac, asked, list }: Group, host: number): void {
    if (asked.size === 0) {
      this.#groups.delete(formatMac(mac));
      list.clear();
    } else if (list.size === 0) {
      for (const one of new Set([...asked, ...this.#takesAll])) list.add(one);
    } else if (asked.has(host) || this.#takesAll.has(host)) list.add(host);
    else list.delete(host);
  }

  /** A copy: groups may end while somebody looks at it. */
  #all(): Group[] {
    return [...this.#groups.values()];
  }

  #groupOf(mac: Mac): Group {
    const name = formatMac(mac);
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const list = new PieceList((n, piece) => this.#write(pieceKey(mac, n), piece));
    const group = { mac, asked: new Set<number>(), list };
    this.#groups.set(name, group);
    return group;
  }
}

/** The groups whose lists a filter asks for. */
function keysOf(filter: Groups | undefined): readonly Mac[] {
  if (filter === undefined) return [];
  return filter === "all" ? [BROADCAST, EVERY_GROUP] : [BROADCAST, ...filter];
}

function pieceKey(mac: Mac, number: number): Uint8Array {
  const key = new Uint8Array(8);
  key.set(mac);
  new DataView(key.buffer).setUint16(6, number, true);
  return key;
}

/** ifindexes in pieces. At no moment does a reader miss one that stays; it may meet one twice. */
class PieceList {
  readonly #write: (number: number, piece: Uint8Array | undefined) => void;
  readonly #members: number[] = [];
  readonly #places: Map<number, number> = new Map();

  constructor(write: (number: number, piece: Uint8Array | undefined) => void) {
    this.#write = write;
  }

  get size(): number {
    return this.#members.length;
  }

  add(member: number): void {
    if (this.#places.has(member)) return;
    this.#places.set(member, this.size);
    this.#members.push(member);
    const last = pieceOf(this.size - 1);
    try {
      this.#writePieces(last, last - 1, 0);
    } catch (error) {
      this.#members.pop();
      this.#places.delete(member);
      throw error;
    }
  }

  /** The last one takes its place. */
  delete(member: number): void {
    const place = this.#places.get(member);
    if (place === undefined) return;
    this.#places.delete(member);
    const last = this.#members.pop()!;
    if (last !== member) {
      this.#members[place] = last;
      this.#places.set(last, place);
    }
    const end = pieceOf(this.size);
    this.#writePieces(pieceOf(place), end - 1, end, 0);
  }

  clear(): void {
    const end = pieceOf(this.size - 1);
    this.#members.length = 0;
    this.#places.clear();
    for (let number = 0; number <= end; number++) this.#write(number, undefined);
  }

  /** Each once, in this order. */
  #writePieces(...numbers: readonly number[]): void {
    for (const number of new Set(numbers))
      if (number >= 0) this.#write(number, this.#piece(number));
  }

  #piece(number: number): Uint8Array | undefined {
    const members = this.#members.slice(number * PIECE_MAX, (number + 1) * PIECE_MAX);
    if (members.length === 0) return undefined;
    const words = new Uint32Array(PIECE_BYTES / 4);
    words.set(members, PIECE_MEMBERS / 4);
    words[PIECE_COUNT / 4] = members.length;
    words[PIECE_MORE / 4] = this.size > (number + 1) * PIECE_MAX ? 1 : 0;
    words[PIECE_TOTAL / 4] = this.size;
    return new Uint8Array(words.buffer);
  }
}

const pieceOf = (place: number): number => Math.floor(place / PIECE_MAX);
