/**
 * The record as a film: what happens in no time, or in seconds without an event, is given a time in which it can be
 * watched. Nothing is shown before what it comes from, whatever is under way at once is shown at once.
 */
import type { Place } from "../sim/recorder.ts";
import type { Step } from "./record.ts";

/** Of the film. */
export const HOP_MS = 800;
const LOSS_MS = 1600;
/** What a longer wait is shortened to. */
export const IDLE_MS_MAX = 500;

export interface Shot extends Step {
  /** Time in the film. */
  readonly startMs: number;
  readonly endMs: number;
}

interface Arrival {
  readonly at: Place;
  readonly atMs: number;
  /** Time in the film. */
  readonly shownMs: number;
}

/** Steps that are kept; the oldest go, many at once. */
export const SHOTS_MAX = 6000;
/** Arrivals that are looked at to find what something comes from. */
const ARRIVALS_MAX = 200;

export class Film {
  #shots: Shot[] = [];
  #lengthMs = 0;
  /** The last moment that has been shown, and when. */
  #atMs = 0;
  #shownMs = 0;
  #arrivals: Arrival[] = [];

  get shots(): readonly Shot[] {
    return this.#shots;
  }

  /** When what is left of it begins. */
  get startMs(): number {
    return this.#shots[0]?.startMs ?? 0;
  }

  get lengthMs(): number {
    return this.#lengthMs;
  }

  add({ packet, event }: Step): void {
    const { kind, atMs } = event;
    const at = kind === "hop" ? event.from : event.at;
    const startMs = Math.max(this.#momentOf(atMs), this.#causeOf(at, atMs));
    const endMs = startMs + (kind === "hop" ? HOP_MS : LOSS_MS);
    this.#shots.push({ packet, event, startMs, endMs });
    if (this.#shots.length > SHOTS_MAX) this.#shots = this.#shots.slice(SHOTS_MAX / 2);
    this.#lengthMs = Math.max(this.#lengthMs, endMs);
    if (kind !== "hop") return;
    this.#arrivals.push({ at: event.to, atMs: event.untilMs, shownMs: endMs });
    if (this.#arrivals.length > ARRIVALS_MAX) this.#arrivals.shift();
  }

  /** What is to be seen at a moment of the film. */
  at(ms: number): Shot[] {
    return this.#shots.filter(({ startMs, endMs }) => startMs <= ms && ms < endMs);
  }

  /** Later moments are shown later: behind all that has arrived by then, and a shortened wait. */
  #momentOf(atMs: number): number {
    if (atMs <= this.#atMs) return this.#shownMs;
    const arrived = this.#arrivals.filter((one) => one.atMs <= atMs).map((one) => one.shownMs);
    const before = Math.max(this.#shownMs, ...arrived);
    this.#shownMs = before + Math.min(atMs - this.#atMs, IDLE_MS_MAX);
    this.#atMs = atMs;
    return this.#shownMs;
  }

  /** When what came last to this namespace has been seen to arrive. */
  #causeOf(at: Place, atMs: number): number {
    const arrived = this.#arrivals.filter((one) => one.atMs <= atMs && one.at.netns === at.netns);
    return Math.max(0, ...arrived.map(({ shownMs }) => shownMs));
  }
}
