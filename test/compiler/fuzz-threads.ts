/** Random programs on all processors: this file is also what each thread runs. */
import { ifThread, inThreads, shares } from "../threads.ts";
import { fuzz, newTally, type Tally } from "./fuzz.ts";

interface Share {
  readonly seed: number;
  readonly count: number;
  readonly inTheKernel: boolean;
}

/** As `fuzz`. */
export async function fuzzInThreads(
  seed: number,
  count: number,
  inTheKernel: boolean,
): Promise<Tally> {
  const all = shares(count).map(
    (share): Share => ({ seed: seed + share.start, count: share.count, inTheKernel }),
  );
  const tallies = await inThreads<Share, Tally>(import.meta.url, all);
  return tallies.reduce(merged, newTally());
}

function merged(a: Tally, b: Tally): Tally {
  const refused = new Map(a.refused);
  for (const [why, times] of b.refused) refused.set(why, (refused.get(why) ?? 0) + times);
  return {
    programs: a.programs + b.programs,
    instructions: a.instructions + b.instructions,
    runs: a.runs + b.runs,
    kernelRuns: a.kernelRuns + b.kernelRuns,
    refused,
    findings: [...a.findings, ...b.findings],
  };
}

ifThread(({ seed, count, inTheKernel }: Share) => fuzz(seed, count, inTheKernel));
