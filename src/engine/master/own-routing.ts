/**
 * Rules and routes of our own in the master's namespace: tables nobody else uses, rules that concern only
 * what comes in by our devices. All of it can be found again by those marks, so that `clear` also removes
 * what a killed daemon left.
 */
import { existsSync } from "node:fs";
import { addRoute, deleteRoute, dumpRoutes, type RouteSpec } from "../../linux/netlink/route.ts";
import {
  addRule,
  deleteRule,
  dumpRules,
  type Rule,
  type RuleSpec,
} from "../../linux/netlink/rule.ts";
import { NetlinkError, type NetlinkSocket } from "../../linux/netlink/socket.ts";
import { AF_INET, AF_INET6 } from "../../linux/sys.ts";

/** Behind the local table and before the rules that people write, which count down from 32766: ip-rule(8). */
export const RULE_PRIORITY = 100;
/** Looked at when the rule before it found nothing. */
export const LAST_RULE_PRIORITY = 101;

/** Who made a rule, beside numbers like RTPROT_KERNEL 2 and RTPROT_STATIC 4: ours, by what they are for. */
export const BLACKHOLE_RULES = 105;
export const HOOK_RULES = 106;

// Tables: one of these numbers plus the master's ifindex.
export const BLACKHOLES = 770_000_000;
export const INBOUND = 771_000_000;
export const OUTBOUND = 772_000_000;

/** What this kernel speaks. */
export const FAMILIES: readonly number[] = existsSync("/proc/net/if_inet6")
  ? [AF_INET, AF_INET6]
  : [AF_INET];

/** Of one address. */
export const hostRoute = (ip: Uint8Array): Pick<RouteSpec, "family" | "dst" | "prefixLength"> => ({
  family: ip.length === 4 ? AF_INET : AF_INET6,
  dst: ip,
  prefixLength: ip.length * 8,
});

export class OwnRouting {
  readonly #socket: NetlinkSocket;
  readonly #protocol: number;
  readonly #devices: readonly string[];
  readonly #tables: readonly number[];

  /** `protocol`: marks the rules; `devices`: those whose incoming packets the rules are about. */
  constructor(
    socket: NetlinkSocket,
    protocol: number,
    devices: readonly string[],
    tables: readonly number[],
  ) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.#devices = devices;
    this.#tables = tables;
  }

  addRule(rule: RuleSpec): void {
    addRule(this.#socket, { ...rule, protocol: this.#protocol });
  }
  /** These and no others; those that are there already, from a former run perhaps, stay all the time. */
  setRules(rules: readonly RuleSpec[]): void {
    const wanted = new Map(rules.map((rule) => [textOf(rule), rule]));
    const there = new Map(this.#ownRules().map((rule) => [textOf(rule), rule]));
    for (const [text, rule] of wanted) if (!there.has(text)) this.addRule(rule);
    for (const [text, rule] of there) if (!wanted.has(text)) this.deleteRule(rule);
  }
  deleteRule(rule: RuleSpec): void {
    unless(["ENOENT"], () => deleteRule(this.#socket, { ...rule, protocol: this.#protocol }));
  }
  /** A device that is down takes no routes of IPv4, and drops those it has; one that leaves is gone before we hear of it. */
  addRoute(route: RouteSpec): void {
    unless(["EEXIST", "ENETDOWN", "ENODEV"], () => addRoute(this.#socket, route));
  }
  deleteRoute(route: RouteSpec): void {
    unless(["ESRCH"], () => deleteRoute(this.#socket, route));
  }

  /** Removes all, also what is left of a former run. */
  clear(): void {
    for (const rule of this.#ownRules()) this.deleteRule(rule);
    for (const family of FAMILIES)
      for (const table of this.#tables)
        for (const route of dumpRoutes(this.#socket, { family, table })) this.deleteRoute(route);
  }

  #ownRules(): (Rule & RuleSpec)[] {
    return FAMILIES.flatMap((family) =>
      dumpRules(this.#socket, { family }).filter((rule) => this.#isOurs(rule)),
    );
  }

  #isOurs(rule: Rule): rule is Rule & RuleSpec {
    return (
      rule.action !== undefined &&
      rule.protocol === this.#protocol &&
      rule.iif !== undefined &&
      this.#devices.includes(rule.iif)
    );
  }
}

const textOf = ({ family, priority, action = "lookup", table, iif }: RuleSpec): string =>
  [family, priority, action, table, iif].join(" ");

/** Does what may be done, undone or impossible already. */
function unless(codes: readonly string[], action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError) || !codes.includes(error.code)) throw error;
  }
}
