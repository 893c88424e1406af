/** Sends every case of a recording through an engine and judges what came out. */
import type { Compat } from "../../src/driver/settings.ts";
import { compare, type Limit, type Outcome, skipped } from "./compare.ts";
import type { Observation } from "./expectation.ts";
import type { Lab } from "./lab.ts";
import type { Case } from "./recording.ts";

/** Something that frames can be sent through. */
export interface Engine {
  /** A case that fails is tried as often: more than once where the machine's other work may delay a frame. */
  readonly tries: number;
  readonly limits: readonly Limit[];
  /** What is seen of a case at the nth try, from 0 on; or, as a sentence, why this engine cannot tell. */
  run(c: Case, attempt: number): Observation | string | Promise<Observation | string>;
  close(): void;
}

export interface Result {
  readonly case: Case;
  readonly outcome: Outcome;
  /** undefined: it was not sent. */
  readonly seen: Observation | undefined;
}

export async function* replay(
  lab: Lab,
  cases: readonly Case[],
  engine: Engine,
  compat: Compat,
): AsyncGenerator<Result> {
  for (const c of cases) {
    let result = await runOnce(lab, c, engine, compat, 0);
    for (let n = 1; n < engine.tries && result.outcome.kind === "failed"; n++)
      result = await runOnce(lab, c, engine, compat, n);
    yield result;
  }
}

async function runOnce(
  lab: Lab,
  c: Case,
  engine: Engine,
  compat: Compat,
  attempt: number,
): Promise<Result> {
  const seen = await engine.run(c, attempt);
  if (typeof seen === "string") return { case: c, outcome: skipped(seen), seen: undefined };
  return { case: c, outcome: compare(lab, c, seen, compat, engine.limits), seen };
}
