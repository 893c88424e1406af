/**
 * Netfilter of a namespace: tables of chains of rules at the five hooks that a packet passes, and connection tracking with
 * masquerading, as nft(8) has them.
 *
 *     in ── PREROUTING ─┬─ FORWARD ─┬─ POSTROUTING ── out
 *                     INPUT       OUTPUT
 *                       └─ sockets ─┘
 *
 * A hook is a list of stations in the order of their priorities: chains, and where connections are found (-200), answers
 * get their own destination back (-100), sources are translated (100), and connections are entered into the table (last).
 */
import type { Ip, Prefix } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import type { Clock } from "./clock.ts";
import { Conntrack, type CtState, type Tracked } from "./conntrack.ts";
import * as packets from "./packets.ts";
import { hasPrefix } from "./routes.ts";
import { restore, translateDestination, translateSource } from "./translation.ts";

export type Hook = "prerouting" | "input" | "forward" | "output" | "postrouting";
export const HOOKS: readonly Hook[] = ["prerouting", "input", "forward", "output", "postrouting"];
/** `inet`: both. */
export type TableFamily = "ip" | "ip6" | "inet";
export type Policy = "accept" | "drop";

export interface Range {
  readonly from: number;
  readonly to: number;
}

/** True of a packet that has any of the values; negated, of one that has none. `by`: as nft spells it. */
export type Match = { readonly isNegated: boolean } & (
  | { readonly key: "iifname" | "oifname"; readonly values: readonly string[] }
  | { readonly key: "saddr" | "daddr"; readonly values: readonly Prefix[] }
  | {
      readonly key: "protocol";
      readonly by: "meta l4proto" | "ip protocol" | "ip6 nexthdr";
      readonly values: readonly number[];
    }
  | {
      readonly key: "sport" | "dport";
      readonly by: "tcp" | "udp" | "th";
      readonly values: readonly Range[];
    }
  | { readonly key: "state"; readonly values: readonly CtState[] }
);

export interface Counter {
  packets: number;
  bytes: number;
}

/** What a rule says, in its order: matches until one is false, counters, and in the end a verdict, or none. */
export type Statement =
  | { readonly kind: "match"; readonly match: Match }
  | { readonly kind: "counter"; readonly counter: Counter }
  | { readonly kind: "verdict"; readonly verdict: Policy | "masquerade" };

export type Rule = readonly Statement[];

export interface Chain {
  readonly name: string;
  readonly type: "filter" | "nat";
  readonly hook: Hook;
  /** The least one comes first. */
  readonly priority: number;
  policy: Policy;
  /** Of packets to which the policy applied. */
  readonly fallen: Counter;
  rules: Rule[];
}

export interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly chains: Map<string, Chain>;
}

/** Of a namespace. */
export const TABLES_MAX = 256;
/** Of a table. */
export const CHAINS_MAX = 256;
/** Of a chain. */
export const RULES_MAX = 4096;

const PRIORITY_CONNTRACK = -200;
const PRIORITY_DSTNAT = -100;
const PRIORITY_SRCNAT = 100;

export interface NetfilterParts {
  readonly clock: Clock;
  /** The address that packets to this one have when they leave by a device. */
  readonly masqueradeAs: (device: string, to: Ip) => Ip | undefined;
}

/** A packet at a hook. */
interface Passing {
  readonly f: Frame;
  readonly from: string;
  readonly to: string;
  tracked: Tracked | undefined;
}

interface Station {
  readonly priority: number;
  /** False: the packet is dropped. */
  readonly pass: (packet: Passing) => boolean;
}

export class Netfilter {
  readonly tables: Table[] = [];
  readonly conntrack: Conntrack;
  readonly #parts: NetfilterParts;
  #stations: Readonly<Record<4 | 16, Readonly<Record<Hook, readonly Station[]>>>> = NO_STATIONS;
  /** The packet that was tracked last: it passes its hooks one after the other, with nobody between. */
  #last: { readonly f: Frame; readonly tracked: Tracked } | undefined;

  constructor(parts: NetfilterParts) {
    this.#parts = parts;
    this.conntrack = new Conntrack(parts.clock);
  }

  findTable(family: TableFamily, name: string): Table | undefined {
    return this.tables.find((table) => table.family === family && table.name === name);
  }

