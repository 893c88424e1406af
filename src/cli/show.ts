/** `link show` and `addr show`: the system's `ip` prints, `rewrite.ts` puts right what it says about our slaves. */
import { Words } from "../words/words.ts";

export interface Show {
  readonly verb: "show";
  /** The object, and what stands behind it, with the verb if there was one. */
  readonly words: readonly string[];
  /** Which devices the filter `type` leaves: those of all kinds, our slaves only, or only what is not ours. */
  readonly keep: Keep;
}

export type Keep = "all" | "slaves" | "others";

const TAKES_WORD = new Set(["dev", "master", "vrf", "group", "to", "scope", "label"]);

/** `line` begins with the object; the system asks the kernel for veths where we were asked for slaves. */
export function parseShow(line: readonly string[]): Show {
  const words = new Words(line);
  let keep: Keep = "all";
  let kindAt = -1;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const at = line.length - words.rest().length;
    if (TAKES_WORD.has(word)) words.next();
    if (word !== "type") continue;
    const kind = words.next();
    if (kind === "ipvlan") [keep, kindAt] = ["slaves", at];
    if (kind === "veth") keep = "others";
  }
  return { verb: "show", words: kindAt < 0 ? line : line.with(kindAt, "veth"), keep };
}
