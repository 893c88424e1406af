/** A cable between two devices, with all that may happen to a frame on its way, as the seed has it. */
import * as ethernet from "../wire/ethernet.ts";
import { Frame } from "../wire/frame.ts";
import type { Device } from "./device.ts";
import { type Faults, NO_FAULTS } from "./faults.ts";
import type { Simulation } from "./simulation.ts";

/** Frames under way in one direction; more are lost. */
export const IN_FLIGHT_MAX = 1000;

export function connect(
  simulation: Simulation,
  a: Device,
  b: Device,
  faults: Faults = NO_FAULTS,
): void {
  a.faults = faults;
  b.faults = faults;
  a.out = direction(simulation, a, b);
  b.out = direction(simulation, b, a);
}

function direction(simulation: Simulation, from: Device, to: Device): (f: Frame) => void {
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
    const { delayMs, jitterMs } = from.faults;
    const takesMs = delayMs + (jitterMs === 0 ? 0 : jitterMs * random());
    simulation.witness?.hop(from, to, f, takesMs);
    clock.after(takesMs, () => {
      inFlight--;
      to.receive(f);
    });
  };
  return (f) => {
    const { loss, duplication } = from.faults;
    if (loss > 0 && random() < loss) {
      simulation.witness?.lost(from, f, "cable-loss");
      return;
    }
    const isDoubled = duplication > 0 && random() < duplication;
    carry(f);
    if (isDoubled) carry(Frame.of(f.view().slice())); // a forwarder changes its frame
  };
}
