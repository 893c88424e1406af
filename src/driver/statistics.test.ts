import assert from "node:assert/strict";
import { test } from "node:test";
import { NOBODY } from "./decide/machine.ts";
import * as verdict from "./decide/verdict.ts";
import { reasons, SLAVES_MAX, Statistics } from "./statistics.ts";

const nothing = new Statistics().read(1);

test("a slave's counters say what it sent, what it was given, and what was lost and why", () => {
  const statistics = new Statistics();
  statistics.sent(1, 60, 0);
  statistics.sent(1, 1514, 0);
  statistics.sent(1, 60, verdict.ISOLATED);
  statistics.received(1, 100, false);
  statistics.received(1, 60, true);
  statistics.missed(1, verdict.SEND_FAILED);
  assert.deepEqual(statistics.read(1), {
    rxPackets: 2,
    rxBytes: 160,
    rxErrors: 1,
    rxDropped: 1,
    multicast: 1,
    txPackets: 2,
    txBytes: 1574,
    txDropped: 1,
    drops: { isolated: 1, "send-failed": 1 },
  });
});

test("every row is its own: the port's, the first slave's, the last one's", () => {
  const statistics = new Statistics();
  statistics.dropped(NOBODY, verdict.BACKLOG);
  statistics.sent(SLAVES_MAX, 60, verdict.SEND_FAILED);
  assert.deepEqual(statistics.read(NOBODY), { ...nothing, drops: { backlog: 1 } });
  assert.deepEqual(statistics.read(1), nothing);
  assert.deepEqual(statistics.read(SLAVES_MAX).drops, { "send-failed": 1 });
});

test("an id that is handed out anew starts from nothing, and its neighbours go on", () => {
  const statistics = new Statistics();
  for (const slave of [1, 2, 3]) statistics.sent(slave, 60, verdict.SEND_FAILED);
  statistics.clear(2);
  assert.deepEqual(statistics.read(2), nothing);
  assert.equal(statistics.read(1).txDropped, 1);
  assert.equal(statistics.read(3).txDropped, 1);
});

test("what one thread counts, another reads", () => {
  const counting = new Statistics({ shared: true });
  assert.ok(counting.buffer instanceof SharedArrayBuffer);
  const reading = Statistics.attach(counting.buffer);
  counting.received(7, 60, false);
  assert.equal(reading.read(7).rxPackets, 1);
});

test("every reason of a verdict has a name of its own", () => {
  const numbers = Object.entries(verdict).filter(
    ([name, value]) => typeof value === "number" && !(name in kinds),
  );
  assert.equal(numbers.length, 12);
  for (const [name, number] of numbers)
    assert.match(reasons[number as number] ?? "", /^[a-z3-]+$/, name);
  assert.equal(new Set(reasons).size, 13); // and "" for none
});

const kinds = { DROP: 1, DELIVER: 1, WIRE: 1, STACK: 1, ROUTE: 1, FLOOD_OUT: 1, FLOOD_IN: 1 };
