/** Loads programs of eBPF, and runs them on a frame without a device. man: bpf(2). */
import { btf, FUNCTION_RECORD, LINE_RECORD } from "../../bpf/btf.ts";
import { INSTRUCTION } from "../../bpf/instruction.ts";
import type { Program } from "../../bpf/program.ts";
import { close, EAGAIN, EINVAL, ENOSPC, errno, SysError } from "../sys.ts";
import {
  Attributes,
  BTF_LOAD,
  memory,
  objectInfo,
  PROG_LOAD,
  PROG_TEST_RUN,
  textIn,
} from "./attributes.ts";

const BPF_PROG_TYPE_SCHED_CLS = 3;
const LICENSE = "GPL";
/** A signal stops the verifier, without a word; libbpf tries as often. */
const TRIES = 5;
/** Bytes; the kernel keeps the end of a longer log. */
const LOG_MAX = 1 << 24;

/** The kernel's verifier refuses the program. */
export class VerifierError extends SysError {
  /** What the verifier said, all of it: for who repairs the program. */
  readonly log: string;

  constructor(program: string, number: number, log: string) {
    super(`load program ${program}`, number);
    this.name = "VerifierError";
    this.message = `load program ${program}: the kernel's verifier refuses it: ${reason(log)}`;
    this.log = log;
  }
}

/**
 * Loads a program for the hooks of traffic control. `maps`: descriptors by the names that it uses. With the program goes
 * what lines of source it comes of, where the kernel takes that.
 */
export function loadProgram(program: Program, maps: Readonly<Record<string, number>>): number {
  const attributes = loadAttributes(program, maps);
  const lines = addLines(attributes, program);
  try {
    return loadOrExplain(attributes, program.name);
  } finally {
    if (lines !== undefined) close(lines); // the program keeps it
  }
}

function loadOrExplain(attributes: Attributes, name: string): number {
  const fd = load(attributes);
  if (fd >= 0) return fd;
  const refusal = errno();
  if (refusal === EAGAIN) throw new SysError(`load program ${name}`, refusal); // signals, time and again
  const log = memory(LOG_MAX);
  attributes.u32(24, 1).u32(28, LOG_MAX).pointer(32, log);
  const second = load(attributes);
  if (second >= 0) return second;
  const said = textIn(log, 0, LOG_MAX).trim();
  if (said === "") throw new SysError(`load program ${name}`, refusal);
  throw new VerifierError(name, refusal, said);
}

/** The descriptor of the BTF that tells the lines; undefined where the kernel does not take it, or there are none. */
function addLines(attributes: Attributes, program: Program): number | undefined {
  if (program.lines[0]?.at !== 0) return undefined;
  const { types, functions, lines } = btf(program);
  const bytes = copyOf(types);
  const fd = new Attributes(32).pointer(0, bytes).u32(16, bytes.length).try(BTF_LOAD);
  if (fd < 0) return undefined;
  attributes
    .u32(72, fd)
    .u32(76, FUNCTION_RECORD)
    .pointer(80, copyOf(functions))
    .u32(88, functions.length / FUNCTION_RECORD)
    .u32(92, LINE_RECORD)
    .pointer(96, copyOf(lines))
    .u32(104, lines.length / LINE_RECORD);
  return fd;
}

function copyOf(bytes: Uint8Array): Buffer {
  const copy = memory(bytes.length);
  copy.set(bytes);
  return copy;
}

function loadAttributes(program: Program, maps: Readonly<Record<string, number>>): Attributes {
  const instructions = copyOf(program.bytes);
  for (const { at, map } of program.maps) {
    const fd = maps[map];
    if (fd === undefined) throw new Error(`program ${program.name} uses a map ${map}`);
    instructions.writeInt32LE(fd, at * INSTRUCTION + 4);
  }
  return new Attributes(128)
    .u32(0, BPF_PROG_TYPE_SCHED_CLS)
    .u32(4, instructions.length / INSTRUCTION)
    .pointer(8, instructions)
    .text(16, LICENSE)
    .name(48, program.name);
}

function load(attributes: Attributes): number {
  let fd = attributes.try(PROG_LOAD);
  for (let n = 1; n < TRIES && fd < 0 && errno() === EAGAIN; n++) fd = attributes.try(PROG_LOAD);
  return fd;
}

/** The last line that is no statistics. */
function reason(log: string): string {
  const lines = log
    .split("\n")
    .filter((line) => !/^(processed|verification time|stack depth)/.test(line));
  return lines.at(-1) ?? log;
}

export interface ProgramInfo {
  /** Names the program as long as it is loaded. */
  readonly id: number;
  readonly name: string;
  /** A hash of the instructions, in hexadecimal. */
  readonly tag: string;
}

/** struct bpf_prog_info. */
export function programInfo(fd: number): ProgramInfo {
  const info = objectInfo(fd, 80, "ask what a program is");
  return {
    id: info.readUInt32LE(4),
    name: textIn(info, 64, 16),
    tag: info.toString("hex", 8, 16),
  };
}

export interface TestRunOptions {
  /** The device that the frame arrives at, of this thread's namespace. */
  readonly ifindex?: number;
  /** What a rule before the program may have marked the frame with. */
  readonly mark?: number;
  readonly repeat?: number;
}

export interface TestRunResult {
  /** What the program returned, not signed. */
  readonly result: number;
  /** Of one run, on the average. */
  readonly durationNs: number;
}

/** struct __sk_buff. */
const CONTEXT = 192;
const CONTEXT_MARK = 8;
const CONTEXT_IFINDEX = 40;
const FRAME_MAX = 1 << 16;

/** Made once: a million frames are run one by one. */
class TestRun {
  readonly #frame = memory(FRAME_MAX);
  readonly #context = memory(CONTEXT);
  readonly #attributes = new Attributes(64)
    .pointer(16, this.#frame)
    .u32(40, CONTEXT)
    .pointer(48, this.#context);

  run(
    programFd: number,
    frame: Uint8Array,
    { ifindex = 0, mark = 0, repeat = 1 }: TestRunOptions,
  ): number {
    this.#frame.set(frame);
    this.#context.writeUInt32LE(ifindex, CONTEXT_IFINDEX);
    this.#context.writeUInt32LE(mark, CONTEXT_MARK);
    return this.#attributes
      .u32(0, programFd)
      .u32(8, frame.length)
      .u32(12, 0) // the kernel wrote the last frame's length there, and would take it for a limit
      .u32(32, repeat)
      .try(PROG_TEST_RUN);
  }
  get outcome(): TestRunResult {
    return { result: this.#attributes.getU32(4), durationNs: this.#attributes.getU32(36) };
  }
}
let tests: TestRun | undefined;

/**
 * Runs a program on a frame. undefined: the kernel runs no such frame here, as one that is shorter than its Ethernet
 * header or, by its protocol, than an IP header, or one that fills a page.
 */
export function testRun(
  programFd: number,
  frame: Uint8Array,
  options: TestRunOptions = {},
): TestRunResult | undefined {
  tests ??= new TestRun();
  if (tests.run(programFd, frame, options) >= 0) return tests.outcome;
  if (errno() === EINVAL || errno() === ENOSPC) return undefined;
  throw new SysError("run a program on a frame", errno());
}
