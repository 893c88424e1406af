/** What all parts of one simulated network share: time, chance, and who watches. */
import { Clock } from "./clock.ts";
import { type Random, seeded } from "./random.ts";
import type { Witness } from "./witness.ts";

export class Simulation {
  readonly clock: Clock = new Clock();
  readonly random: Random;
  /** Hears of every frame. Undefined: nobody watches, which is quicker. */
  witness: Witness | undefined;

  /** Two with the same seed do the same. */
  constructor(seed: number) {
    this.random = seeded(seed);
  }
}
