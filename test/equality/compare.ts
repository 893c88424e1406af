/** Decides on frames in every form and tells where two differ. */
import { Vm } from "../../src/bpf/vm/vm.ts";
import * as v from "../../src/driver/decide/verdict.ts";
import { loadProgram, testRun } from "../../src/linux/bpf/programs.ts";
import { close } from "../../src/linux/sys.ts";
import { Frame } from "../../src/wire/frame.ts";
import { compileEntry, type Entry, entries } from "../driver-program.ts";
import { Random } from "../random.ts";
import { ifThread, inThreads, shares } from "../threads.ts";
import { columns, inTypeScript, KernelMaps, vmMaps } from "./decisions.ts";
import { frameMaker, holders, newPort, recorded } from "./ground.ts";

export interface Counts {
  /** Frames that were made, and decisions about them and the recorded ones. */
  frames: number;
  decisions: number;
  /** Of them, compiled: in the kernel; and in our machine, since the kernel's test run does not take the frame. */
  inKernel: number;
  inMachine: number;
  /** How often each verdict came, by entry, kind and reason: "xmit drop 4". */
  readonly verdicts: Map<string, number>;
  /** What differs, a few of it. */
  readonly differences: string[];
}

const DIFFERENCES_MAX = 5;
const programs = Object.fromEntries(
  entries.map((entry) => [entry, compileEntry(entry)]),
) as Readonly<Record<Entry, ReturnType<typeof compileEntry>>>;

export interface Share {
  readonly seed: number;
  /** Frames to make, spread over the columns. */
  readonly frames: number;
  /** Whether the recorded frames are tried, too: in every column each. */
  readonly recorded: boolean;
  /** false: all compiled programs run in our machine. */
  readonly inTheKernel: boolean;
}

/** Every frame is decided on by every entry, in one column; its neighbours in time have the same. */
export function compareAll(share: Share): Counts {
  const counts: Counts = {
    frames: 0,
    decisions: 0,
    inKernel: 0,
    inMachine: 0,
    verdicts: new Map(),
    differences: [],
  };
  const port = newPort();
  const maps = share.inTheKernel ? new KernelMaps(port, holders) : undefined;
  const fds = maps && entries.map((entry) => loadProgram(programs[entry], maps.fds));
  const frames = frameMaker(new Random(share.seed));
  const f = new Frame();
  for (const column of columns) {
    port.set(column);
    maps?.set(column);
    const machineMaps = vmMaps(port, holders, column);
    const machines = entries.map((entry) => new Vm(programs[entry], { maps: machineMaps }));
    const decide = (bytes: Uint8Array): void => {
      f.set(bytes, 0, bytes.length);
      for (const [i, entry] of entries.entries()) {
        const expected = inTypeScript[entry](port, f) >>> 0;
        const real = fds && testRun(fds[i]!, bytes)?.result;
        const got = real ?? machines[i]!.run(bytes);
        counts.decisions++;
        add(counts.verdicts, nameOf(entry, expected), 1);
        if (real === undefined) counts.inMachine++;
        else counts.inKernel++;
        if (got !== expected && counts.differences.length < DIFFERENCES_MAX)
          counts.differences.push(describe(entry, column, bytes, expected, got));
      }
    };
    if (share.recorded) for (const bytes of recorded) decide(bytes);
    const count = Math.ceil(share.frames / columns.length);
    for (let n = 0; n < count; n++) decide(frames.next());
    counts.frames += count;
  }
  for (const fd of fds ?? []) close(fd);
  maps?.close();
  return counts;
}

/** On all processors: this file is also what each thread runs. */
export async function compareInThreads(
  seed: number,
  frames: number,
  inTheKernel: boolean,
): Promise<Counts> {
  const all = shares(frames).map(({ start, count }): Share => {
    return { seed: seed + start, frames: count, recorded: start === 0, inTheKernel };
  });
  const results = await inThreads<Share, Counts>(import.meta.url, all);
  return results.reduce((a, b) => ({
    frames: a.frames + b.frames,
    decisions: a.decisions + b.decisions,
    inKernel: a.inKernel + b.inKernel,
    inMachine: a.inMachine + b.inMachine,
    verdicts: [...b.verdicts].reduce((sum, [name, n]) => add(sum, name, n), a.verdicts),
    differences: [...a.differences, ...b.differences],
  }));
}

const KINDS = ["", "drop", "deliver", "wire", "stack", "route", "flood out", "flood in"];

function nameOf(entry: Entry, verdict: number): string {
  const kind = v.kind(verdict);
  return `${entry} ${KINDS[kind]}${kind === v.DROP ? ` ${v.value(verdict)}` : ""}`;
}

function add(sum: Map<string, number>, name: string, n: number): Map<string, number> {
  return sum.set(name, (sum.get(name) ?? 0) + n);
}

function describe(
  entry: Entry,
  column: number,
  bytes: Uint8Array,
  expected: number,
  got: number,
): string {
  const words = [column, expected, got].map((word) => `0x${word.toString(16)}`);
  const hex = Buffer.from(bytes).toString("hex");
  return `${entry}, settings ${words[0]}: TypeScript ${words[1]}, compiled ${words[2]}: ${hex}`;
}

ifThread(compareAll);
