/** Work on all processors: a file that is started as a thread for each share, and says what came of it. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** What came of each share. `file`: the `import.meta.url` of one that calls `ifThread`. */
export const inThreads = <Share, Result>(
  file: string,
  shares: readonly Share[],
): Promise<Result[]> => Promise.all(shares.map((share) => inThread<Share, Result>(file, share)));

async function inThread<Share, Result>(file: string, workerData: Share): Promise<Result> {
  const [result] = await once(new Worker(fileURLToPath(file), { workerData }), "message");
  return result as Result;
}

/** In a thread that `inThreads` started: does its share. Stands last in its file, when all that it needs is there. */
export function ifThread<Share, Result>(work: (share: Share) => Result): void {
  if (!isMainThread) parentPort!.postMessage(work(workerData as Share));
}

/** As many as there are processors, as equal as can be: where each starts, and how many there are in it. */
export function shares(count: number): { start: number; count: number }[] {
  const size = Math.ceil(count / availableParallelism());
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, n) => n * size);
  return starts.map((start) => ({ start, count: Math.min(size, count - start) }));
}
