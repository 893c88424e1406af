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
  /** Of -4, -6 and -family, in the latter's words; none: all. */
  readonly family?: string;
  /** File of -batch, whose lines take the place of the rest; - is the input. */
  readonly batch?: string;
  /** -batch goes on after a line that failed. */
  readonly force: boolean;
  /** The words themselves, for the system's `ip`, without -batch. */
  readonly words: readonly string[];
}

/** All options, in the order in which iproute2 resolves a shortened one. */
const NAMES: readonly string[] = (
  "loops family human-readable iec stats statistics details resolve oneline timestamp tshort " +
  "Version force batch brief json pretty rcvbuf color help netns Numeric all"
).split(" ");

const TAKES_WORD = new Set(["loops", "family", "batch", "rcvbuf", "netns"]);
/** After these there is no object for us to look at: iproute2 prints something. */
const LEAVES = new Set(["Version", "help"]);
/** Options that cannot be shortened, and the one with a value of its own in it. */
const ALONE = /^--?([046MB]|echo|c(o(l(or?)?)?)?=.*)$/;
const FAMILIES: Readonly<Record<string, string>> = {
  0: "link",
  4: "inet",
  6: "inet6",
  M: "mpls",
  B: "bridge",
};

/**
 * Splits words into options and the rest. None: `ip` shall judge the line, because it holds an option that we
 * do not know, one whose value is missing, or one that ends the matter.
 */
export function findOptions(line: readonly string[]): [Options, string[]] | undefined {
  const words = new Words(line);
  const seen = new Map<string, string>();
  const passed: string[] = [];
  for (;;) {
    const before = words.rest();
    const word = words.next();
    if (word === undefined || !word.startsWith("-") || word === "-") {
      return [complete(seen, passed), before];
    }
    if (word === "--") return [complete(seen, passed), words.rest()];
    const alone = ALONE.exec(word)?.[1];
    if (alone !== undefined) {
      const family = FAMILIES[alone];
      if (family !== undefined) seen.set("family", family);
      passed.push(word);
      continue;
    }
    const name = NAMES.find((one) => matches(word.replace(/^--?/, ""), one));
    if (name === undefined || LEAVES.has(name)) return undefined;
    const value = TAKES_WORD.has(name) ? words.next() : "";
    if (value === undefined) return undefined;
    seen.set(name, value);
    if (name !== "batch") passed.push(word, ...(TAKES_WORD.has(name) ? [value] : []));
  }
}

function complete(seen: ReadonlyMap<string, string>, words: readonly string[]): Options {
  const family = seen.get("family");
  const batch = seen.get("batch");
  return {
    netns: seen.get("netns"),
    brief: seen.has("brief"),
    json: seen.has("json"),
    pretty: seen.has("pretty"),
    ...(family !== undefined && { family }),
    ...(batch !== undefined && { batch }),
    force: seen.has("force"),
    words,
  };
}
