/**
 * The words behind `type ipvlan`: `[ mode MODE ] [ FLAG ]`. What is not said stays unset; what that means is the
 * daemon's to decide (docs: an existing port keeps it, a new one is l3 bridge).
 */
import type { Flag, Mode } from "../driver/settings.ts";
import { STATUS_FAILED, UsageError } from "./errors.ts";
import { matches, Words } from "./words.ts";

/** Behind `type ipvlan`; iproute2's own words. */
export const ipvlanUsage = `Usage: ... ipvlan [ mode MODE ] [ FLAGS ]

MODE: l3 | l3s | l2
FLAGS: bridge | private | vepa
(first values are the defaults if nothing is specified).`;

export interface IpvlanWords {
  readonly mode?: Mode;
  readonly flag?: Flag;
}

const MODES: readonly Mode[] = ["l2", "l3", "l3s"];
const FLAGS: readonly Flag[] = ["bridge", "private", "vepa"];

/** iproute2: ipvlan_parse_opt(). The last mode counts; a second flag is an unknown option. */
export function readIpvlanWords(line: readonly string[]): IpvlanWords {
  const words = new Words(line);
  let mode: Mode | undefined;
  let flag: Flag | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const found = flag === undefined ? findFlag(word) : undefined;
    if (matches(word, "mode")) mode = getMode(words.value());
    else if (found !== undefined) flag = found;
    else if (matches(word, "help")) throw new UsageError(ipvlanUsage, STATUS_FAILED);
    else throw unknownOption(word);
  }
  return { ...(mode && { mode }), ...(flag && { flag }) };
}

const findFlag = (word: string): Flag | undefined => FLAGS.find((flag) => matches(word, flag));

/** A mode cannot be shortened. */
function getMode(word: string): Mode {
  const mode = MODES.find((one) => one === word);
  if (mode !== undefined) return mode;
  const allowed = 'must be either "l2", "l3" or "l3s"';
  throw new UsageError(`Error: argument of "mode" ${allowed}`, STATUS_FAILED);
}

const unknownOption = (word: string): UsageError =>
  new UsageError(`ipvlan: unknown option "${word}"?\n${ipvlanUsage}`, STATUS_FAILED);
