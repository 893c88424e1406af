import assert from "node:assert/strict";
import { test } from "node:test";
import { Patience } from "./patience.ts";

const TIMEOUT_MS = 500;
const LOOKS = 64;

/** Answers as told, at once, and notes what it is asked. */
class Answers {
  ready = 0;
  timeouts: number[] = [];

  wait(timeoutMs: number): number {
    this.timeouts.push(timeoutMs);
    return this.ready;
  }
}

/** Under heavy traffic. A busy machine may take the processor away during what should be short. */
function heavy(): { epoll: Answers; patience: Patience } {
  const epoll = new Answers();
  const patience = new Patience(epoll);
  epoll.ready = 1;
  for (let n = 0; n < 1000 && epoll.timeouts.at(-1) !== 0; n++) patience.wait(TIMEOUT_MS);
  epoll.timeouts = [];
  return { epoll, patience };
}

test("while nothing comes it sleeps", () => {
  const epoll = new Answers();
  const patience = new Patience(epoll);
  for (let n = 0; n < 3; n++) assert.equal(patience.wait(TIMEOUT_MS), 0);
  assert.deepEqual(epoll.timeouts, [TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS]);
});

test("where frames come quickly it looks, and does not sleep while some come", () => {
  const { epoll, patience } = heavy();
  for (let n = 0; n < 3; n++) assert.equal(patience.wait(TIMEOUT_MS), 1);
  assert.deepEqual(epoll.timeouts, [0, 0, 0]);
});

test("when none come any more it looks some times, then sleeps as before", () => {
  const { epoll, patience } = heavy();
  epoll.ready = 0;
  for (let n = 0; n < 2; n++) assert.equal(patience.wait(TIMEOUT_MS), 0);
  assert.deepEqual(epoll.timeouts, [...Array<number>(LOOKS).fill(0), TIMEOUT_MS, TIMEOUT_MS]);
});

test("who does not want to wait is answered after one look", () => {
  const { epoll, patience } = heavy();
  epoll.ready = 0;
  assert.equal(patience.wait(0), 0);
  assert.deepEqual(epoll.timeouts, [0]);
});
