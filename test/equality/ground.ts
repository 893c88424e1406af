/** The port and the frames on which equality is tried: those of the recording of Linux's driver. */
import { fileURLToPath } from "node:url";
import { parseIp } from "../../src/wire/address.ts";
import { labOf } from "../parity/lab.ts";
import { readRecording } from "../parity/recording.ts";
import type { Random } from "../random.ts";
import { type Holder, TestPort } from "./decisions.ts";
import { FrameMaker, recordedFrames } from "./frames.ts";

/** Not copied into the build. */
const RECORDING = fileURLToPath(new URL("../../../test/kernel/verdicts.json", import.meta.url));

const recording = readRecording(RECORDING);
const lab = labOf(recording.topology);

export const holders: readonly Holder[] = lab.slaves.flatMap(({ addresses }, i) =>
  addresses.map(({ ip }) => ({ slave: i + 1, ip })),
);
export const newPort = (): TestPort => new TestPort(lab.master.mac, holders);

export const recorded: readonly Uint8Array[] = recordedFrames(recording);

/** Addresses that nobody holds, among them the one all slaves would form from the master's MAC. */
const strangers = ["10.0.0.99", "127.0.0.1", "239.1.1.1", "fe80::ff:fe00:2", "ff02::1", "fd00::99"];
const addresses = [...holders.map(({ ip }) => ip), ...strangers.map((text) => parseIp(text)!)];

export const frameMaker = (random: Random): FrameMaker =>
  new FrameMaker(random, recorded, {
    macs: [lab.master.mac, lab.outside.mac, new Uint8Array(6).fill(0xff)],
    addresses4: addresses.filter(({ length }) => length === 4),
    addresses6: addresses.filter(({ length }) => length === 16),
  });
