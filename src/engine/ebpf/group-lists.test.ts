/** The lists as the programs read them, beside what the driver's own table of groups says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Groups, GroupTable } from "../../driver/group-table.ts";
import { formatMac, type Mac, macHigh, macLow } from "../../wire/address.ts";
import { GroupLists } from "./group-lists.ts";
import { PIECE_COUNT, PIECE_MAX, PIECE_MEMBERS, PIECE_MORE, PIECE_TOTAL } from "./layout.ts";

const group = (n: number): Mac => Uint8Array.of(1, 0, 0x5e, 0, 0, n);
const BROADCAST: Mac = new Uint8Array(6).fill(0xff);
const EVERY_GROUP: Mac = new Uint8Array(6);

/** The kernel's map, and how a program walks a list in it: `flood.ts`. */
class Pieces {
  readonly map: Map<string, Uint8Array> = new Map();
  /** Entries that there is room for. */
  room = Number.POSITIVE_INFINITY;

  readonly write = (key: Uint8Array, piece: Uint8Array | undefined): void => {
    const name = Buffer.from(key).toString("hex");
    if (piece === undefined) this.map.delete(name);
    else if (!this.map.has(name) && this.map.size >= this.room) throw new Error("full");
    else this.map.set(name, piece);
  };

  takers(mac: Mac): number[] {
    const members: number[] = [];
    for (let n = 0; ; n++) {
      const piece = this.#find(mac, n) ?? this.#find(EVERY_GROUP, n);
      if (piece === undefined) return members;
      const words = new DataView(piece.buffer, piece.byteOffset, piece.length);
      const count = words.getUint32(PIECE_COUNT, true);
      assert.ok(count > 0 && count <= PIECE_MAX);
      for (let i = 0; i < count; i++) members.push(words.getUint32(PIECE_MEMBERS + 4 * i, true));
      const more = words.getUint32(PIECE_MORE, true);
      if (more === 0) {
        const [first] = [this.#find(mac, 0) ?? this.#find(EVERY_GROUP, 0)];
        const total = new DataView(first!.buffer, first!.byteOffset).getUint32(PIECE_TOTAL, true);
        assert.equal(total, members.length, "the first piece tells how many there are");
        return members;
      }
    }
  }

  #find(mac: Mac, number: number): Uint8Array | undefined {
    const key = Buffer.alloc(8);
    key.set(mac);
    key.writeUInt16LE(number, 6);
    return this.map.get(key.toString("hex"));
  }
}

/** Who gets a copy by the driver's table, in order of number. */
function walk(table: GroupTable, mac: Mac): number[] {
  const found: number[] = [];
  const [high, low] = [macHigh(mac), macLow(mac)];
  for (let n = table.first(high, low); n !== 0; n = table.next(n)) found.push(table.member(n));
  return found.sort((a, b) => a - b);
}

const filter: fc.Arbitrary<Groups | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constant<Groups>("all"),
  fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }).map((ns) => ns.map(group)),
);

test("whatever slaves join and leave, the programs' lists say what the driver's table says", () => {
  const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), filter), { maxLength: 40 });
  fc.assert(
    fc.property(changes, (list) => {
      const pieces = new Pieces();
      const [lists, table] = [new GroupLists(pieces.write), new GroupTable()];
      for (const [host, groups] of list) {
        lists.set(host, groups);
        if (groups === undefined) table.remove(host);
        else table.set(host, groups);
        for (const mac of [BROADCAST, ...[1, 2, 3, 4, 5].map(group)]) {
          const takers = pieces.takers(mac).sort((a, b) => a - b);
          assert.deepEqual(takers, walk(table, mac), formatMac(mac));
        }
      }
      for (const [host] of list) lists.set(host, undefined);
      assert.equal(pieces.map.size, 0, "nothing is left");
    }),
    { numRuns: 300 },
  );
});

test("a list of more than one piece loses and gains members at any place", () => {
  const pieces = new Pieces();
  const lists = new GroupLists(pieces.write);
  const all = Array.from({ length: 3 * PIECE_MAX + 1 }, (_, i) => i + 1);
  for (const host of all) lists.set(host, []);
  assert.deepEqual(pieces.takers(BROADCAST), all);
  const left = new Set(all);
  for (const host of [1, PIECE_MAX, 3 * PIECE_MAX + 1, 2 * PIECE_MAX, 2, 3]) {
    lists.set(host, undefined);
    left.delete(host);
    assert.deepEqual(new Set(pieces.takers(BROADCAST)), left);
  }
});

test("while a member goes, who stays is on the list at every moment", () => {
  const pieces = new Pieces();
  const lists = new GroupLists((key, piece) => {
    pieces.write(key, piece);
    if (!isWatched) return;
    const seen = new Set(readAll(pieces));
    for (const host of staying) assert.ok(seen.has(host), `${host} is missed`);
  });
  let isWatched = false;
  const all = Array.from({ length: 2 * PIECE_MAX + 3 }, (_, i) => i + 1);
  for (const host of all) lists.set(host, []);
  const staying = all.filter((host) => host % 5 !== 0);
  isWatched = true;
  for (const host of all) if (host % 5 === 0) lists.set(host, undefined);
});

test("a slave with more groups than there is room for takes them all", () => {
  const pieces = new Pieces();
  const lists = new GroupLists(pieces.write);
  lists.set(1, [group(1)]);
  pieces.room = 3; // broadcast, one group, and one more
  lists.set(2, [group(2), group(3)]);
  assert.deepEqual(pieces.takers(group(3)), [2]);
  assert.deepEqual(pieces.takers(group(1)), [1, 2]);
});

/** As a program would that stops where a piece says that no more follow. */
function readAll(pieces: Pieces): number[] {
  const members: number[] = [];
  for (let n = 0; ; n++) {
    const key = Buffer.alloc(8);
    key.set(BROADCAST);
    key.writeUInt16LE(n, 6);
    const piece = pieces.map.get(key.toString("hex"));
    if (piece === undefined) return members;
    const words = new DataView(piece.buffer, piece.byteOffset, piece.length);
    for (let i = 0; i < words.getUint32(PIECE_COUNT, true); i++)
      members.push(words.getUint32(PIECE_MEMBERS + 4 * i, true));
    if (words.getUint32(PIECE_MORE, true) === 0) return members;
  }
}
