/** `sim`: a script runs on the simulated host, or a person types it. Neither needs rights, nor Linux's namespaces. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { getSystemErrorMap } from "node:util";
import { Recorder } from "../sim/recorder.ts";
import { reportScenario } from "../sim/scenario/report.ts";
import { isScenario } from "../sim/scenario/scenario.ts";
import { complete } from "../sim/shell/completion.ts";
import { ScriptError } from "../sim/shell/lines.ts";
import { Shell } from "../sim/shell/shell.ts";
import { tell } from "../sim/tell.ts";
import { STATUS_FAILED, UsageError } from "../words/errors.ts";
import type { Sim } from "./sim-words.ts";

/** What is typed or piped in is called so where it is told what went wrong. */
const INPUT = "input";

export async function runSim({ file, explain }: Sim): Promise<number> {
  const name = file ?? INPUT;
  const isTyped = file === undefined && process.stdin.isTTY;
  const text = isTyped ? "" : read(file);
  if (isScenario(text)) return runScenarioFile(text, name, explain);
  const shell = new Shell({ print, complain });
  if (explain) explainAll(shell);
  return isTyped ? talk(shell) : shell.run(text, name);
}

const print = (text: string) => process.stdout.write(text);
const complain = (text: string) => process.stderr.write(text);

function explainAll({ world: { simulation } }: Shell): void {
  simulation.witness = new Recorder(simulation, (event) => print(tell(event)));
}

function runScenarioFile(text: string, name: string, explain: boolean): number {
  try {
    const options = { print, complain, ...(explain && { prepare: explainAll }) };
    return reportScenario(text, name, options) ? 0 : STATUS_FAILED;
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    complain(`${name}:${error.place.line}:${error.place.column}: ${error.message}\n`);
    return STATUS_FAILED;
  }
}

function read(file: string | undefined): string {
  try {
    return readFileSync(file ?? 0, "utf8");
  } catch (error) {
    const [, reason = String(error)] =
      getSystemErrorMap().get((error as NodeJS.ErrnoException).errno ?? 0) ?? [];
    throw new UsageError(`ipvlan: sim: cannot read ${file ?? INPUT}: ${reason}`, STATUS_FAILED);
  }
}

/** Line by line, with history and completion, until `exit`; a line that fails is told, and the next one is asked for. */
async function talk(shell: Shell): Promise<number> {
  const completer = (before: string): [string[], string] => {
    const { candidates } = complete(before, shell.world, shell.netns.name);
    const end = candidates.length === 1 ? " " : "";
    return [candidates.map((word) => word + end), before.split(/\s+/).at(-1)!];
  };
  const lines = createInterface({ input: process.stdin, output: process.stdout, completer });
  const prompt = () => {
    lines.setPrompt(`${shell.netns.name} # `);
    lines.prompt();
  };
  prompt();
  let status = 0;
  let number = 0;
  for await (const line of lines) {
    status = shell.run(line, INPUT, ++number);
    if (shell.hasExited) break;
    prompt();
  }
  lines.close();
  if (!shell.hasExited) process.stdout.write("\n");
  return status;
}
