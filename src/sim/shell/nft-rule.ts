/** Rules as nft(8) writes them: words into statements, and back. */
import { formatIp, formatPrefix, type Prefix, parseIp, parsePrefix } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as tcp from "../../wire/tcp.ts";
import * as udp from "../../wire/udp.ts";
import { STATUS_FAILED, UsageError } from "../../words/errors.ts";
import type { CtState } from "../conntrack.ts";
import type { Match, Range, Rule, Statement } from "../netfilter.ts";
import { unknown } from "./common.ts";

export const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: icmp.PROTOCOL,
  tcp: tcp.PROTOCOL,
  udp: udp.PROTOCOL,
  "ipv6-icmp": icmp.PROTOCOL6,
  icmpv6: icmp.PROTOCOL6,
};
export const STATES: readonly CtState[] = ["established", "related", "new", "invalid", "untracked"];
const STATEMENTS =
  "iifname, oifname, ip saddr, ip daddr, ip6 saddr, ip6 daddr, ip protocol, ip6 nexthdr, meta l4proto, tcp, udp " +
  "and th with sport and dport, ct state, counter, accept, drop, masquerade";
const PORT_MAX = 65_535;

/** Tokens of a line, read one after the other. */
export class Tokens {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#tokens = words.join(" ").match(/"[^"]*"|[{};,]|!=|[^\s{};,"]+/g) ?? [];
  }

  get isEmpty(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  /** Undefined: there are no more. */
  next(): string | undefined {
    return this.#tokens[this.#at++];
  }

  /** Whether it was the next one, which is read then. */
  takes(token: string): boolean {
    const isNext = this.peek() === token;
    if (isNext) this.#at++;
    return isNext;
  }

  expect(token: string): void {
    if (!this.takes(token)) throw syntax(this.peek(), `"${token}"`);
  }
}

/** As nft says it, with what is allowed. */
export const syntax = (token: string | undefined, allowed: string): UsageError =>
  new UsageError(
    `Error: syntax error, unexpected ${token === undefined ? "end" : `"${token}"`}, expected ${allowed}`,
    STATUS_FAILED,
  );

/** Up to the end of the line or a semicolon. */
export function readRule(tokens: Tokens): Rule {
  const rule: Statement[] = [];
  for (let token = tokens.peek(); token !== undefined && token !== ";"; token = tokens.peek()) {
    if (rule.at(-1)?.kind === "verdict") throw syntax(token, "nothing behind a verdict");
    tokens.next();
    rule.push(readStatement(token, tokens));
  }
  if (rule.length === 0) throw syntax(undefined, STATEMENTS);
  return rule;
}

function readStatement(token: string, tokens: Tokens): Statement {
  switch (token) {
    case "accept":
    case "drop":
    case "masquerade":
      return { kind: "verdict", verdict: token };
    case "counter":
      return { kind: "counter", counter: readCounter(tokens) };
  }
  return { kind: "match", match: readMatch(token, tokens) };
}

function readCounter(tokens: Tokens): { packets: number; bytes: number } {
  if (!tokens.takes("packets")) return { packets: 0, bytes: 0 };
  const count = readCount(tokens);
  tokens.expect("bytes");
  return { packets: count, bytes: readCount(tokens) };
}

function readCount(tokens: Tokens): number {
  const word = tokens.next();
  if (word !== undefined && /^\d{1,15}$/.test(word)) return Number(word);
  throw syntax(word, "counter packets NUMBER bytes NUMBER");
}

function readMatch(token: string, tokens: Tokens): Match {
  const word = token === "meta" ? (tokens.next() ?? "") : token;
  switch (word) {
    case "iif":
    case "iifname":
      return { key: "iifname", ...readValues(tokens, readName) };
    case "oif":
    case "oifname":
      return { key: "oifname", ...readValues(tokens, readName) };
    case "l4proto":
      return { key: "protocol", by: "meta l4proto", ...readValues(tokens, readProtocol) };
    case "ip":
    case "ip6":
      return readAddressMatch(word, tokens);
    case "tcp":
    case "udp":
    case "th": {
      const key = tokens.next();
      if (key !== "sport" && key !== "dport") throw syntax(key, "sport or dport");
      return { key, by: word, ...readValues(tokens, readRange) };
    }
    case "ct": {
      tokens.expect("state");
      return { key: "state", ...readValues(tokens, readState, true) };
    }
  }
  throw unknown(word, "nft rule", STATEMENTS);
}

