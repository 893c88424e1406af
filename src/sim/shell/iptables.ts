/** `iptables` and `ip6tables` of the simulated host: the same rules as nft's, in tables with these names. */
import type { Ip } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as tcp from "../../wire/tcp.ts";
import * as udp from "../../wire/udp.ts";
import { STATUS_FAILED, STATUS_REFUSED, UsageError } from "../../words/errors.ts";
import { Words } from "../../words/words.ts";
import type { Namespace } from "../namespace.ts";
import {
  type Chain,
  type Hook,
  type Match,
  type Netfilter,
  RULES_MAX,
  type Rule,
  type Statement,
} from "../netfilter.ts";
import { unknown } from "./common.ts";
import { listRules, listTable } from "./iptables-list.ts";
import { addTable, enter, noPackets } from "./nft.ts";
import { findPrefix, readProtocol, readRange, readState } from "./nft-rule.ts";

export type Program = "iptables" | "ip6tables";

export const widthOf = (program: Program): 4 | 16 => (program === "iptables" ? 4 : 16);

/** Tables, their priorities and their chains. */
const TABLES: Readonly<Record<string, readonly [number, readonly Hook[]]>> = {
  filter: [0, ["input", "forward", "output"]],
  nat: [100, ["postrouting"]],
  mangle: [-150, ["prerouting", "input", "forward", "output", "postrouting"]],
  raw: [-300, ["prerouting", "output"]],
};

const ALLOWED =
  "-t filter, nat, mangle, raw; -P, -A, -I, -D, -F, -L, -S; -i, -o, -s, -d, -p, --sport, --dport, " +
  "-m conntrack --ctstate, -j ACCEPT, DROP, MASQUERADE";

const SHORT: Readonly<Record<string, string>> = {
  "--table": "-t",
  "--policy": "-P",
  "--append": "-A",
  "--insert": "-I",
  "--delete": "-D",
  "--flush": "-F",
  "--list": "-L",
  "--list-rules": "-S",
  "--in-interface": "-i",
  "--out-interface": "-o",
  "--source": "-s",
  "--src": "-s",
  "--destination": "-d",
  "--dst": "-d",
  "--protocol": "-p",
  "--jump": "-j",
  "--match": "-m",
  "--source-port": "--sport",
  "--destination-port": "--dport",
  "--state": "--ctstate",
};
/** They change how something is shown, which is always shown as with them, or how long is waited. */
const IDLE = /^(-[nvxw]+|--(numeric|verbose|exact|wait|line-numbers))$/;
const MODULES = /^(conntrack|state|tcp|udp|icmp|icmp6)$/;

interface Line {
  table: string;
  verb: string;
  /** Of -P, -A, -I, -D, and where -F, -L and -S have one. */
  chain: string | undefined;
  /** Of -P, and a number of -D. */
  extra: string | undefined;
  readonly matches: Map<string, Match>;
  verdict: Statement | undefined;
}

/** What it prints. */
export function iptables(netns: Namespace, program: Program, words: readonly string[]): string {
  const line = readLine(program, words);
  const netfilter = netns.makeNetfilter();
  if (!Object.hasOwn(TABLES, line.table))
    throw unknown(line.table, "-t", Object.keys(TABLES).join(", "));
  const chains = TABLES[line.table]![1].map((hook) => hook.toUpperCase());
  if (line.chain !== undefined && !chains.includes(line.chain))
    throw new UsageError(
      `${program}: No chain/target/match by that name. The simulated host has ${chains.join(", ")}`,
      STATUS_FAILED,
    );
  const names = line.chain === undefined ? chains : [line.chain];
  const found = names.map((name) => findChain(netfilter, program, line.table, name));
  if (line.verb === "-L") return listTable(found, widthOf(program));
  if (line.verb === "-S") return listRules(found, widthOf(program));
  change(netfilter, program, line);
  netfilter.changed();
  return "";
}

