/** `link set` and `link delete` where they may concern a slave: words in, request out. */
import type { Flag, Mode } from "../driver/settings.ts";
import { type DeviceWords, readNames } from "../words/device-words.ts";
import { STATUS_USAGE, UsageError } from "../words/errors.ts";
import { readIpvlanWords } from "../words/ipvlan-words.ts";
import { findStackUnder, type Stack } from "./stacking.ts";

/** A change of mode or flag; `others` are the words before `type`, if the system's `ip` has something to set, too. */
export interface LinkSet {
  readonly verb: "set";
  readonly name: string;
  readonly mode?: Mode;
  readonly flag?: Flag;
  readonly others: readonly string[];
}

/** The device may be a slave, or anything else; then the line is the system's. */
export interface LinkDelete {
  readonly verb: "delete";
  readonly name: string;
}

/** None: nothing in it concerns a slave. */
export function parseLinkSet(words: DeviceWords): LinkSet | Stack | undefined {
  if (words.kind === "ipvlan") {
    const name = getDevice(words);
    const ipvlan = readIpvlanWords(words.kindWords);
    return { verb: "set", name, ...ipvlan, others: hasOthers(words, name) ? words.plainWords : [] };
  }
  const name = words.kind === undefined ? findDevice(words) : undefined;
  return name === undefined ? undefined : findStackUnder(name, words);
}

/** None: the line is the system's, as it names no single device. */
export function parseLinkDelete(words: DeviceWords): LinkDelete | undefined {
  if (words.kind !== undefined && words.kind !== "ipvlan") return undefined;
  if (words.kind === "ipvlan") readIpvlanWords(words.kindWords);
  const name = findDevice(words);
  return name === undefined ? undefined : { verb: "delete", name };
}

function hasOthers({ settings }: DeviceWords, name: string): boolean {
  return settings.some(({ keyword, value }) =>
    keyword === "name" ? value !== name : keyword !== "dev",
  );
}

function getDevice({ settings }: DeviceWords): string {
  const { dev } = readNames(settings);
  if (dev !== undefined) return dev;
  throw new UsageError('Not enough information: "dev" argument is required.', STATUS_USAGE);
}

/** The one device a line names; a line that names two is the system's to refuse. */
function findDevice({ settings }: DeviceWords): string | undefined {
  const devices = settings.filter((one) => one.keyword === "dev");
  if (devices.length > 1) return undefined;
  return devices[0]?.value ?? settings.find((one) => one.keyword === "name")?.value;
}
