/**
 * What a bench compares: one thing's figure with another's, taken right after each other, round by round. The machine
 * may be busy with others' work and absolute figures say little; what two figures of the same round have to each other
 * says more, and the median over rounds more still.
 */

/** Takes one figure. */
export type Measure = () => Promise<number>;

/** One row of the table. */
export interface Comparison {
  /** Begins with the word by which `--only` finds it. */
  readonly name: string;
  /** What counts as 1. */
  readonly to: Measure;
  /** Compared with it, by column. */
  readonly of: Readonly<Partial<Record<Column, Measure>>>;
  readonly target: Target;
}

export const COLUMNS = ["ipvlan", "macvlan"] as const;
export type Column = (typeof COLUMNS)[number];

/** What the ratio of `ipvlan` should be. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Row {
  readonly name: string;
  readonly target: Target;
  readonly ratios: Readonly<Partial<Record<Column, Spread>>>;
}

/** All comparisons once per round, each round's figures in another order. */
export async function compare(
  comparisons: readonly Comparison[],
  rounds: number,
  tell: (progress: string) => void,
): Promise<Row[]> {
  const ratios = comparisons.map(() => new Map<Column, number[]>());
  for (let round = 0; round < rounds; round++)
    for (const [i, comparison] of comparisons.entries()) {
      tell(`round ${round + 1} of ${rounds}: ${comparison.name}`);
      for (const [column, ratio] of await takeRatios(comparison, round))
        ratios[i]!.set(column, [...(ratios[i]!.get(column) ?? []), ratio]);
    }
  return comparisons.map(({ name, target }, i) => ({
    name,
    target,
    ratios: Object.fromEntries([...ratios[i]!].map(([column, all]) => [column, spread(all)])),
  }));
}

async function takeRatios({ to, of }: Comparison, round: number): Promise<[Column, number][]> {
  const columns = COLUMNS.filter((column) => of[column] !== undefined);
  const figures = new Map<Column | "1", number>();
  for (const column of rotated(["1", ...columns] as const, round))
    figures.set(column, await (column === "1" ? to : of[column]!)());
  return columns.map((column) => [column, figures.get(column)! / figures.get("1")!]);
}

/** Who comes first and who last changes, and with it what one does to the next. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

export function spread(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  return { min: sorted[0]!, median: median(sorted), max: sorted.at(-1)! };
}

/** Of two in the middle, what lies between them. */
function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export const isReached = (target: Target, ratio: number): boolean =>
  "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;

const NAME_WIDTH = 46;
const WIDTH = 22;

export function drawTable(rows: readonly Row[]): string {
  const columns = COLUMNS.filter((column) => rows.some(({ ratios }) => ratios[column]));
  const line = (name: string, cells: readonly string[], target: string): string =>
    `${name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padEnd(WIDTH)).join("")}${target}`.trimEnd();
  return [
    line("min / median / max", columns, "target"),
    ...rows.map(({ name, ratios, target }) =>
      line(
        name,
        columns.map((column) => drawSpread(ratios[column])),
        drawTarget(target, ratios.ipvlan),
      ),
    ),
  ].join("\n");
}

const drawSpread = (found: Spread | undefined): string =>
  found === undefined
    ? ""
    : [found.min, found.median, found.max].map((ratio) => ratio.toFixed(2)).join(" / ");

function drawTarget(target: Target, found: Spread | undefined): string {
  const text = "atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
  return found !== undefined && isReached(target, found.median) ? text : `${text}  missed`;
}
