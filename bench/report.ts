/** What a run has found, for people: tables on the terminal and in Markdown; and for machines: JSON. Ratios only. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawCharts } from "./chart.ts";
import { COLUMNS, type Column, TITLES } from "./columns.ts";
import type { Machine } from "./machine.ts";
import {
  describeTarget,
  GROUPS,
  type Group,
  isReached,
  type Missing,
  type Outcome,
  type RowResult,
  type Spread,
} from "./rounds.ts";

export interface Results extends Outcome {
  readonly measuredOn: Machine;
  readonly rounds: number;
  /** Of traffic for one figure. */
  readonly seconds: number;
  /** Where there are most. */
  readonly slaves: number;
}

const HEADINGS: Readonly<Record<Group, string>> = {
  throughput: "Throughput: more is better",
  latency: "Time of a ping-pong: less is better",
  slaves: "Unicast beside other slaves",
  flood: "Floods: less is better",
  management: "Slaves, addresses, the daemon",
  decision: "One decision: less is better",
  simulated: "The simulated host: less is better",
};

/** `latest.json`, `latest.md` and the charts, in a folder. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), `${text}\n`);
  write("latest.json", JSON.stringify(results, undefined, 2));
  write("latest.md", drawMarkdown(results));
  for (const [name, svg] of drawCharts(results.rows)) write(name, svg);
}

interface Table {
  readonly heading: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function drawText(results: Results): string {
  const tables = tablesOf(results).map(({ heading, head, rows }) => {
    const widths = head.map((title, i) =>
      Math.max(title.length, ...rows.map((cells) => cells[i]!.length)),
    );
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd();
    return `${heading}\n${[head, ...rows].map(line).join("\n")}\n`;
  });
  return ["", HOW_TO_READ, "", ...tables, ...notMeasured(results.missing)].join("\n");
}

export function drawMarkdown(results: Results): string {
  const { measuredOn: on, rounds, seconds } = results;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const tables = tablesOf(results).flatMap(({ heading, head, rows }) => [
    `## ${heading}`,
    "",
    line(head),
    line(head.map(() => "---")),
    ...rows.map(line),
    "",
  ]);
  return [
    "# What `npm run bench` found",
    "",
    `${HOW_TO_READ} ${rounds} rounds, ${seconds} s of traffic for each figure.`,
    "",
    `Measured on: ${on.kernel}; ${on.processors}; ${on.memory}; Node ${on.node}; ${on.date}. Others used the`,
    `processors, too: ${on.loadBefore} processes wanted one in the minute before.`,
    "",
    ...tables,
    ...notMeasured(results.missing).map((text) => `${text}\n`),
  ]
    .join("\n")
    .trimEnd();
}

const HOW_TO_READ =
  "Ratios of figures of the same round: the median over the rounds, and in brackets the least and the highest.";

const tablesOf = ({ rows }: Results): Table[] =>
  GROUPS.map((group) =>
    tableOf(
      group,
      rows.filter((row) => row.group === group && Object.keys(row.ratios).length > 0),
    ),
  ).filter((table) => table.rows.length > 0);

function tableOf(group: Group, rows: readonly RowResult[]): Table {
  const columns = COLUMNS.filter((column) => rows.some(({ ratios }) => ratios[column]));
  return {
    heading: HEADINGS[group],
    head: ["", ...columns.map((column) => TITLES[column]), "1 is", "target"],
    rows: rows.map((row) => [
      row.name,
      ...columns.map((column) => drawSpread(row.ratios[column])),
      row.to,
      drawTargets(row),
    ]),
  };
}

const drawSpread = (found: Spread | undefined): string =>
  found === undefined
    ? ""
    : `${found.median.toFixed(2)} (${found.min.toFixed(2)}–${found.max.toFixed(2)})`;

const drawTargets = (row: RowResult): string =>
  (Object.keys(row.targets) as Column[])
    .map((column) => `${column} ${describeTarget(row.targets[column]!)}${verdictOn(row, column)}`)
    .join("; ");

function verdictOn(row: RowResult, column: Column): string {
  const reached = isReached(row, column);
  return reached === undefined ? "" : reached ? ": reached" : ": missed";
}

/** Who is not here, once each; what failed, with its rounds. */
function notMeasured(missing: readonly Missing[]): string[] {
  const notHere = new Set<string>();
  const failed = new Map<string, number[]>();
  for (const { trial, who, reason, round, ...one } of missing)
    if (one.notHere) notHere.add(`Not here: ${reason}`);
    else {
      const what = `${trial}, ${who}: ${reason}`;
      failed.set(what, [...(failed.get(what) ?? []), round]);
    }
  return [
    ...notHere,
    ...Array.from(failed, ([what, rounds]) => `Failed in round ${rounds.join(", ")}: ${what}`),
  ];
}
