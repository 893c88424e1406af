/** `sim`: a script for the simulated host. */
import { unknown } from "./port.ts";

export interface Sim {
  readonly verb: "sim";
  /** What each port decides on each frame is told, and why. */
  readonly explain: boolean;
  /** None: what is typed or piped in. */
  readonly file?: string;
}

/** `sim [ --explain ] [ FILE ]`, in any order. */
export function parseSim(words: readonly string[]): Sim {
  const rest = words.filter((word) => word !== "--explain");
  const [file, extra] = rest;
  if (extra !== undefined) throw unknown("sim", extra, "nothing");
  if (file !== "-" && file?.startsWith("-")) throw unknown("sim", file, "--explain");
  const explain = rest.length < words.length;
  return { verb: "sim", explain, ...(file !== undefined && file !== "-" && { file }) };
}
