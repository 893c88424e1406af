/**
 * `npm run bench`: our slaves, under both engines, beside a plain veth, the kernel's macvlan and bridge, and other
 * people's programs, in a sandbox of its own. What it prints and writes are ratios of figures of the same round.
 */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { linkCommand } from "../scripts/lab.ts";
import { enterSandbox, insideSandbox, sandboxRefusal } from "../scripts/sandbox.ts";
import { decisionTrials } from "./decision.ts";
import { Grounds } from "./grounds.ts";
import { kernelDecisionTrials } from "./kernel-decision.ts";
import { describeMachine } from "./machine.ts";
import { type Options, parseOptions, USAGE, UsageError } from "./options.ts";
import { drawText, type Results, writeResults } from "./report.ts";
import { compare, type Outcome, type Trial } from "./rounds.ts";
import { simulatedTrials } from "./simulated.ts";
import { daemonTrials } from "./trials-daemon.ts";
import { slavesTrials } from "./trials-slaves.ts";
import { trafficTrials } from "./trials-traffic.ts";

/** Where this was compiled to: `dist` to the sources. */
const BUILD = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = path.join(path.dirname(path.resolve(BUILD)), "bench", "results");

/** The program; its exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args, RESULTS);
    if (options === undefined) {
      console.log(USAGE);
      return 0;
    }
    if (insideSandbox()) return await bench(options);
    const refusal = sandboxRefusal() ?? missingProgram();
    if (refusal !== undefined) throw new UsageError(refusal);
    return await enterSandbox(import.meta.url, args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 1;
  }
}

export const missingProgram = (): string | undefined =>
  ["iperf3", "taskset"]
    .filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)
    .map((program) => `The program "${program}" is missing`)[0];

async function bench(options: Options): Promise<number> {
  const { rounds, seconds, slaves, only, out, json } = options;
  linkCommand();
  const grounds = new Grounds();
  try {
    const wanted = trials(grounds, seconds, slaves).filter(({ name }) =>
      only.some((word) => name.startsWith(word)),
    );
    if (wanted.length === 0) throw new UsageError(`--only "${only}"? No row begins so. Try --help`);
    const measuredOn = describeMachine();
    const resultsOf = (outcome: Outcome, done: number): Results => ({
      measuredOn,
      rounds: done,
      seconds,
      slaves,
      ...outcome,
    });
    const outcome = await compare(wanted, rounds, tell, (soFar, done) => {
      if (out !== undefined) writeResults(out, resultsOf(soFar, done));
    });
    const results = resultsOf(outcome, rounds);
    tell("");
    console.log(json ? JSON.stringify(results, undefined, 2) : drawText(results));
    return 0;
  } finally {
    await grounds.close();
  }
}

const trials = (grounds: Grounds, seconds: number, slaves: number): Trial[] => [
  ...trafficTrials(grounds, seconds),
  ...slavesTrials(grounds, seconds, slaves),
  ...daemonTrials(grounds, seconds, slaves),
  ...decisionTrials(),
  ...kernelDecisionTrials(),
  ...simulatedTrials(slaves),
];

/** One line that changes, for who watches. */
function tell(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${progress}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
