/** `sim`: a script for the simulated host. */
import { unknown } from "./port.ts";

export interface Sim {
  readonly verb: "sim";
  /** None: what is typed or piped in. */
  readonly file?: string;
}

export function parseSim([file, extra]: readonly string[]): Sim {
  if (extra !== undefined) throw unknown("sim", extra, "nothing");
  return { verb: "sim", ...(file !== undefined && file !== "-" && { file }) };
}
