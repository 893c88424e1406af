/** A witness that keeps what it hears as events, with bytes, names and explanations as they were at that moment. */
import type { Slave } from "../driver/decide/machine.ts";
import * as v from "../driver/decide/verdict.ts";
import { type Explanation, explain, type Hook } from "../driver/explain.ts";
import type { Frame } from "../wire/frame.ts";
import type { Device } from "./device.ts";
import type { SimulatedPort } from "./port.ts";
import type { Simulation } from "./simulation.ts";
import type { Witness } from "./witness.ts";

/** Where a device was. */
export interface Place {
  readonly device: string;
  /** Undefined: in none, the inner end of a bridge. */
  readonly netns: string | undefined;
}

/** The frame is on its way from one device to another. */
export interface Hop {
  readonly kind: "hop";
  readonly atMs: number;
  readonly untilMs: number;
  readonly from: Place;
  readonly to: Place;
  readonly bytes: Uint8Array;
}

/** A port has decided what becomes of the frame. */
export interface Decision {
  readonly kind: "decision";
  readonly atMs: number;
  readonly at: Place;
  readonly hook: Hook;
  readonly bytes: Uint8Array;
  readonly explanation: Explanation;
  /** `to ipvl1`, `dropped: isolated`. */
  readonly outcome: string;
}

/** The frame ends here. */
export interface Loss {
  readonly kind: "loss";
  readonly atMs: number;
  readonly at: Place;
  readonly bytes: Uint8Array;
  /** Of a drop of the driver, by the names of `reasons`; else of `losses.ts`. */
  readonly reason: string;
}

export type Event = Hop | Decision | Loss;

export class Recorder implements Witness {
  readonly #simulation: Simulation;
  readonly #hear: (event: Event) => void;

  constructor(simulation: Simulation, hear: (event: Event) => void) {
    this.#simulation = simulation;
    this.#hear = hear;
  }

  get #nowMs(): number {
    return this.#simulation.clock.nowMs;
  }

  hop(from: Device, to: Device, f: Frame, delayMs: number): void {
    this.#hear({
      kind: "hop",
      atMs: this.#nowMs,
      untilMs: this.#nowMs + delayMs,
      from: placeOf(from),
      to: placeOf(to),
      bytes: f.view().slice(),
    });
  }

  decides(port: SimulatedPort, hook: Hook, at: Device, f: Frame): void {
    const nameOf = (slave: Slave) => port.findSlave(slave)?.name ?? `slave ${slave}`;
    const explanation = explain(port.decisionPort, hook, f, { nameOf });
    const { reason } = explanation;
    const outcome = describe(explanation, port.master.name, nameOf);
    const common = { atMs: this.#nowMs, at: placeOf(at), bytes: f.view().slice() };
    this.#hear({ kind: "decision", hook, explanation, outcome, ...common });
    if (reason !== undefined) this.#hear({ kind: "loss", reason, ...common });
  }

  lost(at: Device, f: Frame, reason: string): void {
    const bytes = f.view().slice();
    this.#hear({ kind: "loss", atMs: this.#nowMs, at: placeOf(at), bytes, reason });
  }
}

const placeOf = ({ name, netns }: Device): Place => ({ device: name, netns: netns?.name });

function describe(
  { verdict, reason }: Explanation,
  master: string,
  nameOf: (slave: Slave) => string,
): string {
  const slave = v.value(verdict);
  switch (v.kind(verdict)) {
    case v.DELIVER:
      return `to ${nameOf(slave)}`;
    case v.WIRE:
      return `out of ${master}`;
    case v.STACK:
      return `to ${master}'s own stack`;
    case v.ROUTE:
      return `routed where ${master} is`;
    case v.FLOOD_OUT:
      return `to every other slave that listens, and out of ${master}`;
    case v.FLOOD_IN:
      return `to every slave that listens${slave === 0 ? "" : ` but ${nameOf(slave)}`}, and to ${master}'s own stack`;
  }
  return `dropped: ${reason}`;
}
