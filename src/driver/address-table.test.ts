import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { ip } from "../../test/topology.ts";
import { formatIp, type Ip, ip4FromNumber, ip4ToNumber } from "../wire/address.ts";
import { Frame } from "../wire/frame.ts";
import { ADDRESSES_MAX, AddressTable } from "./address-table.ts";
import { NOBODY } from "./decide/machine.ts";

const find = (table: AddressTable, address: Ip): number =>
  address.length === 4
    ? table.find4(ip4ToNumber(address))
    : table.find6(Frame.of(Uint8Array.of(1, 2, 3, ...address)), 3);

test("an address is its slave's, IPv4 and IPv6 alike", () => {
  const table = new AddressTable();
  table.set(ip("10.0.0.10"), 1, true);
  table.set(ip("fd00::10"), 65_533, true);
  assert.equal(find(table, ip("10.0.0.10")), 1);
  assert.equal(find(table, ip("fd00::10")), 65_533);
  assert.equal(find(table, ip("10.0.0.11")), NOBODY);
  assert.equal(find(table, ip("fd00::11")), NOBODY);
  assert.equal(table.count, 2);
});

test("an IPv6 address that starts like an IPv4 one is another address", () => {
  const table = new AddressTable({ seed: 1 });
  table.set(ip("10.0.0.10"), 1, true);
  assert.equal(table.holder(ip("a00:a::")), NOBODY);
  table.set(ip("a00:a::"), 2, true);
  assert.equal(find(table, ip("10.0.0.10")), 1);
  assert.equal(find(table, ip("a00:a::")), 2);
});

test("0.0.0.0 and :: are addresses like others, and at first nobody's", () => {
  const table = new AddressTable();
  assert.equal(find(table, ip("0.0.0.0")), NOBODY);
  assert.equal(find(table, ip("::")), NOBODY);
  table.set(ip("::"), 3, true);
  assert.equal(find(table, ip("0.0.0.0")), NOBODY);
  assert.equal(find(table, ip("::")), 3);
});

test("a slave that is down keeps its addresses, and owns no traffic", () => {
  const table = new AddressTable();
  table.set(ip("10.0.0.10"), 1, false);
  assert.equal(table.holder(ip("10.0.0.10")), 1);
  assert.equal(find(table, ip("10.0.0.10")), NOBODY);
  table.setActive(1, true);
  assert.equal(find(table, ip("10.0.0.10")), 1);
});

test("a deleted address is nobody's, though its neighbours in the table stay", () => {
  const table = new AddressTable({ seed: 1 });
  for (let i = 0; i < 40; i++) table.set(ip4FromNumber(i), 1 + i, true);
  for (let i = 0; i < 40; i += 2) assert.equal(table.delete(ip4FromNumber(i)), true);
  for (let i = 0; i < 40; i++) assert.equal(table.find4(i), i % 2 === 0 ? NOBODY : 1 + i);
  assert.equal(table.delete(ip4FromNumber(0)), false);
  assert.deepEqual(table.addressesOf(1), []);
  assert.equal(table.count, 20);
});

/** What may happen to a table, over so few addresses and slaves that all of it happens to the same ones. */
const operation = fc.oneof(
  fc.record({
    what: fc.constant("set" as const),
    n: fc.nat(199),
    slave: fc.integer({ min: 1, max: 5 }),
    active: fc.boolean(),
  }),
  fc.record({ what: fc.constant("delete" as const), n: fc.nat(199) }),
  fc.record({
    what: fc.constant("setActive" as const),
    slave: fc.integer({ min: 1, max: 5 }),
    active: fc.boolean(),
  }),
);
const address = (n: number): Ip =>
  n % 2 === 0 ? ip4FromNumber(n) : Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? n : 0));

