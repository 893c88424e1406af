/** `tc qdisc … netem` of the simulated host: what a cable does to frames that leave by a device. man: tc-netem(8). */
import { incomplete, refused } from "../../words/errors.ts";
import { Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import { type Faults, NO_FAULTS } from "../faults.ts";
import type { Namespace } from "../namespace.ts";
import { findIn, unknown } from "./common.ts";

const LINE = "qdisc { add | change | replace | del | show } dev DEVICE root netem WHAT …";
const WHAT = "delay TIME [ JITTER ], loss PERCENT, duplicate PERCENT";
const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };
const DELAY_MAX_MS = 60_000;

/** What it prints. `hasCable`: frames leave the device by one. */
export function tc(
  netns: Namespace,
  line: readonly string[],
  hasCable: (device: Device) => boolean,
): string {
  const words = new Words(line);
  const [object, verb = "show"] = [words.next(), words.next()];
  if (object !== "qdisc" || !/^(add|change|replace|del|show)$/.test(verb))
    throw unknown(`${object ?? ""} ${verb}`, "tc", LINE);
  if (words.next() !== "dev") throw unknown(line.join(" "), "tc", LINE);
  const device = findIn(netns, words.value());
  if (verb === "show") return show(device);
  if (words.next() !== "root") throw unknown(line.join(" "), "tc", LINE);
  const isThere = device.faults !== NO_FAULTS;
  if (verb === "add" && isThere) throw refused("File exists");
  if ((verb === "del" || verb === "change") && !isThere) throw refused("No such file or directory");
  if (verb === "del") device.faults = NO_FAULTS;
  else {
    if (words.next() !== "netem") throw unknown(line.join(" "), "tc", LINE);
    if (!hasCable(device)) throw refused("Operation not supported");
    device.faults = read(words);
  }
  return "";
}

function read(words: Words): Faults {
  const faults = { ...NO_FAULTS };
  const rest = words.rest();
  if (rest.length === 0) throw incomplete();
  for (let i = 0; i < rest.length; i++) {
    const [word, value = "", next = ""] = rest.slice(i);
    if (word === "delay") {
      faults.delayMs = readTime(value);
      if (/^\d/.test(next)) {
        faults.jitterMs = readTime(next);
        i++;
      }
    } else if (word === "loss") faults.loss = readPercent(value);
    else if (word === "duplicate") faults.duplication = readPercent(value);
    else throw unknown(word ?? "", "netem", WHAT);
    i++;
  }
  return faults;
}

function readTime(word: string): number {
  const [, number, unit = "us"] = /^(\d+(?:\.\d+)?)(us|ms|s)?$/.exec(word) ?? [];
  const ms = Number(number) * UNITS[unit]!;
  if (ms <= DELAY_MAX_MS) return ms;
  throw unknown(word, "netem", "times such as 10ms, up to 60s");
}

function readPercent(word: string): number {
  const percent = /^\d+(\.\d+)?%$/.test(word) ? Number(word.slice(0, -1)) : Number.NaN;
  if (percent <= 100) return percent / 100;
  throw unknown(word, "netem", "percentages such as 10%");
}

function show({ faults, name }: Device): string {
  if (faults === NO_FAULTS) return `qdisc noqueue 0: dev ${name} root\n`;
  const { delayMs, jitterMs, loss, duplication } = faults;
  const jitter = jitterMs === 0 ? "" : `  ${jitterMs}ms`;
  const share = (word: string, value: number) => (value === 0 ? "" : ` ${word} ${value * 100}%`);
  return `qdisc netem 1: dev ${name} root delay ${delayMs}ms${jitter}${share("loss", loss)}${share("duplicate", duplication)}\n`;
}
