/** Random programs, compiled and run in every way; whatever two ways disagree on is a finding. */
import { CompileError, compile } from "../../src/bpf/compiler/compile.ts";
import type { Program } from "../../src/bpf/program.ts";
import { VerifierError } from "../../src/linux/bpf/programs.ts";
import { Random } from "../random.ts";
import { inJavaScript, inKernel, inVm } from "./executions.ts";
import { ENTRY, FILE, type GeneratedProgram, generate } from "./generator/program.ts";
import { kernelMaps, machine } from "./machine.ts";

export interface Finding {
  /** The program's number, with which it comes again. */
  readonly seed: number;
  readonly program: GeneratedProgram;
  /** What is wrong, with the frame. */
  readonly what: string;
}

export interface Tally {
  programs: number;
  /** Instructions of all of them. */
  instructions: number;
  /** Frames run as JavaScript and in our machine; of them in the kernel. */
  runs: number;
  kernelRuns: number;
  /** Programs that the compiler does not take, by its words. */
  readonly refused: Map<string, number>;
  readonly findings: Finding[];
}

const FRAMES = 6;
/** Of one thread: then it ends. */
const FINDINGS_MAX = 2;

export const newTally = (): Tally => ({
  programs: 0,
  instructions: 0,
  runs: 0,
  kernelRuns: 0,
  refused: new Map(),
  findings: [],
});

/** Programs of the seeds from `seed` on. `inTheKernel`: those too whose runs need root. */
export function fuzz(seed: number, count: number, inTheKernel: boolean): Tally {
  const tally = newTally();
  const maps = inTheKernel ? kernelMaps() : undefined;
  const fds = maps && Object.fromEntries(Object.entries(maps).map(([name, { fd }]) => [name, fd]));
  for (let n = seed; n < seed + count && tally.findings.length < FINDINGS_MAX; n++) {
    const program = generate(n);
    try {
      tryProgram(n, program, fds, tally);
    } catch (error) {
      tally.findings.push({ seed: n, program, what: String((error as Error).stack) });
    }
  }
  for (const map of Object.values(maps ?? {})) map.close();
  return tally;
}

function tryProgram(
  seed: number,
  generated: GeneratedProgram,
  maps: Readonly<Record<string, number>> | undefined,
  tally: Tally,
): void {
  const program = compiled(generated, tally.refused);
  if (program === undefined) return;
  tally.programs++;
  tally.instructions += program.bytes.length / 8;
  const random = new Random(seed);
  const javascript = inJavaScript(generated.javascript, ENTRY);
  const vm = inVm(program, (length) => random.below(length + 1));
  const kernel = maps && loaded(program, maps, tally.refused);
  for (let n = 0; n < FRAMES; n++) {
    const frame = randomFrame(random);
    const results = [javascript(frame), vm(frame), kernel?.run(frame)];
    tally.runs++;
    if (results[2] !== undefined) tally.kernelRuns++;
    if (new Set(results.filter((result) => result !== undefined)).size === 1) continue;
    const [js, machine, real] = results.map((result) => result?.toString(16) ?? "not run");
    const what = `JavaScript ${js}, machine ${machine}, kernel ${real}\nframe ${Buffer.from(frame).toString("hex")}`;
    tally.findings.push({ seed, program: generated, what });
    break;
  }
  kernel?.close();
}

/** Undefined: the verifier looks at a million instructions and no further. Linux: BPF_COMPLEXITY_LIMIT_INSNS. */
function loaded(
  program: Program,
  maps: Readonly<Record<string, number>>,
  refused: Map<string, number>,
): ReturnType<typeof inKernel> | undefined {
  try {
    return inKernel(program, maps);
  } catch (error) {
    if (!(error instanceof VerifierError && error.message.includes("BPF program is too large")))
      throw error;
    count(refused, "the verifier sees no end of it");
    return undefined;
  }
}

function compiled({ files }: GeneratedProgram, refused: Map<string, number>): Program | undefined {
  try {
    return compile({
      file: FILE,
      entry: ENTRY,
      machine,
      readFile: (file) => files[file]!,
      epilogue: (a) => a.exit(),
    });
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    const [first] = error.message.split("\n");
    const why = first!.replace(/^\S+ /, "").replaceAll(/-?\d[\d.e+]*/g, "N");
    count(refused, why);
    return undefined;
  }
}

const TYPES = [0x0800, 0x86dd, 0x0806, 0x88b5];
/** Around the lengths that programs ask for. */
const LENGTHS = [0, 13, 14, 33, 34, 53, 54, 60, 81, 82, 83, 97, 98];

function randomFrame(random: Random): Uint8Array {
  const length = random.oneIn(2) ? random.pick(LENGTHS) : random.below(120);
  const frame = Buffer.alloc(length);
  const zeros = 1 + random.below(4);
  for (let i = 0; i < length; i++) frame[i] = random.oneIn(zeros) ? random.below(256) : 0;
  if (length >= 14) frame.writeUInt16BE(random.pick(TYPES), 12);
  // A key that is found, by number and by bytes.
  if (length >= 54 && random.oneIn(2))
    frame.fill(0, 38, 54).writeUInt32BE(random.pick([0x0a000001, 0x0a0000ff]), 38);
  return frame;
}

const count = (refused: Map<string, number>, why: string): void =>
  void refused.set(why, (refused.get(why) ?? 0) + 1);