test("the table says what a Map would, through growth and deletions", () => {
  const property = fc.property(
    fc.array(operation, { minLength: 100, maxLength: 500 }),
    fc.integer(),
    (operations, seed) => {
      const table = new AddressTable({ seed });
      const model = new Map<string, { ip: Ip; slave: number; active: boolean }>();
      for (const op of operations) {
        if (op.what === "set") {
          const held = { ip: address(op.n), slave: op.slave, active: op.active };
          table.set(held.ip, op.slave, op.active);
          model.set(formatIp(held.ip), held);
        } else if (op.what === "delete") {
          assert.equal(table.delete(address(op.n)), model.delete(formatIp(address(op.n))));
        } else {
          table.setActive(op.slave, op.active);
          for (const held of model.values()) if (held.slave === op.slave) held.active = op.active;
        }
      }
      assert.equal(table.count, model.size);
      for (let n = 0; n < 200; n++) {
        const held = model.get(formatIp(address(n)));
        assert.equal(table.holder(address(n)), held?.slave ?? NOBODY);
        assert.equal(find(table, address(n)), held?.active ? held.slave : NOBODY);
      }
      for (let slave = 1; slave <= 5; slave++) {
        const held = [...model.values()].filter((h) => h.slave === slave);
        assert.deepEqual(
          table.addressesOf(slave).map(formatIp).sort(),
          held.map((h) => formatIp(h.ip)).sort(),
        );
      }
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test("a full table moves to a larger buffer, and readers of the old one can tell", () => {
  const table = new AddressTable({ capacity: 40 });
  const reader = AddressTable.attach(table.buffer);
  const before = table.buffer;
  for (let i = 1; i <= 40; i++) table.set(ip4FromNumber(i), i, true);
  assert.equal(table.buffer, before);
  assert.equal(reader.isStale, false);
  table.set(ip4FromNumber(41), 41, true);
  assert.notEqual(table.buffer, before);
  assert.equal(reader.isStale, true);
  assert.equal(reader.find4(40), 40); // what was so, until the reader attaches anew
  const next = AddressTable.attach(table.buffer);
  for (let i = 1; i <= 41; i++) assert.equal(next.find4(i), i);
  assert.equal(next.isStale, false);
});

test("addresses that come and go do not make the table larger", () => {
  const table = new AddressTable();
  const { byteLength } = table.buffer;
  for (let i = 0; i < 10_000; i++) {
    table.set(ip4FromNumber(i), 1, true);
    table.delete(ip4FromNumber(i));
  }
  assert.equal(table.buffer.byteLength, byteLength);
});

test("an address that comes and goes takes one slot", () => {
  const table = new AddressTable();
  const { buffer } = table;
  for (let i = 0; i < 1000; i++) {
    table.set(ip("fd00::1"), 1, true);
    table.delete(ip("fd00::1"));
  }
  assert.equal(table.buffer, buffer);
});

test("a million addresses fit, in 64 bytes each, found as fast as a thousand", () => {
  const table = new AddressTable({ seed: 7 });
  const nth = (i: number): Ip =>
    i % 2 === 0
      ? ip4FromNumber(0x0a000000 + i)
      : Uint8Array.of(0xfd, ...Array(11).fill(0), ...ip4FromNumber(i));
  let bytesPerAddress = 0;
  for (let i = 0; i < ADDRESSES_MAX; i++) {
    table.set(nth(i), 1 + (i % 65_533), true);
    if (i >= 1000)
      bytesPerAddress = Math.max(bytesPerAddress, table.buffer.byteLength / table.count);
  }
  assert.equal(table.count, ADDRESSES_MAX);
  assert.ok(bytesPerAddress <= 64.01, `${bytesPerAddress} bytes an address`);
  assert.throws(() => table.set(ip("1.2.3.4"), 1, true), { code: "ENOSPC" });
  table.set(nth(0), 9, true); // but who is in may change hands
  assert.equal(table.holder(nth(0)), 9);
  // Linear probing at 5/8 full: 1.8 slots to find, 4.1 to miss.
  assert.ok(meanProbes(table, (i) => nth(i * 97)) < 2);
  assert.ok(meanProbes(table, (i) => ip4FromNumber(0xc0000000 + i)) < 4.5);
});

test("addresses in a row, or a subnet apart, are found as fast as random ones", () => {
  for (const step of [1, 256, 1 << 16, 0x01000001]) {
    for (let seed = 0; seed < 20; seed++) {
      const table = new AddressTable({ seed });
      const nth = (i: number): Ip => ip4FromNumber((i * step) >>> 0);
      for (let i = 0; i < 10_000; i++) table.set(nth(i), 1, true);
      assert.ok(meanProbes(table, nth) < 2, `a step of ${step}, seed ${seed}`);
    }
  }
});

test("words whose differences would cancel out under a plain hash do not collide", () => {
  // Flip the top bit of the first word, and in the second what one multiplication and one shift make of it.
  const trace = (shift: number): number => (0x80000000 | (0x80000000 >>> shift)) >>> 0;
  const pair = (n: number, second: number): Ip =>
    Uint8Array.of(...ip4FromNumber(n), ...ip4FromNumber(second), ...new Array(8).fill(0));
  for (const shift of [13, 15, 16]) {
    for (let seed = 0; seed < 100; seed++) {
      const table = new AddressTable({ seed, capacity: 10_000 });
      table.set(pair(0x7d000000, 0), 1, true);
      table.set(pair(0xfd000000, trace(shift)), 1, true);
      assert.equal(table.probes(pair(0xfd000000, trace(shift))), 1);
    }
  }
});

function meanProbes(table: AddressTable, nth: (i: number) => Ip, count = 10_000): number {
  let probes = 0;
  for (let i = 0; i < count; i++) probes += table.probes(nth(i));
  return probes / count;
}

/** In another thread: looks up, in whatever buffer it was told of last, until it is told to stop. */
const reader = `
  const { parentPort, receiveMessageOnPort, workerData } = require("node:worker_threads");
  import(workerData.module).then(({ AddressTable }) => {
    let table = AddressTable.attach(workerData.buffer);
    const stranger = { bytes: new Uint8Array(16).fill(0xaa), start: 0, length: 16 };
    const seen = new Set();
    let strangers = 0;
    for (;;) {
      for (let i = 0; i < 1000; i++) seen.add(table.find4(0x0a000001));
      for (let i = 0; i < 1000; i++) strangers += table.find6(stranger, 0);
      const told = receiveMessageOnPort(parentPort)?.message;
      if (told === "stop") break;
      if (told !== undefined) table = AddressTable.attach(told);
    }
    parentPort.postMessage({ seen: [...seen].sort(), strangers });
  });
`;

test("another thread reads while this one writes, and sees only what was so", async () => {
  const table = new AddressTable({ shared: true, seed: 11 });
  table.set(ip("10.0.0.1"), 1, true);
  const module = new URL("address-table.js", import.meta.url).href;
  const worker = new Worker(reader, { eval: true, workerData: { module, buffer: table.buffer } });
  await once(worker, "online");
  const answer = once(worker, "message");
  const until = Date.now() + 300;
  for (let i = 0; Date.now() < until; i++) {
    const { buffer } = table;
    table.set(ip("10.0.0.1"), 1 + (i & 1), true); // from hand to hand, never nobody's
    const passing = Uint8Array.from({ length: 16 }, (_, n) => (n < 4 ? i >> (8 * n) : 0xaa));
    table.set(passing, 3, true);
    table.delete(passing);
    if (table.buffer !== buffer) worker.postMessage(table.buffer);
    if (i % 1000 === 0) await setImmediate();
  }
  worker.postMessage("stop");
  assert.deepEqual(await answer, [{ seen: [1, 2], strangers: 0 }]);
});
