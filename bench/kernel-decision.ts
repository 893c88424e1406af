/**
 * What one decision costs in the kernel, as the kernel tells of runs without a device: the driver's decisions, compiled
 * as they are now, beside the byte code that a prototype was compiled to (`prototype-programs.json`). Both look up
 * among as many addresses.
 */
import { readFileSync } from "node:fs";
import { Assembler } from "../src/bpf/assembler.ts";
import type { Program } from "../src/bpf/program.ts";
import { flags, modes } from "../src/driver/settings.ts";
import {
  ADDRESSES4,
  ADDRESSES6,
  SETTINGS,
  SETTINGS_BYTES,
  SETTINGS_MAC_HIGH,
  SETTINGS_MAC_LOW,
} from "../src/engine/ebpf/machine.ts";
import { BpfMap } from "../src/linux/bpf/maps.ts";
import { loadProgram, testRun } from "../src/linux/bpf/programs.ts";
import { ip4ToNumber, type Mac, macHigh, macLow } from "../src/wire/address.ts";
import { compileEntry } from "../test/driver-program.ts";
import { frame, ip, mac } from "../test/topology.ts";
import { NotHereError } from "./ground.ts";
import type { Take, Trial } from "./rounds.ts";

type Way = "xmit" | "receive";

const WAYS: Readonly<Record<Way, { name: string; frames: readonly string[] }>> = {
  xmit: {
    name: "from a slave",
    frames: [
      "own>own 10.0.0.10>10.0.0.11",
      "own>w0 10.0.0.10>10.0.0.1",
      "own>own fd00::10>fd00::11",
      "own>all arp 10.0.0.10>10.0.0.11",
    ],
  },
  receive: {
    name: "from the wire",
    frames: [
      "w0>own 10.0.0.1>10.0.0.10",
      "w0>own 10.0.0.1>10.9.9.9",
      "w0>own fd00::1>fd00::10",
      "own>all 10.0.0.10>10.0.0.255",
    ],
  },
};
const HELD = ["10.0.0.10", "10.0.0.11", "fd00::10", "fd00::11"].map(ip);
const ADDRESSES = 1000;
const MAX_ENTRIES = 1024;

/** Runs of a program on one frame: the least of so many averages, since what others do only ever adds to it. */
const RUNS = 20_000;
const AVERAGES = 7;

export function kernelDecisionTrials(): Trial[] {
  return (Object.keys(WAYS) as Way[]).map((way) => {
    const { name, frames } = WAYS[way];
    const row = {
      group: "decision",
      better: "less",
      ratios: { ebpf: { of: ["ours", 0], to: ["prototype", 0] } },
    } as const;
    return {
      name: `decision: in the kernel, ${name}`,
      takes: {
        ours: timed(frames, () => load(compileEntry(way), ourTables())),
        prototype: timed(frames, () => load(prototype(way), prototypeTables())),
      },
      rows: [
        {
          ...row,
          name: `decision: in the kernel, ${name}`,
          to: "a prototype's",
          targets: { ebpf: { atMost: 1.2 } },
        },
        {
          ...row,
          name: `decision: in the kernel, ${name}`,
          to: "a prototype's; both without the time to call a program",
          ratios: { ebpf: { of: ["ours", 1], to: ["prototype", 1] } },
          targets: {},
        },
      ],
    };
  });
}

/** Nanoseconds for all frames; and those without what a program takes that does nothing. */
function timed(frames: readonly string[], loaded: () => number): Take {
  let programs: readonly [decision: number, nothing: number] | undefined;
  return async () => {
    programs ??= [loaded(), load(doNothing(), {})];
    const [decision, nothing] = programs.map((program) =>
      frames.reduce((sum, words) => sum + leastOf(program, frame(words).view()), 0),
    ) as [number, number];
    return [decision, decision - nothing];
  };
}

function leastOf(program: number, bytes: Uint8Array): number {
  const averages = Array.from({ length: AVERAGES }, () => {
    const { durationNs } = testRun(program, bytes, { repeat: RUNS })!;
    return durationNs;
  });
  return Math.min(...averages);
}

function load(program: Program, tables: Readonly<Record<string, BpfMap>>): number {
  try {
    const fds = Object.entries(tables).map(([name, { fd }]) => [name, fd]);
    return loadProgram(program, Object.fromEntries(fds));
  } catch (error) {
    throw new NotHereError((error as Error).message);
  }
}

const doNothing = (): Program => new Assembler().move(0, 0).exit().finish("nothing");

function prototype(way: Way): Program {
  const { bytes, maps } = readPrototypes().programs[way];
  return {
    name: `prototype_${way}`,
    bytes: Buffer.from(bytes, "hex"),
    maps,
    lines: [],
    labels: [],
  };
}

interface Prototypes {
  readonly programs: Readonly<Record<Way, { bytes: string; maps: Program["maps"] }>>;
}

const readPrototypes = (): Prototypes => JSON.parse(readFileSync(PROTOTYPES, "utf8"));
/** This runs from `dist/bench`. */
const PROTOTYPES = new URL("../../bench/prototype-programs.json", import.meta.url);

function ourTables(): Record<string, BpfMap> {
  const settings = array(SETTINGS, SETTINGS_BYTES);
  const value = Buffer.alloc(SETTINGS_BYTES);
  value.set([modes.l2, flags.bridge]);
  value.writeUInt32LE(macHigh(MASTER), SETTINGS_MAC_HIGH);
  value.writeUInt32LE(macLow(MASTER), SETTINGS_MAC_LOW);
  settings.update(word(0), value);
  return { ...addressTables(ADDRESSES4, ADDRESSES6), [SETTINGS]: settings };
}

/** Its settings are mode, flag, and the MAC in two, each a u32; L2 and bridge are 0 there, too. */
function prototypeTables(): Record<string, BpfMap> {
  const port = array("port", 16);
  port.update(word(0), Buffer.concat([0, 0, macHigh(MASTER), macLow(MASTER)].map(word)));
  return { ...addressTables("owner4", "owner6"), port };
}

const array = (name: string, valueSize: number): BpfMap =>
  BpfMap.create({ type: "array", name, keySize: 4, valueSize, maxEntries: 1 });

/** Those held, and others to make up the number. */
function addressTables(v4: string, v6: string): Record<string, BpfMap> {
  const table = (name: string, keySize: number): BpfMap =>
    BpfMap.create({ type: "hash", name, keySize, valueSize: 4, maxEntries: MAX_ENTRIES });
  const [table4, table6] = [table(v4, 4), table(v6, 16)];
  for (const [n, address] of HELD.entries())
    if (address.length === 4) table4.update(word(ip4ToNumber(address)), word(n + 1));
    else table6.update(address, word(n + 1));
  for (let n = HELD.length; n < ADDRESSES; n++) {
    table4.update(word(OTHERS + n * 7), word(n));
    table6.update(Buffer.concat([word(OTHERS), word(n), word(n), word(n)]), word(n));
  }
  return { [v4]: table4, [v6]: table6 };
}
/** 10.1.0.0. */
const OTHERS = 0x0a010000;

const MASTER = mac("own") as Mac;

/** As this processor has it; eBPF here is little endian, as everywhere in `src/bpf`. */
function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
