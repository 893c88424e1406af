/** What may happen to a frame on a cable. */

/** Of what leaves by one device. Probabilities are from 0 to 1. */
export interface Faults {
  readonly delayMs: number;
  readonly loss: number;
  readonly duplication: number;
  /** How much longer a frame may take by chance: others overtake it. */
  readonly jitterMs: number;
}

export const NO_FAULTS: Faults = { delayMs: 0.01, loss: 0, duplication: 0, jitterMs: 0 };
