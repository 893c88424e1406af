/** A scenario's run as lines for people. */
import type { Shell } from "../shell/shell.ts";
import { runScenario, type StepResult } from "./run.ts";
import { readScenario } from "./scenario.ts";

export interface ReportOptions {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly prepare?: (shell: Shell) => void;
}

/** Reads and runs a scenario. Whether all was as expected. Throws ScriptError. */
export function reportScenario(
  text: string,
  name: string,
  { print, complain, prepare }: ReportOptions,
): boolean {
  const scenario = readScenario(text);
  print(`${scenario.title}\n`);
  let isRight = true;
  for (const result of runScenario({ scenario, name, ...(prepare && { prepare }) })) {
    if (result.step.kind === "trial")
      for (const { text: line } of result.step.sends) print(`\n${line}\n`);
    const wrong = wrongIn(result, name);
    if ("judgements" in result)
      for (const { expectation, instead } of result.judgements)
        print(`  ${instead === undefined ? "ok" : "NO"}  ${expectation.text}\n`);
    for (const line of wrong) complain(line);
    isRight &&= wrong.length === 0;
  }
  return isRight;
}

/** Lines `NAME:LINE:COLUMN: …`; none: all was as expected. */
function wrongIn(result: StepResult, name: string): readonly string[] {
  if (!("judgements" in result)) return result.complaint === "" ? [] : [result.complaint];
  return result.judgements.flatMap(({ expectation: { place, text }, instead }) =>
    instead === undefined
      ? []
      : [`${name}:${place.line}:${place.column}: expected "${text}", but ${instead}\n`],
  );
}
