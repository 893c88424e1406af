/** The HOWTO's example for the eye: its topology, and who reached whom. */
import type { Flag, Mode } from "../src/driver/settings.ts";
import { isAsPromised, type Outcome } from "./connectivity.ts";
import { ENDS, type End } from "./lab.ts";
import { bold, dim, green, red } from "./terminal.ts";

export function drawTopology(mode: Mode, flag: Flag): string {
  const port = `${mode} ${flag}`.padEnd(11);
  return `
      ┌ lan ────────────────────────────────┐
      │ w0    10.0.0.1    fd00::1           │  the router
      └──────────────────┬──────────────────┘
                         │
      ┌ host ────────────┴──────────────────┐
      │ eth0  10.0.0.2    fd00::2           │  the master, 02:00:00:00:00:02
      │ port  ${port}                   │
      └───────┬─────────────────────┬───────┘
      ┌ ns0 ──┴─────────┐   ┌ ns1 ──┴─────────┐
      │ ipvl0           │   │ ipvl1           │  the slaves, the same MAC
      │ 10.0.0.10       │   │ 10.0.0.11       │
      │ fd00::10        │   │ fd00::11        │
      └─────────────────┘   └─────────────────┘
`;
}

const MARGIN = "      ";
const FIRST = 10;
const WIDTH = 14;

/** One row for who asked, one column for who should answer. */
export function drawMatrix(outcomes: readonly Outcome[]): string {
  const head = `${"from \\ to".padEnd(FIRST)}${ENDS.map((end) => end.padEnd(WIDTH)).join("")}`;
  const rows = ENDS.map((from) => {
    const cells = ENDS.map((to) => drawCell(outcomes, from, to));
    return `${bold(from.padEnd(FIRST))}${cells.join("")}`;
  });
  const legend = `${green("✓")} answered   ${dim("–")} silent, as promised   ${red("✗")} not as promised`;
  const note = dim(
    "A master and its slaves never get an answer from each other, with Linux's driver neither.",
  );
  return [bold(head), ...rows, "", legend, note]
    .map((line) => `${MARGIN}${line}`.trimEnd())
    .join("\n");
}

function drawCell(outcomes: readonly Outcome[], from: End, to: End): string {
  const cell = outcomes.filter((o) => o.from === from && o.to === to);
  const text = cell.map((o) => `${o.family} ${mark(o)}`).join("  ");
  // Colours have no width, so the plain text tells how much is missing.
  const width = cell.map((o) => `${o.family} x`).join("  ").length;
  return text + " ".repeat(WIDTH - width);
}

function mark(outcome: Outcome): string {
  if (!isAsPromised(outcome)) return red("✗");
  return outcome.promised ? green("✓") : dim("–");
}
