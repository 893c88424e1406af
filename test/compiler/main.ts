/** `npm run fuzz:compiler -- N [seed]`: so many random programs, of the seeds from `seed` on. */
import { needsBpf } from "../bpf.ts";
import { fuzzInThreads } from "./fuzz-threads.ts";
import { describe } from "./report.ts";

const [count = 1000, seed = 1] = process.argv.slice(2).map(Number);
if (needsBpf) console.log(`Not in the kernel: ${needsBpf}`);
const started = performance.now();
const tally = await fuzzInThreads(seed, count, !needsBpf);
console.log(describe(tally));
console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`);
process.exitCode = tally.findings.length > 0 ? 1 : 0;
