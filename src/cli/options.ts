/**
 * The options before the object (`-n NS -d -j …`). Most of them are for the system's `ip`, which gets every word
 * back when the line is its own; we only need to know where they end and which change what we print.
 */
import { matches, Words } from "./words.ts";

export interface Options {
  /** Namespace of -n, or none: the caller's. */
  readonly netns: string | undefined;
  readonly brief: boolean;
  readonly json: boolean;
  readonly pretty: boolean;
  /** The words themselves, for the system's `ip`. */
  readonly words: readonly string[];
}

/** All options, in the order in which iproute2 resolves a shortened one. */
const NAMES: readonly string[] = (
  "loops family human-readable iec stats statistics details resolve oneline timestamp tshort " +
  "Version force batch brief json pretty rcvbuf color help netns Numeric all"
).split(" ");

const TAKES_WORD = new Set(["loops", "family", "rcvbuf", "netns"]);
/** After these there is no object for us to look at: iproute2 prints something or reads a file. */
const LEAVES = new Set(["Version", "help", "batch"]);
/** Options that cannot be shortened, and the one with a value of its own in it. */
const ALONE = /^--?([046MB]|echo|c(o(l(or?)?)?)?=.*)$/;

/**
 * Splits words into options and the rest. None: `ip` shall judge the line, because it holds an option that we
 * do not know, one whose value is missing, or one that ends the matter.
 */
export function findOptions(line: readonly string[]): [Options, string[]] | undefined {
  const words = new Words(line);
  const seen = new Set<string>();
  let netns: string | undefined;
  for (;;) {
    const before = words.rest();
    const word = words.next();
    if (word === undefined || !word.startsWith("-") || word === "-") {
      return [complete(seen, netns, line, before.length), before];
    }
    if (word === "--") return [complete(seen, netns, line, before.length - 1), words.rest()];
    if (ALONE.test(word)) continue;
    const name = NAMES.find((one) => matches(word.replace(/^--?/, ""), one));
    if (name === undefined || LEAVES.has(name)) return undefined;
    seen.add(name);
    if (!TAKES_WORD.has(name)) continue;
    const value = words.next();
    if (value === undefined) return undefined;
    if (name === "netns") netns = value;
  }
}

function complete(
  seen: ReadonlySet<string>,
  netns: string | undefined,
  line: readonly string[],
  restCount: number,
): Options {
  return {
    netns,
    brief: seen.has("brief"),
    json: seen.has("json"),
    pretty: seen.has("pretty"),
    words: line.slice(0, line.length - restCount),
  };
}
