/** `nft` of the simulated host: tables, chains at hooks, and the rules of `nft-rule.ts`. */
import { STATUS_FAILED, UsageError } from "../../words/errors.ts";
import type { Namespace } from "../namespace.ts";
import {
  CHAINS_MAX,
  type Chain,
  HOOKS,
  type Hook,
  type Netfilter,
  RULES_MAX,
  TABLES_MAX,
  type Table,
  type TableFamily,
} from "../netfilter.ts";
import { unknown } from "./common.ts";
import { formatRule, readRule, syntax, Tokens } from "./nft-rule.ts";

const COMMANDS =
  "add table, add chain, add rule, insert rule, list ruleset, list table, flush ruleset, flush table, flush chain, " +
  "delete table, delete chain";

/** Names of priorities, and the hooks that have them; all of them if none are told. */
const PRIORITIES: readonly (readonly [string, number, Hook?])[] = [
  ["raw", -300],
  ["mangle", -150],
  ["dstnat", -100, "prerouting"],
  ["filter", 0],
  ["security", 50],
  ["srcnat", 100, "postrouting"],
];

/** What it prints. Several commands have semicolons between them. */
export function nft(netns: Namespace, words: readonly string[]): string {
  const tokens = new Tokens(words.filter((word) => !/^-[na]+$/.test(word)));
  let said = "";
  do said += command(netns.makeNetfilter(), tokens);
  while (tokens.takes(";") && !tokens.isEmpty);
  if (!tokens.isEmpty) throw syntax(tokens.peek(), "the end");
  return said;
}

function command(netfilter: Netfilter, tokens: Tokens): string {
  const line = [tokens.next() ?? "", tokens.next() ?? ""] as const;
  const [verb, object] = line;
  switch (`${verb === "create" ? "add" : verb} ${object}`) {
    case "list ruleset":
      return netfilter.tables.map(formatTable).join("");
    case "list table":
      return formatTable(getTable(netfilter, tokens));
    case "flush ruleset":
      netfilter.tables.length = 0;
      break;
    case "flush table":
      for (const chain of getTable(netfilter, tokens).chains.values()) chain.rules = [];
      break;
    case "flush chain":
      getChain(netfilter, tokens)[1].rules = [];
      break;
    case "add table":
      addTable(netfilter, readFamily(tokens), readName(tokens));
      break;
    case "delete table":
      netfilter.tables.splice(netfilter.tables.indexOf(getTable(netfilter, tokens)), 1);
      break;
    case "add chain":
      addChain(getTable(netfilter, tokens), tokens);
      break;
    case "delete chain": {
      const [table, chain] = getChain(netfilter, tokens);
      if (chain.rules.length > 0) throw refused("Device or resource busy");
      table.chains.delete(chain.name);
      break;
    }
    case "add rule":
    case "insert rule":
      addRule(getChain(netfilter, tokens), tokens, verb === "insert");
      break;
    default:
      throw unknown(line.join(" ").trim(), "nft", COMMANDS);
  }
  netfilter.changed();
  return "";
}

const refused = (reason: string): UsageError =>
  new UsageError(`Error: Could not process rule: ${reason}`, STATUS_FAILED);

const FAMILIES: readonly TableFamily[] = ["ip", "ip6", "inet"];

function readFamily(tokens: Tokens): TableFamily {
  const found = FAMILIES.find((family) => family === tokens.peek());
  if (found !== undefined) tokens.next();
  else if (/^(arp|bridge|netdev)$/.test(tokens.peek() ?? ""))
    throw unknown(tokens.peek()!, "family", "ip, ip6 and inet");
  return found ?? "ip";
}

function readName(tokens: Tokens): string {
  const name = tokens.next();
  if (name !== undefined && /^[A-Za-z][\w/\\.-]*$/.test(name)) return name;
  throw syntax(name, "a name");
}

/** The table that is there, or a new one. */
export function addTable(netfilter: Netfilter, family: TableFamily, name: string): Table {
  const found = netfilter.findTable(family, name);
  if (found !== undefined) return found;
  if (netfilter.tables.length >= TABLES_MAX) throw refused("Too many open files in system");
  const table: Table = { family, name, chains: new Map() };
  netfilter.tables.push(table);
  return table;
}

function getTable(netfilter: Netfilter, tokens: Tokens): Table {
  const table = netfilter.findTable(readFamily(tokens), readName(tokens));
  if (table === undefined) throw new UsageError("Error: No such file or directory", STATUS_FAILED);
  return table;
}

