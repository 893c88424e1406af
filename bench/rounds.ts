/**
 * What a bench compares: one thing's figure with another's, taken right after each other, round by round. The machine
 * may be busy with others' work and absolute figures say little; what two figures of the same round have to each other
 * says more, and the median over rounds more still.
 */
import { COLUMNS, type Column } from "./columns.ts";
import { NotHereError } from "./ground.ts";

/** Takes figures, always the same in the same order. */
export type Take = () => Promise<readonly number[]>;

/** What is measured in one go, and the rows that come of it. */
export interface Trial {
  /** Begins with the word by which `--only` finds it. */
  readonly name: string;
  /** By whom; once per round, in an order that changes. */
  readonly takes: Readonly<Record<string, Take>>;
  readonly rows: readonly Row[];
  /** What takes minutes is not done in more rounds. */
  readonly roundsMax?: number;
}

export const GROUPS = [
  "throughput",
  "latency",
  "slaves",
  "flood",
  "management",
  "decision",
  "simulated",
] as const;
export type Group = (typeof GROUPS)[number];

/** One row of a table: figures, each divided by what it is compared with. */
export interface Row {
  readonly name: string;
  readonly group: Group;
  /** What counts as 1, in words. */
  readonly to: string;
  readonly better: "more" | "less";
  readonly ratios: Readonly<Partial<Record<Column, Ratio>>>;
  readonly targets: Readonly<Partial<Record<Column, Target>>>;
}

export interface Ratio {
  readonly of: Figure;
  readonly to: Figure;
}

/** Who took it, and which of his figures it is. */
export type Figure = readonly [who: string, index: number];

/** What a ratio should be; `ofTheBetter`: at least so much of the better of plain veth, 1, and macvlan. */
export type Target =
  | { readonly atLeast: number }
  | { readonly atMost: number }
  | { readonly ofTheBetter: number };

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** Rounds that gave a figure. */
  readonly rounds: number;
}

export interface RowResult extends Omit<Row, "ratios"> {
  readonly ratios: Readonly<Partial<Record<Column, Spread>>>;
}

/** What could not be measured: always so (`notHere`), or in some round. */
export interface Missing {
  readonly trial: string;
  readonly who: string;
  readonly reason: string;
  readonly notHere: boolean;
  /** From 1. */
  readonly round: number;
}

export interface Outcome {
  readonly rows: readonly RowResult[];
  readonly missing: readonly Missing[];
}

/** All trials once per round. What fails is told, and the rest goes on. `keep` gets what there is after each round. */
export async function compare(
  trials: readonly Trial[],
  rounds: number,
  tell: (progress: string) => void,
  keep: (outcome: Outcome, rounds: number) => void = () => {},
): Promise<Outcome> {
  const found = new Map<Row, Partial<Record<Column, number[]>>>();
  const missing: Missing[] = [];
  const outcome = (): Outcome => ({
    rows: [...found].map(([row, all]) => ({ ...row, ratios: spreads(all) })),
    missing,
  });
  for (let round = 0; round < rounds; round++) {
    for (const { name, takes, rows } of trials.filter((trial) => isIn(trial, round))) {
      const figures = new Map<string, readonly number[]>();
      for (const who of rotated(Object.keys(takes), round)) {
        tell(`round ${round + 1} of ${rounds}: ${name}, ${who}`);
        try {
          figures.set(who, await takes[who]!());
        } catch (error) {
          missing.push({ trial: name, who, round: round + 1, ...told(error) });
        }
      }
      for (const row of rows) found.set(row, addRatios(row, figures, found.get(row) ?? {}));
    }
    keep(outcome(), round + 1);
  }
  return outcome();
}

const isIn = ({ roundsMax = Number.POSITIVE_INFINITY }: Trial, round: number): boolean =>
  round < roundsMax;

const told = (error: unknown): Pick<Missing, "reason" | "notHere"> => ({
  reason: reasonOf(error as Error),
  notHere: error instanceof NotHereError,
});

/** One line: of a program's long complaint the one that says what is wrong. */
function reasonOf({ message }: Error): string {
  const lines = message.trim().split("\n");
  return (lines.find((line) => COMPLAINT.test(line)) ?? lines.at(-1)!).trim();
}
const COMPLAINT = /^(\w*Error|RTNETLINK answers|iperf3): /;

function addRatios(
  row: Row,
  figures: ReadonlyMap<string, readonly number[]>,
  before: Partial<Record<Column, number[]>>,
): Partial<Record<Column, number[]>> {
  const get = ([who, index]: Figure): number => figures.get(who)?.[index] ?? Number.NaN;
  const after = { ...before };
  for (const column of COLUMNS) {
    const ratio = row.ratios[column];
    const value = ratio && get(ratio.of) / get(ratio.to);
    if (value !== undefined && Number.isFinite(value))
      after[column] = [...(after[column] ?? []), value];
  }
  return after;
}

const spreads = (
  all: Partial<Record<Column, readonly number[]>>,
): Partial<Record<Column, Spread>> =>
  Object.fromEntries(Object.entries(all).map(([column, values]) => [column, spread(values)]));

/** Who comes first and who last changes, and with it what one does to the next. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

export function spread(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  return {
    min: sorted[0]!,
    median: median(sorted),
    max: sorted.at(-1)!,
    rounds: sorted.length,
  };
}

/** Of two in the middle, what lies between them. */
function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Whether a column's median is what it should be; undefined: nobody says what, or it was not measured. */
export function isReached({ ratios, targets }: RowResult, column: Column): boolean | undefined {
  const [target, median] = [targets[column], ratios[column]?.median];
  if (target === undefined || median === undefined) return undefined;
  if ("atMost" in target) return median <= target.atMost;
  return median >= leastOf(target, ratios.macvlan?.median);
}

const leastOf = (target: Exclude<Target, { atMost: number }>, macvlan = 1): number =>
  "atLeast" in target ? target.atLeast : target.ofTheBetter * Math.max(1, macvlan);

export const describeTarget = (target: Target): string =>
  "atMost" in target
    ? `≤ ${target.atMost}`
    : "atLeast" in target
      ? `≥ ${target.atLeast}`
      : `≥ ${target.ofTheBetter} of the better of veth, macvlan`;
