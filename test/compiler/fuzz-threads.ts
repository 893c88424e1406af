/** Random programs on all processors: this file is also what each thread runs. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { FINDINGS_MAX, fuzz, newTally, type Tally } from "./fuzz.ts";

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
  const threads = availableParallelism();
  const size = Math.ceil(count / threads);
  const shares = Array.from({ length: threads }, (_, n) => {
    const first = n * size;
    return { seed: seed + first, count: Math.min(size, count - first), inTheKernel };
  });
  const tallies = await Promise.all(shares.filter((share) => share.count > 0).map(inThread));
  return tallies.reduce(merged, newTally());
}

async function inThread(workerData: Share): Promise<Tally> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData });
  const [tally] = (await once(worker, "message")) as [Tally];
  return tally;
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
    findings: [...a.findings, ...b.findings].slice(0, FINDINGS_MAX),
  };
}

if (!isMainThread) {
  const { seed, count, inTheKernel } = workerData as Share;
  parentPort!.postMessage(fuzz(seed, count, inTheKernel));
}
