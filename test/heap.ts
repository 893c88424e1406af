/** What code leaves on the heap: nothing, in the frame path, or the collector would stop it now and then. */
import { getHeapStatistics } from "node:v8";

const ROUNDS = 300;

/**
 * Bytes that a round of `work` allocates, once it is warm; `prepare` comes before each and is not counted. The middle of
 * many rounds: a collection in between makes one round negative, a recompilation another one large.
 */
export function allocatedPerRound(prepare: () => void, work: () => void): number {
  const grown: number[] = [];
  for (let round = 0; round < 2 * ROUNDS; round++) {
    prepare();
    const before = getHeapStatistics().used_heap_size;
    work();
    grown.push(getHeapStatistics().used_heap_size - before);
  }
  return grown.slice(ROUNDS).sort((a, b) => a - b)[ROUNDS >> 1]!;
}
