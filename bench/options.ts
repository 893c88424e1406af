/** The words after `npm run bench --`. */
import { parseArgs } from "node:util";

export const USAGE = `npm run bench [ -- OPTIONS ]: speed, as ratios of figures of the same round

  --rounds N     rounds (7)
  --seconds S    of traffic for one figure (1); TCP takes whole seconds
  --slaves N     on the port where there are most (1000)
  --quick        two rounds, 0.2 seconds, 20 slaves, where nothing else is said
  --only NAMES   what begins so: tcp,l3,udp,ping-pong,slaves,flood,create,address,decision,command,cni,memory,changes,
                  simulated
  --out FOLDER   where latest.json, latest.md and the charts are written, after each round
                 (bench/results; nowhere after --quick or --only)
  --json         prints the results for machines
  --help         this text`;

/** Words of a person that mean nothing here: said in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly slaves: number;
  /** How the names of trials begin. */
  readonly only: readonly string[];
  /** Undefined: the results are only printed. */
  readonly out: string | undefined;
  readonly json: boolean;
}

/** Undefined: help is wanted. `results`: the folder for a whole run. */
export function parseOptions(args: readonly string[], results: string): Options | undefined {
  const words = readWords(args);
  if (words.help) return undefined;
  const [rounds, seconds, slaves] = words.quick ? ["2", "0.2", "20"] : ["7", "1", "1000"];
  const isWhole = words.quick !== true && words.only === undefined;
  return {
    rounds: wholeNumber("--rounds", words.rounds ?? rounds),
    seconds: positive("--seconds", words.seconds ?? seconds),
    slaves: wholeNumber("--slaves", words.slaves ?? slaves),
    only: (words.only ?? "").split(","),
    out: words.out ?? (isWhole ? results : undefined),
    json: words.json === true,
  };
}

function readWords(args: readonly string[]) {
  const [string, boolean] = [{ type: "string" }, { type: "boolean" }] as const;
  const options = {
    rounds: string,
    seconds: string,
    slaves: string,
    quick: boolean,
    only: string,
    out: string,
    json: boolean,
    help: { ...boolean, short: "h" },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}. Try --help`);
  }
}

function positive(option: string, word: string): number {
  const number = Number(word);
  if (!(number > 0)) throw new UsageError(`${option} "${word}"? Expected a number above 0`);
  return number;
}

function wholeNumber(option: string, word: string): number {
  const number = positive(option, word);
  if (!Number.isInteger(number))
    throw new UsageError(`${option} "${word}"? Expected a whole number`);
  return number;
}
