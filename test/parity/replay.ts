/** Sends every case of a recording through an engine and judges what came out. */
import type { Compat } from "../../src/driver/settings.ts";
import { compare, type Limit, type Outcome, skipped } from "./compare.ts";
import type { Observation } from "./expectation.ts";
import type { Lab } from "./lab.ts";
import type { Case } from "./recording.ts";

/** Something that frames can be sent through. */
export interface Engine {
  /** How often a case is tried: more than once where the machine's other work may delay a frame. */
  readonly tries: number;
  readonly limits: readonly Limit[];
  /** What is seen of a case; or, as a sentence, why this engine cannot tell. */
  run(c: Case): Observation | string | Promise<Observation | string>;
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
    let result = await attempt(lab, c, engine, compat);
    for (let left = engine.tries - 1; left > 0 && result.outcome.kind === "failed"; left--)
      result = await attempt(lab, c, engine, compat);
    yield result;
  }
}

async function attempt(lab: Lab, c: Case, engine: Engine, compat: Compat): Promise<Result> {
  const seen = await engine.run(c);
  if (typeof seen === "string") return { case: c, outcome: skipped(seen), seen: undefined };
  return { case: c, outcome: compare(lab, c, seen, compat, engine.limits), seen };
}
