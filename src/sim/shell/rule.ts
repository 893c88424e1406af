/** `ip rule` of the simulated host. */
import { formatIp, formatPrefix, type Prefix } from "../../wire/address.ts";
import { incomplete, refused, wrongArgument } from "../../words/errors.ts";
import { matches, type Words } from "../../words/words.ts";
import { DEFAULT, MAIN, type RoutingRule } from "../routing.ts";
import { getPrefix, isShow, unknown, type Verb } from "./common.ts";

const WORDS = "from PREFIX, to PREFIX, iif NAME, lookup TABLE, priority N";
const NAMES: Readonly<Record<string, number>> = { main: MAIN, default: DEFAULT };
const TABLE_LOCAL = 255;
const NUMBER_MAX = 2 ** 32 - 1;

export const rule: Verb = (netns, words, family) => {
  const verb = words.next() ?? "show";
  const isListed = isShow(verb);
  const isAdded = matches(verb, "add");
  if (!isListed && !isAdded && !matches(verb, "delete"))
    throw unknown(verb, "rule", "add, delete, show");
  const said = isListed ? {} : readRule(words, family);
  const isIpv6 = family === "inet6" || (said.from ?? said.to)?.ip.length === 16;
  const routing = netns.routing[isIpv6 ? 16 : 4];
  if (isListed) return list(routing.rules, isIpv6);
  if (isAdded) {
    const made = { priority: priorityFor(routing.rules), table: MAIN, ...said };
    if (routing.rules.some((one) => isSame(one, made))) throw refused("File exists");
    if (!routing.addRule(made)) throw refused("No buffer space available");
  } else if (!routing.removeRule((one) => isMeant(one, said)))
    throw refused("No such file or directory");
  return "";
};

/** Before all that were added, as Linux does it. */
const priorityFor = ([first]: readonly RoutingRule[]): number =>
  Math.max(0, (first?.priority ?? 1) - 1);

type Said = Partial<RoutingRule>;

function readRule(words: Words, family: string | undefined): Said {
  let said: Said = {};
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "from" || word === "to") {
      const value = words.value();
      if (value !== "all") said = { ...said, [word]: getPrefix(value, family) };
    } else if (word === "iif") said = { ...said, by: words.value() };
    else if (word === "lookup" || word === "table")
      said = { ...said, table: readTable(words.value()) };
    else if (/^(pref|prio|priority|order)$/.test(word))
      said = { ...said, priority: readNumber(words.value(), "preference") };
    else throw unknown(word, "rule", WORDS);
  }
  if (Object.keys(said).length === 0) throw incomplete();
  return said;
}

/** A table by its number, or `main` or `default`. */
export function readTable(word: string): number {
  const table = Object.hasOwn(NAMES, word) ? NAMES[word]! : readNumber(word, '"table" value');
  if (table > 0 && table !== TABLE_LOCAL) return table;
  throw wrongArgument(word, '"table" value is invalid');
}

function readNumber(word: string, what: string): number {
  if (/^\d{1,10}$/.test(word) && Number(word) <= NUMBER_MAX) return Number(word);
  throw wrongArgument(word, `${what} is invalid`);
}

export const formatTable = (table: number): string =>
  Object.keys(NAMES).find((name) => NAMES[name] === table) ?? String(table);

const textOf = (prefix: Prefix | undefined): string => {
  if (prefix === undefined) return "all";
  return prefix.length === prefix.ip.length * 8 ? formatIp(prefix.ip) : formatPrefix(prefix);
};

const isSame = (one: RoutingRule, other: RoutingRule): boolean => format(one) === format(other);

function isMeant(one: RoutingRule, said: Said): boolean {
  if (said.priority !== undefined && said.priority !== one.priority) return false;
  if (said.table !== undefined && said.table !== one.table) return false;
  if (said.by !== undefined && said.by !== one.by) return false;
  if (said.from !== undefined && textOf(said.from) !== textOf(one.from)) return false;
  return said.to === undefined || textOf(said.to) === textOf(one.to);
}

/** IPv6 has no rule for the default table. */
const list = (rules: readonly RoutingRule[], isIpv6: boolean): string =>
  [
    "0:\tfrom all lookup local\n",
    ...rules
      .filter(({ table, priority }) => !isIpv6 || table !== DEFAULT || priority < 32_767)
      .map((one) => `${format(one)}\n`),
  ].join("");

function format({ priority, from, to, by, table }: RoutingRule): string {
  const destination = to === undefined ? "" : ` to ${textOf(to)}`;
  const device = by === undefined ? "" : ` iif ${by}`;
  return `${priority}:\tfrom ${textOf(from)}${destination}${device} lookup ${formatTable(table)}`;
}
