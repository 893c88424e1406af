/**
 * What a scenario expects to be seen:
 *
 *     answered                     every command that was sent succeeded
 *     no answer                    every one failed, though it was a command
 *     says TEXT                    one of them said so
 *     DEVICE sees TEXT             a frame that begins so, as `dump` tells it, arrived at the device
 *     DEVICE does not see TEXT     none did
 *     DEVICE sees only MAC …       every frame that arrived has one of these source MACs
 *     DEVICE drops REASON          the port counted a frame of this slave so, or of its master
 */
import { formatMac, macFrom } from "../../wire/address.ts";
import { dump } from "../../wire/dump.ts";
import * as ethernet from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import { STATUS_USAGE } from "../../words/errors.ts";
import type { Place } from "../shell/lines.ts";
import { FrameWordsError, readMac } from "./frame-words.ts";

export type Expectation = {
  readonly place: Place;
  /** As it is written. */
  readonly text: string;
} & (
  | { readonly kind: "answered" | "no answer" }
  | { readonly kind: "says"; readonly what: string }
  | {
      readonly kind: "sees" | "does not see" | "sees only" | "drops";
      readonly device: string;
      readonly what: string;
    }
);

/** What was seen of a trial. */
export interface Observed {
  /** Of each command, in order. */
  readonly answers: readonly { readonly status: number; readonly said: string }[];
  /** Frames that arrived at a device, by its name; each device that an expectation names is there. */
  readonly seen: ReadonlyMap<string, readonly Frame[]>;
  /** Frames that were dropped meanwhile, by slave, or master, and by reason. */
  readonly drops: ReadonlyMap<string, Readonly<Record<string, number>>>;
}

const OF_DEVICE = /^(\S+) (sees only|sees|does not see|drops) (.+)$/;

/** What is wrong with the words, if there is no such expectation. */
export function readExpectation(text: string, place: Place): Expectation | string {
  if (text === "answered" || text === "no answer") return { kind: text, text, place };
  if (text.startsWith("says "))
    return { kind: "says", what: text.slice("says ".length), text, place };
  const [, device, kind, what] = OF_DEVICE.exec(text) ?? [];
  if (device === undefined) return `"${text}"? Expected ${FORMS.join(", ")}`;
  if (kind === "sees only") {
    try {
      readMacs(what!);
    } catch (error) {
      if (error instanceof FrameWordsError) return error.message;
      throw error;
    }
  }
  return { kind: kind as "sees", device, what: what!, text, place };
}

const FORMS = [
  "answered",
  "no answer",
  "says TEXT",
  "DEVICE sees TEXT",
  "DEVICE does not see TEXT",
  "DEVICE sees only MAC …",
  "DEVICE drops REASON",
];

/** Devices whose frames must be looked at. */
export const devicesOf = (expectations: readonly Expectation[]): string[] => [
  ...new Set(
    expectations.flatMap((one) => ("device" in one && one.kind !== "drops" ? [one.device] : [])),
  ),
];

/** What was seen instead; undefined: it is as expected. */
export function judge(expectation: Expectation, observed: Observed): string | undefined {
  const { answers, seen, drops } = observed;
  switch (expectation.kind) {
    case "answered":
    case "no answer": {
      const isWanted = (status: number) =>
        expectation.kind === "answered" ? status === 0 : status !== 0 && status !== STATUS_USAGE;
      const other = answers.find(({ status }) => !isWanted(status));
      return other && `exit status ${other.status}: ${other.said.trim()}`;
    }
    case "says": {
      const said = answers.map((one) => one.said).join("");
      return said.includes(expectation.what) ? undefined : `said: ${said.trim()}`;
    }
    case "drops": {
      const counted = drops.get(expectation.device) ?? {};
      if ((counted[expectation.what] ?? 0) > 0) return undefined;
      return `dropped: ${Object.keys(counted).join(", ") || "nothing"}`;
    }
  }
  const frames = seen.get(expectation.device) ?? [];
  if (expectation.kind === "sees only") {
    const wanted = readMacs(expectation.what);
    const other = frames.find((f) => !wanted.includes(sourceOf(f)));
    return other && `saw ${dump(other)} from ${sourceOf(other)}`;
  }
  const lines = frames.map(dump);
  const found = lines.find((line) => line.startsWith(expectation.what));
  if (expectation.kind === "does not see") return found && `saw ${found}`;
  return found === undefined ? `saw ${lines.join("; ") || "nothing"}` : undefined;
}

const readMacs = (words: string): string[] =>
  words.split(/\s+/).map((word) => formatMac(readMac(word)));

const sourceOf = (f: Frame): string => formatMac(macFrom(ethernet.srcHigh(f), ethernet.srcLow(f)));
