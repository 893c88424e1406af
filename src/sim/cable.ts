/** A cable between two devices, with all that may happen to a frame on its way, as the seed has it. */
import { Frame } from "../wire/frame.ts";
import type { Clock } from "./clock.ts";
import type { Device } from "./device.ts";
import type { Random } from "./random.ts";

/** Of each direction. Probabilities are from 0 to 1. */
export interface Faults {
  readonly delayMs: number;
  readonly loss: number;
  readonly duplication: number;
  /** How much longer a frame may take by chance: others overtake it. */
  readonly jitterMs: number;
}

export const NO_FAULTS: Faults = { delayMs: 0.01, loss: 0, duplication: 0, jitterMs: 0 };

/** Frames under way in one direction; more are lost. */
export const IN_FLIGHT_MAX = 1000;

export function connect(
  clock: Clock,
  random: Random,
  a: Device,
  b: Device,
  faults: Faults = NO_FAULTS,
): void {
  a.out = direction(clock, random, b, faults);
  b.out = direction(clock, random, a, faults);
}

function direction(
  clock: Clock,
  random: Random,
  to: Device,
  { delayMs, loss, duplication, jitterMs }: Faults,
): (f: Frame) => void {
  let inFlight = 0;
  const carry = (f: Frame) => {
    if (inFlight >= IN_FLIGHT_MAX) return;
    inFlight++;
    const jitter = jitterMs === 0 ? 0 : jitterMs * random();
    clock.after(delayMs + jitter, () => {
      inFlight--;
      to.receive(f);
    });
  };
  return (f) => {
    if (loss > 0 && random() < loss) return;
    const isDoubled = duplication > 0 && random() < duplication;
    carry(f);
    if (isDoubled) carry(Frame.of(f.view().slice())); // a forwarder changes its frame
  };
}
