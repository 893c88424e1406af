/** What should be seen of a case, and whether it was: places, bytes and datagrams, by test/kernel/README.md. */
import * as eth from "../../src/wire/ethernet.ts";
import { Frame } from "../../src/wire/frame.ts";
import { devicesOf, getSender, type Lab, placeOf } from "./lab.ts";
import type { Case } from "./recording.ts";

/** Bytes that may be seen at a place. */
export interface Pattern {
  readonly bytes: Uint8Array;
  /** Taps of a stack show a frame without its tags. */
  readonly untagged?: boolean;
  /** What routing makes of it: the MACs are its own. */
  readonly anyMac?: boolean;
}

export interface Expectation {
  /** A frame is seen at these places and no other; a place may have seen it more than once. */
  readonly frames: ReadonlyMap<string, readonly Pattern[]>;
  /** Payloads by namespace; a namespace that is not named is not asked. */
  readonly datagrams: ReadonlyMap<string, readonly string[]>;
}

/** What was seen of a case, answers of stacks left out. */
export interface Observation {
  readonly frames: ReadonlyMap<string, readonly Uint8Array[]>;
  /** undefined: nobody listened. */
  readonly datagrams?: ReadonlyMap<string, readonly string[]>;
  /** The sender's socket did not take the frame. */
  readonly isRefused?: boolean;
}

/** What the recorded driver did. */
export function recorded(lab: Lab, c: Case): Expectation {
  const frames = new Map<string, Pattern[]>();
  for (const place of lab.places) {
    const seen = (c.frames.get(place) ?? []).filter((s) => s.relation !== "other");
    if (seen.length === 0) continue;
    frames.set(
      place,
      seen.map((s) => ({ bytes: s.bytes, untagged: s.relation === "untagged" })),
    );
  }
  return { frames, datagrams: datagramsOf(lab, c) };
}

/**
 * The recorded outcome with other places: sockets at places that get nothing get nothing. Of a datagram only
 * that can be told, since no two stacks make the same frame of it.
 */
export function recordedBut(
  lab: Lab,
  c: Case,
  frames: ReadonlyMap<string, readonly Pattern[]>,
): Expectation {
  const datagrams = datagramsOf(lab, c);
  for (const namespace of datagrams.keys()) {
    const place = placeOf(lab, namespace);
    if (place === undefined || isSender(lab, c, namespace)) continue;
    if (!frames.has(place)) datagrams.set(namespace, []);
    else if (!c.frames.has(place)) datagrams.delete(namespace);
  }
  return { frames: c.frame === undefined ? new Map() : frames, datagrams };
}

/** Every namespace of the topology, those that got nothing too. */
function datagramsOf(lab: Lab, c: Case): Map<string, readonly string[]> {
  return new Map(
    devicesOf(lab).map(({ namespace }) => [namespace, c.datagrams.get(namespace) ?? []]),
  );
}

/** Its own stack gives it a copy of what it sends to a group, whatever the driver does. */
const isSender = (lab: Lab, c: Case, namespace: string): boolean =>
  getSender(lab, c).namespace === namespace;

/** What is not as expected, a line each, by place; empty: all is. */
export function disagreements(expected: Expectation, seen: Observation): Map<string, string> {
  const found = new Map<string, string>();
  for (const place of new Set([...expected.frames.keys(), ...seen.frames.keys()])) {
    const wrong = wrongFrames(expected.frames.get(place) ?? [], seen.frames.get(place) ?? []);
    if (wrong !== undefined) found.set(place, wrong);
  }
  for (const [namespace, datagrams] of seen.datagrams === undefined ? [] : expected.datagrams) {
    const got = (seen.datagrams?.get(namespace) ?? []).join(", ");
    const wanted = datagrams.join(", ");
    if (got === wanted) continue;
    const text = `expected ${wanted || "no datagram"}, got ${got || "none"}`;
    found.set(`${namespace}.udp`, text);
  }
  return found;
}

function wrongFrames(
  expected: readonly Pattern[],
  seen: readonly Uint8Array[],
): string | undefined {
  if (seen.length === 0) return expected.length === 0 ? undefined : "expected the frame";
  if (expected.length === 0) return "expected nothing";
  if (seen.length > expected.length) return `expected the frame once, saw it ${seen.length} times`;
  const strange = seen.filter((bytes) => !expected.some((pattern) => matches(bytes, pattern)));
  return strange.length === 0 ? undefined : "expected other bytes";
}

function matches(bytes: Uint8Array, pattern: Pattern): boolean {
  const skip = pattern.anyMac ? 2 * MAC : 0;
  if (isSame(bytes.subarray(skip), pattern.bytes.subarray(skip))) return true;
  return pattern.untagged === true && isTagged(bytes) && matches(withoutTag(bytes), pattern);
}

const MAC = 6;

export const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export const isTagged = (bytes: Uint8Array): boolean => eth.isTag(eth.type(Frame.of(bytes)));

/** Takes the outermost tag off. */
export function withoutTag(bytes: Uint8Array): Uint8Array {
  const shorter = new Uint8Array(bytes.length - eth.TAG);
  shorter.set(bytes.subarray(0, 2 * MAC));
  shorter.set(bytes.subarray(2 * MAC + eth.TAG), 2 * MAC);
  return shorter;
}
