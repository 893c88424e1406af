/** A cable between two devices, with all that may happen to a frame on its way, as the seed has it. */
import * as ethernet from "../wire/ethernet.ts";
import { Frame } from "../wire/frame.ts";
import type { Device } from "./device.ts";
import type { Simulation } from "./simulation.ts";

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
  simulation: Simulation,
  a: Device,
  b: Device,
  faults: Faults = NO_FAULTS,
): void {
  a.out = direction(simulation, a, b, faults);
  b.out = direction(simulation, b, a, faults);
}

function direction(
  simulation: Simulation,
  from: Device,
  to: Device,
  { delayMs, loss, duplication, jitterMs }: Faults,
): (f: Frame) => void {
  const { clock, random } = simulation;
  let inFlight = 0;
  const carry = (f: Frame) => {
    if (f.length > to.mtu + ethernet.HEADER + ethernet.TAG) {
      simulation.witness?.lost(from, f, "too-long");
      return;
    }
    if (inFlight >= IN_FLIGHT_MAX) {
      simulation.witness?.lost(from, f, "cable-full");
      return;
    }
    inFlight++;
    const takesMs = delayMs + (jitterMs === 0 ? 0 : jitterMs * random());
    simulation.witness?.hop(from, to, f, takesMs);
    clock.after(takesMs, () => {
      inFlight--;
      to.receive(f);
    });
  };
  return (f) => {
    if (loss > 0 && random() < loss) {
      simulation.witness?.lost(from, f, "cable-loss");
      return;
    }
    const isDoubled = duplication > 0 && random() < duplication;
    carry(f);
    if (isDoubled) carry(Frame.of(f.view().slice())); // a forwarder changes its frame
  };
}
