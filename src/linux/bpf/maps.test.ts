import assert from "node:assert/strict";
import { test } from "node:test";
import { needsBpf } from "../../../test/bpf.ts";
import { word } from "../../bpf/vm/maps.ts";
import { BpfMap, countCpus, type MapSpec, possibleCpus } from "./maps.ts";

const skip = needsBpf;

function withMap(spec: Partial<MapSpec>, body: (map: BpfMap) => void): void {
  const words = { type: "hash", name: "words", keySize: 4, valueSize: 4, maxEntries: 3 } as const;
  const map = BpfMap.create({ ...words, ...spec });
  try {
    body(map);
  } finally {
    map.close();
  }
}

const value = (map: BpfMap, key: number): number | undefined => {
  const into = Buffer.alloc(4);
  return map.lookup(word(key), into) ? into.readUInt32LE() : undefined;
};
const keys = (map: BpfMap): number[] =>
  map
    .keys()
    .map((key) => Buffer.from(key).readUInt32LE())
    .sort();

for (const preallocate of [true, false])
  test(`a hash has what was written, until it is deleted; preallocated: ${preallocate}`, {
    skip,
  }, () => {
    withMap({ preallocate }, (map) => {
      assert.equal(value(map, 1), undefined);
      assert.deepEqual(map.keys(), []);
      map.update(word(1), word(0xffffffff));
      map.update(word(2), word(20));
      map.update(word(2), word(21));
      assert.equal(value(map, 1), 0xffffffff);
      assert.equal(value(map, 2), 21);
      assert.deepEqual(keys(map), [1, 2]);
      assert.equal(map.delete(word(1)), true);
      assert.equal(map.delete(word(1)), false);
      assert.equal(value(map, 1), undefined);
      assert.deepEqual(keys(map), [2]);
    });
  });

test("who wants a key to be new or to exist is told when it is not so", { skip }, () => {
  withMap({}, (map) => {
    assert.throws(() => map.update(word(1), word(1), "existing"), { code: "ENOENT" });
    map.update(word(1), word(1), "new");
    assert.throws(() => map.update(word(1), word(2), "new"), { code: "EEXIST" });
    map.update(word(1), word(3), "existing");
    assert.equal(value(map, 1), 3);
  });
});

for (const preallocate of [true, false])
  test(`a full map says so and names itself; preallocated: ${preallocate}`, { skip }, () => {
    withMap({ preallocate }, (map) => {
      for (const key of [1, 2, 3]) map.update(word(key), word(key));
      assert.throws(() => map.update(word(4), word(4)), {
        name: "MapFullError",
        code: "E2BIG",
        message: "map words is full: it holds at most 3 entries",
      });
      map.update(word(3), word(33));
      map.delete(word(1));
      map.update(word(4), word(4));
      assert.deepEqual(keys(map), [2, 3, 4]);
    });
  });

test("an array has every index from the start, and none behind its end", { skip }, () => {
  withMap({ type: "array" }, (map) => {
    assert.equal(value(map, 2), 0);
    map.update(word(2), word(7));
    assert.equal(value(map, 2), 7);
    assert.equal(value(map, 3), undefined);
    assert.throws(() => map.update(word(3), word(7)), { name: "MapFullError" });
  });
});

test("keys and values of a wrong length never reach the kernel", { skip }, () => {
  withMap({}, (map) => {
    assert.throws(() => map.lookup(new Uint8Array(3), new Uint8Array(4)), RangeError);
    assert.throws(() => map.update(word(1), new Uint8Array(5)), RangeError);
  });
});

test("counters that each processor has for itself are summed", { skip }, () => {
  withMap({ type: "per-cpu-hash", valueSize: 16 }, (map) => {
    assert.equal(map.counters(word(1)), undefined);
    const rows = Array.from({ length: possibleCpus() }, (_, cpu) => [BigInt(cpu + 1), 2n ** 40n]);
    const bytes = new Uint8Array(new BigUint64Array(rows.flat()).buffer);
    map.update(word(1), bytes);
    const into = new Uint8Array(map.valueBytes);
    map.lookup(word(1), into);
    assert.deepEqual(into, bytes);
    const n = BigInt(possibleCpus());
    assert.deepEqual(map.counters(word(1)), [(n * (n + 1n)) / 2n, n * 2n ** 40n]);
  });
});

test("a map is known again by its descriptor", { skip }, () => {
  withMap({ type: "per-cpu-array", name: "a-name of much more than 15", valueSize: 6 }, (map) => {
    const again = BpfMap.of(map.fd);
    assert.deepEqual(again.spec, { ...map.spec, name: "a_name_of_much_", preallocate: true });
    assert.equal(again.valueBytes, 8 * possibleCpus());
  });
});

test("thousands of entries come and go by the same buffers", { skip }, () => {
  withMap({ maxEntries: 5000 }, (map) => {
    for (let i = 0; i < 5000; i++) map.update(word(i), word(i * 3));
    for (let i = 0; i < 5000; i += 97) assert.equal(value(map, i), i * 3);
    assert.equal(new Set(keys(map)).size, 5000);
    for (let i = 0; i < 5000; i++) assert.ok(map.delete(word(i)));
    assert.deepEqual(map.keys(), []);
  });
});

test("processors are counted from the kernel's list of them", () => {
  assert.equal(countCpus("0\n"), 1);
  assert.equal(countCpus("0-127\n"), 128);
  assert.equal(countCpus("0-3,8,10-11\n"), 7);
});
