/** A scenario as lines to be typed, and what came of what it expects. */
import { runScenario } from "../sim/scenario/run.ts";
import { readScenario, type Send } from "../sim/scenario/scenario.ts";
import { linesOf } from "./session.ts";

/** Until all that was sent has arrived, as where scenarios are judged. */
const SETTLE = "sleep 3";

export interface Scene {
  /** Whether something is sent and judged; else it is built or changed. */
  readonly isTrial: boolean;
  readonly lines: readonly string[];
  readonly outcomes: readonly Outcome[];
}

export interface Outcome {
  /** The expectation, as it is written. */
  readonly text: string;
  /** What was seen instead; undefined: it is as expected. */
  readonly instead: string | undefined;
}

/** Runs it on a host of its own. Ends behind a script that fails. Throws ScriptError where it cannot be read. */
export function scenesOf(text: string, name: string): Scene[] {
  const scenario = readScenario(text);
  return Array.from(runScenario({ scenario, name }), (result): Scene => {
    if (!("judgements" in result))
      return { isTrial: false, lines: [...linesOf(result.step.text), SETTLE], outcomes: [] };
    const outcomes = result.judgements.map(({ expectation: { text: words }, instead }) => ({
      text: words,
      instead,
    }));
    return { isTrial: true, lines: [...result.step.sends.map(lineOf), SETTLE], outcomes };
  });
}

const lineOf = ({ netns, device, words }: Send): string =>
  device === undefined ? `ip netns exec ${netns} ${words}` : `${netns}/${device}: ${words}`;