function change(netfilter: Netfilter, program: Program, line: Line): void {
  if (line.verb === "-F") {
    for (const hook of TABLES[line.table]![1])
      if (line.chain === undefined || line.chain === hook.toUpperCase())
        findChain(netfilter, program, line.table, hook.toUpperCase()).rules = [];
    return;
  }
  const chain = getChain(netfilter, program, line);
  if (line.verb === "-P") chain.policy = readPolicy(program, line.extra);
  else if (line.verb === "-D") removeRule(program, chain, line);
  else if (chain.rules.length >= RULES_MAX)
    throw new UsageError(`${program}: Too many rules`, STATUS_FAILED);
  else if (line.verb === "-A") chain.rules.push(ruleOf(line));
  else chain.rules.unshift(ruleOf(line));
}

function readPolicy(program: Program, word: string | undefined): "accept" | "drop" {
  if (word === "ACCEPT") return "accept";
  if (word === "DROP") return "drop";
  throw new UsageError(`${program}: Bad policy name. The simulated host has ACCEPT, DROP`, 1);
}

const familyOf = (program: Program): "ip" | "ip6" => (program === "iptables" ? "ip" : "ip6");

/** An empty one, in no table yet, if nobody has made it. */
function findChain(netfilter: Netfilter, program: Program, table: string, name: string): Chain {
  const found = netfilter.findTable(familyOf(program), table)?.chains.get(name);
  return found ?? newChain(table, name);
}

function newChain(table: string, name: string): Chain {
  const type = table === "nat" ? "nat" : "filter";
  const hook = name.toLowerCase() as Hook;
  const [priority] = TABLES[table]!;
  return { name, type, hook, priority, policy: "accept", fallen: noPackets(), rules: [] };
}

function getChain(netfilter: Netfilter, program: Program, { table, chain }: Line): Chain {
  const at = addTable(netfilter, familyOf(program), table);
  const found = at.chains.get(chain!);
  if (found !== undefined) return found;
  const made = newChain(table, chain!);
  enter(at, made);
  return made;
}

function removeRule(program: Program, chain: Chain, line: Line): void {
  const wanted = JSON.stringify(withoutCounter(ruleOf(line)));
  const at =
    line.extra === undefined
      ? chain.rules.findIndex((rule) => JSON.stringify(withoutCounter(rule)) === wanted)
      : Number(line.extra) - 1;
  if (chain.rules[at] === undefined)
    throw new UsageError(
      line.extra === undefined
        ? `${program}: Bad rule (does a matching rule exist in that chain?).`
        : `${program}: Index of deletion too big.`,
      STATUS_FAILED,
    );
  chain.rules.splice(at, 1);
}

const withoutCounter = (rule: Rule): Rule => rule.filter(({ kind }) => kind !== "counter");

/** The order of matches is always the same, as with nft's translation. */
const ORDER = ["-i", "-o", "-s", "-d", "-p", "--sport", "--dport", "--ctstate"];

function ruleOf({ matches, verdict }: Line): Rule {
  const statements: Statement[] = ORDER.flatMap((option) => {
    const match = matches.get(option);
    // The protocol is said by the ports.
    const isSaid = option === "-p" && (matches.has("--sport") || matches.has("--dport"));
    return match === undefined || isSaid ? [] : [{ kind: "match" as const, match }];
  });
  statements.push({ kind: "counter", counter: noPackets() });
  if (verdict !== undefined) statements.push(verdict);
  return statements;
}

function readLine(program: Program, words: readonly string[]): Line {
  const line: Line = {
    table: "filter",
    verb: "",
    chain: undefined,
    extra: undefined,
    matches: new Map(),
    verdict: undefined,
  };
  const cursor = new Words(words);
  let isNegated = false;
  for (let word = cursor.next(); word !== undefined; word = cursor.next()) {
    if (word === "!") {
      isNegated = true;
      continue;
    }
    readOption(program, line, Object.hasOwn(SHORT, word) ? SHORT[word]! : word, cursor, isNegated);
    isNegated = false;
  }
  if (line.verb === "") throw unknown(words.join(" "), program, ALLOWED);
  if (line.verdict !== undefined) checkVerdict(program, line);
  return line;
}