function getChain(netfilter: Netfilter, tokens: Tokens): readonly [Table, Chain] {
  const table = getTable(netfilter, tokens);
  const chain = table.chains.get(readName(tokens));
  if (chain === undefined) throw new UsageError("Error: No such file or directory", STATUS_FAILED);
  return [table, chain];
}

/** `NAME { type TYPE hook HOOK priority PRIORITY; [ policy POLICY; ] }`; once more, it sets the policy. */
function addChain(table: Table, tokens: Tokens): void {
  const name = readName(tokens);
  if (!tokens.takes("{"))
    throw syntax(tokens.peek(), "{ type … hook … priority …; } (chains are at hooks here)");
  const found = table.chains.get(name);
  if (tokens.peek() === "type") {
    const base = readBase(name, tokens);
    if (found === undefined) enter(table, base);
    else if (found.hook !== base.hook || found.type !== base.type) throw refused("File exists");
  } else if (found === undefined) throw syntax(tokens.peek(), '"type"');
  const policy = readPolicy(tokens);
  if (policy !== undefined) table.chains.get(name)!.policy = policy;
  tokens.expect("}");
}

/** Adds a chain to its table. */
export function enter(table: Table, chain: Chain): void {
  if (table.chains.size >= CHAINS_MAX) throw refused("Too many open files in system");
  table.chains.set(chain.name, chain);
}

function readBase(name: string, tokens: Tokens): Chain {
  tokens.expect("type");
  const type = tokens.next();
  if (type !== "filter" && type !== "nat") throw unknown(type ?? "", "type", "filter and nat");
  tokens.expect("hook");
  const word = tokens.next() ?? "";
  const hook = HOOKS.find((one) => one === word);
  if (hook === undefined) throw unknown(word, "hook", HOOKS.join(", "));
  if (type === "nat" && hook !== "postrouting")
    throw unknown(word, "hook of nat", "postrouting, for masquerade");
  tokens.expect("priority");
  const priority = readPriority(tokens, hook);
  tokens.expect(";");
  return { name, type, hook, priority, policy: "accept", fallen: noPackets(), rules: [] };
}

export const noPackets = (): { packets: number; bytes: number } => ({ packets: 0, bytes: 0 });

function readPriority(tokens: Tokens, hook: Hook): number {
  const word = tokens.next() ?? "";
  const base = PRIORITIES.find(([name, , at]) => name === word && (at ?? hook) === hook);
  if (base === undefined) {
    if (!/^[+-]?\d{1,9}$/.test(word))
      throw syntax(word, "a number, or filter, srcnat, mangle, raw");
    return Number(word);
  }
  const next = tokens.peek() ?? "";
  const offset = /^[+-]\d*$/.test(next) ? tokens.next()! : "+0";
  return base[1] + Number(offset.length === 1 ? `${offset}${tokens.next()}` : offset);
}

function readPolicy(tokens: Tokens): "accept" | "drop" | undefined {
  if (!tokens.takes("policy")) return undefined;
  const policy = tokens.next();
  if (policy !== "accept" && policy !== "drop") throw syntax(policy, "accept or drop");
  tokens.takes(";");
  return policy;
}

function addRule([table, chain]: readonly [Table, Chain], tokens: Tokens, isFirst: boolean): void {
  const rule = readRule(tokens);
  const isMasquerade = rule.some(
    (statement) => statement.kind === "verdict" && statement.verdict === "masquerade",
  );
  if (isMasquerade && chain.type !== "nat") throw refused("Operation not supported");
  for (const statement of rule)
    if (statement.kind === "match" && statement.match.key.endsWith("addr")) {
      const [value] = statement.match.values as readonly { readonly ip: Uint8Array }[];
      if (table.family === (value!.ip.length === 4 ? "ip6" : "ip"))
        throw new UsageError("Error: conflicting protocols specified: ip vs. ip6", STATUS_FAILED);
    }
  if (chain.rules.length >= RULES_MAX) throw refused("Too many open files in system");
  if (isFirst) chain.rules.unshift(rule);
  else chain.rules.push(rule);
}

const formatTable = ({ family, name, chains }: Table): string =>
  `table ${family} ${name} {\n${[...chains.values()].map(formatChain).join("\n")}}\n`;

function formatChain({ name, type, hook, priority, policy, rules }: Chain): string {
  const named = PRIORITIES.find(([, number, at]) => number === priority && (at ?? hook) === hook);
  const head = `type ${type} hook ${hook} priority ${named?.[0] ?? priority}; policy ${policy};`;
  const lines = [head, ...rules.map(formatRule)].map((line) => `\t\t${line}\n`);
  return `\tchain ${name} {\n${lines.join("")}\t}\n`;
}
