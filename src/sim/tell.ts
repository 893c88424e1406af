/** What a recorder has heard, as lines for people: `ipvlan sim --explain`. */
import type { Step } from "../driver/explain.ts";
import { dump } from "../wire/dump.ts";
import { Frame } from "../wire/frame.ts";
import { wordsOf } from "./losses.ts";
import type { Decision, Event, Loss, Place } from "./recorder.ts";

/** Of hops nothing is told: what comes to a device is. */
export function tell(event: Event): string {
  if (event.kind === "decision") return tellDecision(event);
  return event.kind === "loss" ? tellLoss(event) : "";
}

function tellDecision(decision: Decision): string {
  const { explanation, outcome, hook } = decision;
  const { steps, rule } = explanation;
  const lines = [`${begin(decision)}, asked at ${hook}`, ...steps.map(tellStep)];
  return `${[...lines, `    => ${outcome}, by ${rule.name}`].join("\n")}\n`;
}

function tellStep({ rule, conditions, holds }: Step): string {
  const facts = conditions.flatMap((condition) => condition.facts);
  const known = facts.length === 0 ? "" : ` (${facts.join(", ")})`;
  return `    ${rule?.name.padEnd(5)} ${holds ? "yes" : "no "}  ${rule?.words}${known}`;
}

const tellLoss = (loss: Loss): string =>
  `${begin(loss)}\n    => lost: ${loss.reason}: ${wordsOf(loss.reason)}\n`;

const begin = ({ atMs, at, bytes }: Decision | Loss): string =>
  `${atMs.toFixed(3)} ms  ${tellPlace(at)}  ${dump(Frame.of(bytes))}`;

export const tellPlace = ({ device, netns }: Place): string =>
  netns === undefined ? device : `${netns}/${device}`;