function readOption(
  program: Program,
  line: Line,
  option: string,
  words: Words,
  isNegated: boolean,
): void {
  switch (option) {
    case "-t":
      line.table = words.value();
      return;
    case "-P":
      [line.verb, line.chain, line.extra] = [option, words.value(), words.value()];
      return;
    case "-A":
    case "-I":
    case "-D":
      [line.verb, line.chain] = [option, words.value()];
      if (option === "-D" && /^\d+$/.test(words.rest()[0] ?? "")) line.extra = words.value();
      return;
    case "-F":
    case "-L":
    case "-S":
      line.verb = option;
      if (/^[A-Z]/.test(words.rest()[0] ?? "")) line.chain = words.value();
      return;
    case "-j":
      line.verdict = readTarget(words.value());
      return;
    case "-m": {
      const module = words.value();
      if (!MODULES.test(module)) throw unknown(module, "-m", "conntrack, state, tcp, udp");
      return;
    }
  }
  if (IDLE.test(option)) return;
  if (!ORDER.includes(option)) throw unknown(option, program, ALLOWED);
  line.matches.set(option, readMatch(program, line, option, words.value(), isNegated));
}

function readMatch(
  program: Program,
  { matches }: Line,
  option: string,
  value: string,
  isNegated: boolean,
): Match {
  switch (option) {
    case "-i":
    case "-o": {
      const name = value.endsWith("+") ? `${value.slice(0, -1)}*` : value;
      return { key: option === "-i" ? "iifname" : "oifname", isNegated, values: [name] };
    }
    case "-s":
    case "-d": {
      const key = option === "-s" ? "saddr" : "daddr";
      return { key, isNegated, values: value.split(",").map((one) => getPrefix(program, one)) };
    }
    case "-p":
      return { key: "protocol", by: "meta l4proto", isNegated, values: [protocolOf(value)] };
    case "--ctstate": {
      const values = value.split(",").map((state) => readState(state.toLowerCase()));
      return { key: "state", isNegated, values };
    }
  }
  const of = matches.get("-p");
  const by = of?.key === "protocol" && !of.isNegated ? PORTS_OF[of.values[0]!] : undefined;
  if (by === undefined)
    throw new UsageError(
      `${program}: unknown option "${option}". It stands behind -p tcp or -p udp`,
      STATUS_REFUSED,
    );
  const key = option === "--sport" ? "sport" : "dport";
  return { key, by, isNegated, values: [readRange(value, ":")] };
}

const PORTS_OF: Readonly<Record<number, "tcp" | "udp">> = {
  [tcp.PROTOCOL]: "tcp",
  [udp.PROTOCOL]: "udp",
};

const protocolOf = (word: string): number =>
  word === "icmp6" ? icmp.PROTOCOL6 : readProtocol(word);

function getPrefix(program: Program, word: string): { readonly ip: Ip; readonly length: number } {
  const prefix = findPrefix(word);
  if (prefix?.ip.length === widthOf(program)) return prefix;
  throw new UsageError(`${program}: host/network "${word}" not found`, STATUS_REFUSED);
}

function readTarget(word: string): Statement {
  if (word !== "ACCEPT" && word !== "DROP" && word !== "MASQUERADE")
    throw unknown(word, "-j", "ACCEPT, DROP and MASQUERADE");
  return { kind: "verdict", verdict: word.toLowerCase() as "accept" | "drop" | "masquerade" };
}

function checkVerdict(program: Program, { table, verdict }: Line): void {
  const isMasquerade = verdict?.kind === "verdict" && verdict.verdict === "masquerade";
  if (isMasquerade && table !== "nat")
    throw new UsageError(`${program}: MASQUERADE is for -t nat -A POSTROUTING`, STATUS_FAILED);
}
