/** What is known at a place of the program, on every way to it. */
import type { Temporary } from "./blocks.ts";
import { hull, type Range } from "./ranges.ts";

export interface Facts {
  /** Bytes that the frame has at least, and the verifier knows it. */
  readonly length: number;
  /** Results of steps that are pure, by what was computed (`Code.pure`). */
  readonly results: Map<string, Temporary>;
  /** What comparisons told of temporaries that do not change. */
  readonly ranges: ReadonlyMap<Temporary, Range>;
}

export const nothing = (): Facts => ({ length: 0, results: new Map(), ranges: new Map() });

/** A copy whose results can be added to. */
export const copyOf = (facts: Facts): Facts => ({ ...facts, results: new Map(facts.results) });

/** What holds whichever way control came. */
export function meet(a: Facts | undefined, b: Facts): Facts {
  if (!a) return b;
  const results = new Map([...a.results].filter(([key, value]) => b.results.get(key) === value));
  const ranges = new Map<Temporary, Range>();
  for (const [temporary, range] of a.ranges) {
    const other = b.ranges.get(temporary);
    if (other) ranges.set(temporary, hull(range, other));
  }
  return { length: Math.min(a.length, b.length), results, ranges };
}

export const withRange = (facts: Facts, temporary: Temporary, range: Range): Facts => ({
  ...facts,
  ranges: new Map(facts.ranges).set(temporary, range),
});

export const withLength = (facts: Facts, length: number): Facts => ({
  ...facts,
  length: Math.max(facts.length, length),
});
