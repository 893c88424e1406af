/**
 * Whoever watches a simulated network. Frames are lent: they change and move on after the call, so that what is to be kept
 * is copied, `f.view().slice()`.
 */
import type { Hook } from "../driver/explain.ts";
import type { Frame } from "../wire/frame.ts";
import type { Device } from "./device.ts";
import type { SimulatedPort } from "./port.ts";

export interface Witness {
  /** A frame goes from one device to another, along a cable or through a port, and will be there in `delayMs`. */
  hop(from: Device, to: Device, f: Frame, delayMs: number): void;
  /** A port is about to decide on a frame that is at this device. */
  decides(port: SimulatedPort, hook: Hook, at: Device, f: Frame): void;
  /** A frame ends at this device, and why. */
  lost(at: Device, f: Frame, reason: string): void;
}