function readAddressMatch(family: "ip" | "ip6", tokens: Tokens): Match {
  const key = tokens.next();
  if (key === "saddr" || key === "daddr")
    return { key, ...readValues(tokens, (word) => readPrefix(word, family)) };
  if (key === "protocol" && family === "ip")
    return { key: "protocol", by: "ip protocol", ...readValues(tokens, readProtocol) };
  if (key === "nexthdr" && family === "ip6")
    return { key: "protocol", by: "ip6 nexthdr", ...readValues(tokens, readProtocol) };
  throw syntax(key, family === "ip" ? "saddr, daddr or protocol" : "saddr, daddr or nexthdr");
}

/** `[!=] VALUE` or `[!=] { VALUE, VALUE }`; states may have commas without braces. */
function readValues<T>(
  tokens: Tokens,
  read: (word: string) => T,
  isList = false,
): { readonly isNegated: boolean; readonly values: T[] } {
  const isNegated = tokens.takes("!=");
  const isSet = tokens.takes("{");
  const values: T[] = [];
  do {
    const word = tokens.next();
    if (word === undefined || /^[{};,]$/.test(word)) throw syntax(word, "a value");
    values.push(read(word));
  } while ((isSet || isList) && tokens.takes(","));
  if (isSet) tokens.expect("}");
  return { isNegated, values };
}

const readName = (word: string): string => word.replaceAll('"', "");

export function readProtocol(word: string): number {
  const protocol = Object.hasOwn(PROTOCOLS, word) ? PROTOCOLS[word]! : Number(word);
  if (Number.isInteger(protocol) && protocol >= 0 && protocol <= 255) return protocol;
  throw unknown(word, "protocol", "icmp, icmpv6, tcp, udp and numbers");
}

export function readState(word: string): CtState {
  const state = STATES.find((one) => one === word);
  if (state !== undefined) return state;
  throw unknown(word, "ct state", "new, established, related, invalid and untracked");
}

export function readRange(word: string, separator = "-"): Range {
  const [from = Number.NaN, to = from, more] = word.split(separator).map(Number);
  const isRange = /^\d+\D?\d*$/.test(word) && /\d$/.test(word) && more === undefined;
  if (isRange && from <= to && to <= PORT_MAX) return { from, to };
  throw unknown(word, "port", `numbers from 0 to ${PORT_MAX}, and FROM${separator}TO`);
}

function readPrefix(word: string, family: "ip" | "ip6"): Prefix {
  const prefix = findPrefix(word);
  if (prefix !== undefined && prefix.ip.length === (family === "ip" ? 4 : 16)) return prefix;
  throw unknown(word, family, `addresses and prefixes of ${family === "ip" ? "IPv4" : "IPv6"}`);
}

/** An address alone is a prefix as long as it. */
export function findPrefix(word: string): Prefix | undefined {
  const ip = parseIp(word);
  return ip === undefined ? parsePrefix(word) : { ip, length: ip.length * 8 };
}

export const formatRule = (rule: Rule): string => rule.map(formatStatement).join(" ");

function formatStatement(statement: Statement): string {
  switch (statement.kind) {
    case "match":
      return formatMatch(statement.match);
    case "counter":
      return `counter packets ${statement.counter.packets} bytes ${statement.counter.bytes}`;
    case "verdict":
      return statement.verdict;
  }
}

function formatMatch(match: Match): string {
  const [key, values] = partsOf(match);
  const negation = match.isNegated ? "!= " : "";
  const isPlain = match.key === "state" || values.length === 1;
  const list = match.key === "state" ? values.join(",") : values.join(", ");
  return `${key} ${negation}${isPlain ? list : `{ ${list} }`}`;
}

function partsOf(match: Match): readonly [string, readonly string[]] {
  switch (match.key) {
    case "iifname":
    case "oifname":
      return [match.key, match.values.map((name) => `"${name}"`)];
    case "saddr":
    case "daddr": {
      const family = match.values[0]!.ip.length === 4 ? "ip" : "ip6";
      return [`${family} ${match.key}`, match.values.map(formatAddress)];
    }
    case "protocol":
      return [match.by, match.values.map(formatProtocol)];
    case "sport":
    case "dport":
      return [`${match.by} ${match.key}`, match.values.map((range) => formatRange(range))];
    case "state":
      return ["ct state", match.values];
  }
}

export const formatAddress = (prefix: Prefix): string =>
  prefix.length === prefix.ip.length * 8 ? formatIp(prefix.ip) : formatPrefix(prefix);

export const formatProtocol = (protocol: number): string =>
  Object.keys(PROTOCOLS).find((name) => PROTOCOLS[name] === protocol) ?? String(protocol);

export const formatRange = ({ from, to }: Range, separator = "-"): string =>
  from === to ? String(from) : `${from}${separator}${to}`;
