/**
 * The judgement on one case: passed, skipped by name, or failed. Pure: it is told what was recorded and what
 * was seen, and sends nothing.
 */
import type { Compat } from "../../src/driver/settings.ts";
import { Frame } from "../../src/wire/frame.ts";
import { findDifference, type Situation } from "./differences.ts";
import { disagreements, type Expectation, type Observation, recorded } from "./expectation.ts";
import { getSender, type Lab, WIRE } from "./lab.ts";
import type { Case } from "./recording.ts";

export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "failed"; readonly complaints: readonly string[] };

const PASSED: Outcome = { kind: "passed" };
export const skipped = (reason: string): Outcome => ({ kind: "skipped", reason });

/** A place that the engine cannot keep frames from on this machine, and what it lacks. */
export interface Limit {
  readonly place: string;
  readonly reason: string;
}

export function compare(
  lab: Lab,
  c: Case,
  seen: Observation,
  compat: Compat,
  limits: readonly Limit[] = [],
): Outcome {
  const outcome = judge(lab, c, seen, compat, new Set());
  if (outcome.kind !== "failed" || limits.length === 0) return outcome;
  const blind = new Set(limits.map((limit) => limit.place));
  const without = judge(lab, c, seen, compat, blind);
  return without.kind === "failed"
    ? outcome
    : skipped(limits.map((limit) => limit.reason).join(", "));
}

/** `blind`: places that are not looked at. */
function judge(
  lab: Lab,
  c: Case,
  seen: Observation,
  compat: Compat,
  blind: ReadonlySet<string>,
): Outcome {
  if (isRefusal(c.error)) return judgeRefusal(seen);
  if (seen.isRefused) return failed(["the sender's socket refused what the recorded one took"]);
  const look = (expected: Expectation): string[] =>
    [...disagreements(expected, seen)]
      .filter(([place]) => !blind.has(place))
      .map(([place, wrong]) => `${place}: ${wrong}`);

  const complaints = look(recorded(lab, c));
  const situation = findSituation(lab, c);
  const difference = situation && findDifference(situation, compat);
  if (difference === undefined) return complaints.length === 0 ? PASSED : failed(complaints);
  const broken = difference.promise(situation!).map(look);
  if (broken.some((promise) => promise.length === 0))
    return complaints.length === 0 ? PASSED : skipped(difference.name);
  const [nearest = []] = broken.sort((a, b) => a.length - b.length);
  return failed(nearest.map((complaint) => `${complaint} (${difference.name})`));
}

const failed = (complaints: readonly string[]): Outcome => ({ kind: "failed", complaints });

/** The sender's socket refuses the frame for its length; no driver is asked. */
const isRefusal = (error: string | undefined): boolean =>
  error === "Invalid argument" || error === "Message too long";

function judgeRefusal(seen: Observation): Outcome {
  if (!seen.isRefused) return failed(["the sender's socket took what the recorded one refused"]);
  const places = [...seen.frames.keys()];
  return places.length === 0 ? PASSED : failed(places.map((place) => `${place}: expected nothing`));
}

/** undefined: what is sent does not pass the driver, or it is not known what a stack sent. */
function findSituation(lab: Lab, c: Case): Situation | undefined {
  const sender = getSender(lab, c);
  if (sender === lab.master) return undefined;
  const isOutside = sender === lab.outside;
  const bytes = c.frame ?? c.frames.get(`${isOutside ? WIRE : sender.name}.tx`)?.[0]?.bytes;
  if (bytes === undefined) return undefined;
  return { lab, case: c, frame: Frame.of(bytes), from: isOutside ? "wire" : "slave" };
}
