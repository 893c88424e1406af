/**
 * `npm run bench`: our slaves beside plain veth and the kernel's macvlan, in a sandbox of its own. What it prints are
 * ratios of figures of the same round, `comparison.ts`.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { linkCommand } from "../scripts/lab.ts";
import { enterSandbox, insideSandbox, sandboxRefusal } from "../scripts/sandbox.ts";
import { compare, drawTable } from "./comparison.ts";
import { Grounds } from "./grounds.ts";
import { comparisons } from "./rows.ts";

const USAGE = `npm run bench [ -- OPTIONS ]: speed and size, as ratios of figures of the same round

  --rounds N     rounds (5)
  --seconds S    of traffic for one figure (1); TCP takes whole seconds
  --slaves N     where there are to be many (1000)
  --only NAMES   rows whose name begins so: tcp,udp,ping-pong,l3,decision,command,many
  --json         the ratios for machines
  --help         this text`;

/** Words of a person that mean nothing here: said in one line. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly slaves: number;
  /** How the names of rows begin. */
  readonly only: readonly string[];
  readonly json: boolean;
}

/** The program; its exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
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

/** Undefined: help is wanted. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const words = readWords(args);
  if (words.help) return undefined;
  return {
    rounds: positive("--rounds", words.rounds),
    seconds: positive("--seconds", words.seconds),
    slaves: positive("--slaves", words.slaves),
    only: words.only.split(","),
    json: words.json,
  };
}

function readWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "1" },
        slaves: { type: "string", default: "1000" },
        only: { type: "string", default: "" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values as Record<"rounds" | "seconds" | "slaves" | "only", string> &
      Record<"json" | "help", boolean>;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}. Try --help`);
  }
}

function positive(option: string, word: string): number {
  const number = Number(word);
  if (!(number > 0)) throw new UsageError(`${option} "${word}"? Expected a number above 0`);
  return number;
}

export const missingProgram = (): string | undefined =>
  ["iperf3", "taskset"]
    .filter((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)
    .map((program) => `The program "${program}" is missing`)[0];

async function bench({ rounds, seconds, slaves, only, json }: Options): Promise<number> {
  linkCommand();
  const grounds = await Grounds.open(slaves);
  try {
    const wanted = comparisons(grounds, seconds).filter(({ name }) =>
      only.some((word) => name.startsWith(word)),
    );
    if (wanted.length === 0) throw new UsageError(`--only "${only}"? No row begins so. Try --help`);
    const rows = await compare(wanted, rounds, tell);
    tell("");
    console.log(json ? JSON.stringify(rows, undefined, 2) : `\n${drawTable(rows)}\n`);
    return 0;
  } finally {
    await grounds.close();
  }
}

/** One line that changes, for who watches. */
function tell(progress: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${progress}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