  /** To be called whenever tables, chains or rules have changed. */
  changed(): void {
    const isTracking = this.tables.some((table) => asksForConnections(table));
    if (!isTracking) this.conntrack.clear();
    const stationsOf = (width: 4 | 16) =>
      Object.fromEntries(
        HOOKS.map((hook) => [hook, this.#stationsAt(hook, width, isTracking)]),
      ) as Record<Hook, Station[]>;
    this.#stations = { 4: stationsOf(4), 16: stationsOf(16) };
  }

  /** Whether a packet passes a hook. `from` and `to`: devices by their names, "" where there is none. */
  passes(hook: Hook, f: Frame, from: string, to: string): boolean {
    const stations = this.#stations[packets.isIpv6(f) ? 16 : 4][hook];
    if (stations.length === 0) return true;
    const tracked = this.#last?.f === f ? this.#last.tracked : undefined;
    const packet: Passing = { f, from, to, tracked };
    return stations.every(({ pass }) => pass(packet));
  }

  /** A packet that was translated, as its sender sent it; a copy. Undefined: it was not. */
  findUntranslated(f: Frame): Frame | undefined {
    const found = this.conntrack.findTranslated(f);
    if (found === undefined) return undefined;
    const copy = packets.copyOf(f);
    restore(copy, found.connection, found.isReply);
    return copy;
  }

  #stationsAt(hook: Hook, width: 4 | 16, isTracking: boolean): Station[] {
    const chains = this.tables
      .filter(({ family }) => family === "inet" || family === (width === 4 ? "ip" : "ip6"))
      .flatMap((table) => [...table.chains.values()])
      .filter((chain) => chain.hook === hook)
      .sort((a, b) => a.priority - b.priority);
    const stations: Station[] = chains
      .filter(({ type }) => type === "filter")
      .map((chain) => ({
        priority: chain.priority,
        pass: (packet) => run(chain, packet) === "accept",
      }));
    if (isTracking) stations.push(...this.#trackers(hook, chains));
    return stations.sort((a, b) => a.priority - b.priority);
  }

  #trackers(hook: Hook, chains: readonly Chain[]): Station[] {
    const trackers: Station[] = [];
    if (hook === "prerouting" || hook === "output")
      trackers.push(
        { priority: PRIORITY_CONNTRACK, pass: (packet) => this.#track(packet) },
        { priority: PRIORITY_DSTNAT, pass: translateBack },
      );
    if (hook === "postrouting") {
      const nat = chains.filter(({ type }) => type === "nat");
      trackers.push({ priority: PRIORITY_SRCNAT, pass: (packet) => this.#translate(nat, packet) });
    }
    if (hook === "postrouting" || hook === "input")
      trackers.push({
        priority: Number.POSITIVE_INFINITY,
        pass: ({ tracked }) =>
          tracked?.connection === undefined || this.conntrack.confirm(tracked.connection),
      });
    return trackers;
  }

  #track(packet: Passing): boolean {
    const tracked = this.conntrack.track(packet.f);
    packet.tracked = tracked;
    this.#last = { f: packet.f, tracked };
    return true;
  }

  #translate(chains: readonly Chain[], packet: Passing): boolean {
    const { tracked } = packet;
    if (tracked?.connection === undefined) return true;
    if (tracked.state === "new" && !tracked.connection.isTranslationDecided) {
      tracked.connection.isTranslationDecided = true;
      for (const chain of chains) {
        const verdict = run(chain, packet);
        if (verdict === "drop") return false;
        if (verdict === "masquerade") {
          const src = this.#parts.masqueradeAs(packet.to, packets.dstOf(packet.f));
          if (src === undefined || !this.conntrack.translate(tracked.connection, src)) return false;
          break;
        }
      }
    }
    translateSource(packet.f, tracked);
    return true;
  }
}

const NO_HOOKS = Object.fromEntries(HOOKS.map((hook) => [hook, []])) as unknown as Record<
  Hook,
  readonly Station[]
>;
const NO_STATIONS = { 4: NO_HOOKS, 16: NO_HOOKS };

/** Linux tracks connections where a rule needs them. */
const asksForConnections = (table: Table): boolean =>
  [...table.chains.values()].some(({ rules }) =>
    rules.some((rule) =>
      rule.some(
        (statement) =>
          (statement.kind === "match" && statement.match.key === "state") ||
          (statement.kind === "verdict" && statement.verdict === "masquerade"),
      ),
    ),
  );

function translateBack({ f, tracked }: Passing): boolean {
  if (tracked !== undefined) translateDestination(f, tracked);
  return true;
}

function run(chain: Chain, packet: Passing): Policy | "masquerade" {
  for (const rule of chain.rules) {
    const verdict = judge(rule, packet);
    if (verdict !== undefined) return verdict;
  }
  count(chain.fallen, packet.f);
  return chain.policy;
}

/** Undefined: it is not about this packet, or says nothing on what becomes of it. */
function judge(rule: Rule, packet: Passing): Policy | "masquerade" | undefined {
  for (const statement of rule)
    if (statement.kind === "counter") count(statement.counter, packet.f);
    else if (statement.kind === "verdict") return statement.verdict;
    else if (isTrue(statement.match, packet) === statement.match.isNegated) return undefined;
  return undefined;
}

function count(counter: Counter, f: Frame): void {
  counter.packets++;
  counter.bytes += f.length - packets.IP;
}

function isTrue(match: Match, { f, from, to, tracked }: Passing): boolean {
  switch (match.key) {
    case "iifname":
      return match.values.some((name) => isNamed(from, name));
    case "oifname":
      return match.values.some((name) => isNamed(to, name));
    case "saddr":
    case "daddr": {
      const ip = match.key === "saddr" ? packets.srcOf(f) : packets.dstOf(f);
      return match.values.some((prefix) => hasPrefix(ip, prefix));
    }
    case "protocol":
      return match.values.includes(packets.protocolOf(f));
    case "sport":
    case "dport":
      return hasPort(match, f);
    case "state":
      return match.values.includes(tracked?.state ?? "invalid");
  }
}

/** A star in the end stands for any end, as in nft(8). */
const isNamed = (device: string, name: string): boolean =>
  name.endsWith("*") ? device.startsWith(name.slice(0, -1)) : device === name;

function hasPort(match: Extract<Match, { key: "sport" | "dport" }>, f: Frame): boolean {
  const protocol = packets.protocolOf(f);
  if (match.by !== "th" && protocol !== (match.by === "tcp" ? tcp.PROTOCOL : udp.PROTOCOL))
    return false;
  if (protocol !== tcp.PROTOCOL && protocol !== udp.PROTOCOL) return false;
  const at = packets.payloadAt(f);
  const port = match.key === "sport" ? udp.srcPort(f, at) : udp.dstPort(f, at);
  return match.values.some(({ from, to }) => from <= port && port <= to);
}
