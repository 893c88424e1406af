/** Who reaches whom, as recorded of Linux's own driver (`test/kernel/connectivity.json`). */
import { readFileSync } from "node:fs";
import type { Flag, Mode } from "../src/driver/settings.ts";
import type { End, Family } from "./lab.ts";
import { ADDRESS, ENDS, FAMILIES, netnsOf } from "./lab.ts";
import { ping } from "./ping.ts";

/** `routed`: the LAN has routes to the slaves through the master's address. */
export type Variant = "plain" | "routed";

export interface Column {
  readonly variant: Variant;
  readonly mode: Mode;
  readonly flag: Flag;
  readonly ping: Readonly<Record<string, Readonly<Record<Family, { readonly ok: boolean }>>>>;
}

export interface Pair {
  readonly from: End;
  readonly to: End;
  readonly family: Family;
}

export interface Outcome extends Pair {
  readonly promised: boolean;
  /** Round-trip time; undefined: no answer. */
  readonly timeMs: number | undefined;
}

/** Longest wait for an answer that should come: neighbours may have to be asked for more than once. */
const ANSWER_MS = 4000;
/** Wait for one that should not come. */
const SILENCE_MS = 1500;

const RECORDING = new URL("../../test/kernel/connectivity.json", import.meta.url);

export const readColumns = (): readonly Column[] =>
  (JSON.parse(readFileSync(RECORDING, "utf8")) as { columns: Column[] }).columns;

export function columnOf(variant: Variant, mode: Mode, flag: Flag): Column {
  return readColumns().find((c) => c.variant === variant && c.mode === mode && c.flag === flag)!;
}

/** Every end pings every other, all at once. */
export function pingAll(column: Column): Promise<Outcome[]> {
  return Promise.all(pairs.map((pair) => pingPair(pair, column)));
}

export const isAsPromised = ({ promised, timeMs }: Outcome): boolean =>
  promised === (timeMs !== undefined);

/** Every end with every other, in both families. */
export const pairs: readonly Pair[] = ENDS.flatMap((from) =>
  ENDS.filter((to) => to !== from).flatMap((to) =>
    FAMILIES.map((family) => ({ from, to, family })),
  ),
);

async function pingPair(pair: Pair, column: Column): Promise<Outcome> {
  const { from, to, family } = pair;
  const promised = column.ping[`${from}->${to}`]![family].ok;
  const request = { netns: netnsOf(from), to: ADDRESS[to][family] };
  return { ...pair, promised, timeMs: await ping(request, promised ? ANSWER_MS : SILENCE_MS) };
}
