/**
 * The words that describe a device in `link add`, `link set` and `link delete`: one grammar in iproute2
 * (iplink_parse()), so one here. It ends at `type KIND`; what follows belongs to the kind.
 *
 * Nothing is judged before the kind is known: a line about any other kind is the system's, with its errors.
 */
import { duplicate, STATUS_USAGE, UsageError, wrongArgument } from "./errors.ts";
import { byteLength, findInteger, matches, Words } from "./words.ts";

/** Words of a device, as said: `settings` are keyword and value, in order; `type` with all behind it is apart. */
export interface DeviceWords {
  readonly settings: readonly Setting[];
  readonly kind?: string;
  /** The words behind `type KIND`. */
  readonly kindWords: readonly string[];
  /** The words before `type`. */
  readonly plainWords: readonly string[];
}

/** A device's name without keyword has the keyword "dev" here, too. */
export interface Setting {
  readonly keyword: string;
  readonly value: string;
}

interface Keyword {
  readonly name: string;
  readonly short: boolean;
  readonly hasValue: boolean;
}

const keywords = (names: string, short: boolean, hasValue: boolean): Keyword[] =>
  names.split(" ").map((name) => ({ name, short, hasValue }));

/** In the order in which iproute2 resolves a shortened one: `t` is txqueuelen, `ty` type. */
const KEYWORDS: readonly Keyword[] = [
  ...keywords("up down", false, false),
  ...keywords("name index", false, true),
  ...keywords("link address broadcast", true, true),
  ...keywords("brd", false, true),
  ...keywords("txqueuelen txqlen", true, true),
  ...keywords("qlen mtu xdp xdpgeneric xdpdrv xdpoffload netns", false, true),
  ...keywords("multicast allmulticast promisc trailers arp carrier vf", false, true),
  ...keywords("master", true, true),
  ...keywords("vrf", false, true),
  ...keywords("nomaster", true, false),
  ...keywords("dynamic type alias", true, true),
  ...keywords("group mode state", false, true),
  ...keywords("numtxqueues numrxqueues addrgenmode link-netnsid", true, true),
  ...keywords("link-netns protodown gso_max_size gso_max_segs gro_max_size parentdev", false, true),
  ...keywords("dev", false, true),
];

const SAME: Readonly<Record<string, string>> = {
  brd: "broadcast",
  qlen: "txqueuelen",
  txqlen: "txqueuelen",
};

/** Reads to the end or to `type KIND`. None: a value is missing before there is a kind. */
export function findDeviceWords(line: readonly string[]): DeviceWords | undefined {
  const words = new Words(line);
  const settings: Setting[] = [];
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const keyword = findKeyword(word);
    if (keyword === undefined) {
      settings.push({ keyword: "dev", value: word });
    } else if (keyword.name === "type") {
      const kind = words.next();
      if (kind === undefined) return undefined;
      const kindWords = words.rest();
      const plainWords = line.slice(0, line.length - kindWords.length - 2);
      return { settings, kind, kindWords, plainWords };
    } else {
      const value = keyword.hasValue ? words.next() : "";
      if (value === undefined) return undefined;
      settings.push({ keyword: SAME[keyword.name] ?? keyword.name, value });
    }
  }
  return { settings, kindWords: [], plainWords: line };
}

function findKeyword(word: string): Keyword | undefined {
  return KEYWORDS.find((one) => (one.short ? matches(word, one.name) : word === one.name));
}

/** The two ways to name a device, judged as iproute2 judges them. */
export interface Names {
  readonly name: string | undefined;
  readonly dev: string | undefined;
}

export function readNames(settings: readonly Setting[]): Names {
  let name: string | undefined;
  let dev: string | undefined;
  for (const { keyword, value } of settings) {
    if (keyword === "name") {
      if (name !== undefined) throw duplicate("name", value);
      if (!isDeviceName(value)) throw wrongArgument(value, '"name" not a valid ifname');
      name = value;
      dev ??= value;
    } else if (keyword === "dev") {
      if (dev !== name) throw garbage(value);
      if (!isAlternativeName(value)) throw wrongArgument(value, '"dev" not a valid ifname');
      dev = value;
    }
  }
  return { name, dev };
}

/** iproute2: duparg2(). */
const garbage = (value: string): UsageError =>
  new UsageError(`Error: either "dev" is duplicate, or "${value}" is a garbage.`, STATUS_USAGE);

/** Bytes. Linux: IFNAMSIZ and ALTIFNAMSIZ, less the NUL. */
export const NAME_MAX = 15;
const ALTERNATIVE_NAME_MAX = 127;

const isDeviceName = (name: string): boolean => isNameUpTo(name, NAME_MAX);
const isAlternativeName = (name: string): boolean => isNameUpTo(name, ALTERNATIVE_NAME_MAX);

function isNameUpTo(name: string, max: number): boolean {
  return name !== "" && byteLength(name) <= max && !/[/\s]/.test(name);
}

/** The last value of a setting that may be said only once, or none. */
export function findOnce(settings: readonly Setting[], keyword: string): string | undefined {
  const [first, second] = settings.filter((one) => one.keyword === keyword);
  if (second !== undefined) throw duplicate(keyword, second.value);
  return first?.value;
}

export function findMtu(settings: readonly Setting[]): number | undefined {
  const word = findOnce(settings, "mtu");
  if (word === undefined) return undefined;
  const mtu = findInteger(word);
  if (mtu === undefined) throw wrongArgument(word, 'Invalid "mtu" value');
  return mtu;
}
