/** What holds behind lowering, tidying and giving out registers, for every case that compiles. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CASE_FILE,
  type Case,
  caseMachine,
  readCaseFile,
  readCases,
} from "../../../test/bpf-cases.ts";
import {
  type Block,
  endOperands,
  isConstant,
  stepOperands,
  successors,
  type Temporary,
} from "./blocks.ts";
import { lower } from "./lower.ts";
import { Names } from "./names.ts";
import { assignHomes } from "./registers.ts";
import { tidy } from "./tidy.ts";

const cases = readCases().filter((c) => c.error === undefined);

function lowered(c: Case): Block[] {
  const names = new Names(caseMachine, readCaseFile(c));
  return lower(names.module(CASE_FILE).functions.get("main")!, names, caseMachine);
}

test("every jump goes forward", () => {
  for (const blocks of cases.flatMap((c) => [lowered(c), tidy(lowered(c))])) {
    const place = new Map(blocks.map((block, i) => [block, i]));
    for (const [i, { end }] of blocks.entries())
      for (const next of successors(end!)) assert.ok(place.get(next)! > i);
  }
});

test("once tidied, something leads to each block, and each jump does something", () => {
  for (const blocks of cases.map((c) => tidy(lowered(c)))) {
    const reached = new Set([blocks[0], ...blocks.flatMap(({ end }) => successors(end!))]);
    assert.equal(reached.size, blocks.length);
    for (const { end } of blocks)
      for (const next of successors(end!))
        assert.ok(next.steps.length > 0 || next.end!.kind !== "goto", next.label);
  }
});

test("once tidied, somebody uses each result", () => {
  for (const blocks of cases.map((c) => tidy(lowered(c)))) {
    const used = new Set(
      blocks.flatMap((b) => [...b.steps.flatMap(stepOperands), ...endOperands(b.end!)]),
    );
    for (const { dst } of blocks.flatMap(({ steps }) => steps)) assert.ok(used.has(dst));
  }
});

test("two temporaries that are needed at a time have two homes", () => {
  for (const blocks of cases.map((c) => tidy(lowered(c)))) {
    const { homes } = assignHomes(blocks, () => false);
    const lives = [...livesIn(blocks)];
    for (const [a, lifeOfA] of lives)
      for (const [b, lifeOfB] of lives) {
        const apart = lifeOfA.to <= lifeOfB.from || lifeOfB.to <= lifeOfA.from;
        if (a !== b && !apart) assert.notDeepEqual(homes.get(a), homes.get(b));
      }
  }
});

test("what is needed behind a call is in no register that calls lose", () => {
  for (const blocks of cases.map((c) => tidy(lowered(c)))) {
    const calls = (s: { kind: string }) => s.kind === "load";
    const { homes } = assignHomes(blocks, calls);
    const nodes = blocks.flatMap((b) => [...b.steps, b.end!]);
    for (const [temporary, { from, to }] of livesIn(blocks)) {
      if (!nodes.slice(from + 1, to).some(calls)) continue;
      const home = homes.get(temporary)!;
      if ("register" in home) assert.ok(home.register > 5);
    }
  }
});

/** From where a temporary is written to where it is last read, by index over all blocks. */
function livesIn(blocks: readonly Block[]): Map<Temporary, { from: number; to: number }> {
  const lives = new Map<Temporary, { from: number; to: number }>();
  const nodes = blocks.flatMap((b) => [...b.steps, b.end!]);
  for (const [i, node] of nodes.entries()) {
    const values = "dst" in node ? [...stepOperands(node), node.dst] : endOperands(node);
    for (const v of values)
      if (!isConstant(v)) lives.set(v, { from: lives.get(v)?.from ?? i, to: i });
  }
  return lives;
}
