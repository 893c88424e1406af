import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mac } from "../../test/topology.ts";
import { formatMac, type Mac, macFrom, macHigh, macLow } from "../wire/address.ts";
import { GROUPS_PER_SLAVE_MAX, GroupTable } from "./group-table.ts";

const nodes = mac("33:33:00:00:00:01");
const some = mac("01:00:5e:01:01:01");
const all = mac("all");

function members(table: GroupTable, group: Mac): number[] {
  const found: number[] = [];
  const high = macHigh(group);
  const low = macLow(group);
  for (let n = table.first(high, low); n !== 0; n = table.next(n)) found.push(table.member(n));
  assert.equal(table.isEmpty(high, low), found.length === 0);
  return found.sort((a, b) => a - b);
}

test("a group goes to the slaves that joined it", () => {
  const table = new GroupTable();
  table.set(1, [nodes, some]);
  table.set(2, [nodes]);
  assert.deepEqual(members(table, nodes), [1, 2]);
  assert.deepEqual(members(table, some), [1]);
  assert.deepEqual(members(table, mac("01:00:5e:01:01:02")), []);
});

test("broadcast goes to every slave that is up, joined or not", () => {
  const table = new GroupTable();
  table.set(1, []);
  table.set(2, "all");
  table.set(3, [all]); // even if it says so
  assert.deepEqual(members(table, all), [1, 2, 3]);
});

test("a promiscuous slave takes every group, once", () => {
  const table = new GroupTable();
  table.set(1, "all");
  table.set(2, [some]);
  assert.deepEqual(members(table, some), [1, 2]);
  assert.deepEqual(members(table, nodes), [1]);
});

test("a filter is replaced as a whole", () => {
  const table = new GroupTable();
  table.set(1, [some]);
  table.set(1, [nodes]);
  assert.deepEqual(members(table, some), []);
  assert.deepEqual(members(table, nodes), [1]);
});

test("a slave that is removed takes nothing, not even broadcast", () => {
  const table = new GroupTable();
  table.set(1, [some]);
  table.set(2, "all");
  table.remove(1);
  table.remove(2);
  table.remove(2);
  assert.deepEqual(members(table, some), []);
  assert.deepEqual(members(table, all), []);
});

test("a slave with more groups than the limit takes every group", () => {
  const many = Array.from({ length: GROUPS_PER_SLAVE_MAX }, (_, i) => macFrom(0x3333, i));
  const table = new GroupTable();
  table.set(1, many);
  assert.deepEqual(members(table, some), []);
  table.set(1, [...many, nodes]);
  assert.deepEqual(members(table, some), [1]);
});

test("the table says what sets of slaves would", () => {
  const group = fc.nat(3).map((i) => [nodes, some, all, mac("03:ff:ff:ff:ff:ff")][i]!);
  const filter = fc.oneof(fc.constant("all" as const), fc.constant(undefined), fc.array(group));
  const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), filter), { maxLength: 40 });
  const property = fc.property(changes, group, (list, asked) => {
    const table = new GroupTable();
    const model = new Map<number, readonly Mac[] | "all">();
    for (const [slave, groups] of list) {
      if (groups === undefined) table.remove(slave);
      else table.set(slave, groups);
      if (groups === undefined) model.delete(slave);
      else model.set(slave, groups);
    }
    const takes = (groups: readonly Mac[] | "all"): boolean =>
      asked === all || groups === "all" || groups.some((g) => formatMac(g) === formatMac(asked));
    const expected = [...model].filter(([, groups]) => takes(groups)).map(([slave]) => slave);
    assert.deepEqual(
      members(table, asked),
      expected.sort((a, b) => a - b),
    );
  });
  fc.assert(property);
});
