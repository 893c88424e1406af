/** How a namespace finds the way of a packet, in one family: rules that choose tables, their routes, and what routers told. */
import type { Ip, Prefix } from "../wire/address.ts";
import type { Clock } from "./clock.ts";
import type { Device } from "./device.ts";
import { hasPrefix, keyOf, type Route, Routes } from "./routes.ts";

export interface RoutingRule {
  /** The least one is asked first. */
  readonly priority: number;
  /** Undefined: of packets from everywhere; so for the others. */
  readonly from?: Prefix;
  readonly to?: Prefix;
  /** The device by which a packet came in. Linux: `iif`. */
  readonly by?: string;
  readonly table: number;
}

/** What is known of a packet whose way is asked for. */
export interface Asked {
  readonly src?: Ip;
  /** The device by which it came in. */
  readonly by?: Device;
  /** The device by which it has to leave. */
  readonly out?: Device;
}

/** By which own packets come in. */
const OWN = "lo";
/** Linux: RT_TABLE_MAIN, and the rules that are always there but for the one of the own addresses. */
export const MAIN = 254;
export const DEFAULT = 253;
const ALWAYS: readonly RoutingRule[] = [
  { priority: 32_766, table: MAIN },
  { priority: 32_767, table: DEFAULT },
];
/** Of a namespace and family. */
export const RULES_MAX = 1024;
export const TABLES_MAX = 256;
/** Destinations that redirects told of. */
export const REDIRECTS_MAX = 1024;
/** Linux: net.ipv4.route.gc_timeout. */
const REDIRECT_MS = 300_000;

interface Redirect {
  readonly device: Device;
  readonly via: Ip;
  readonly untilMs: number;
}

export class Routing {
  readonly main: Routes = new Routes();
  readonly #clock: Clock;
  /** But the main one. */
  #tables: Map<number, Routes> | undefined;
  #rules: readonly RoutingRule[] = ALWAYS;
  #redirects: Map<number | string, Redirect> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether there are rules or tables but those that always are: sources matter only then. */
  get isRuled(): boolean {
    return this.#rules !== ALWAYS || this.#tables !== undefined;
  }

  get rules(): readonly RoutingRule[] {
    return this.#rules;
  }

  /** False: there are too many. */
  addRule(rule: RoutingRule): boolean {
    if (this.#rules.length >= RULES_MAX) return false;
    this.#rules = [...this.#rules, rule].sort((a, b) => a.priority - b.priority);
    return true;
  }

  /** Whether there was one; the first goes. */
  removeRule(isMeant: (rule: RoutingRule) => boolean): boolean {
    const at = this.#rules.findIndex(isMeant);
    if (at < 0) return false;
    this.#rules = this.#rules.toSpliced(at, 1);
    return true;
  }

  findTable(table: number): Routes | undefined {
    return table === MAIN ? this.main : this.#tables?.get(table);
  }

  get tables(): readonly (readonly [number, Routes])[] {
    return [...(this.#tables ?? []), [MAIN, this.main]];
  }

  /** Undefined: there are too many. */
  makeTable(table: number): Routes | undefined {
    const found = this.findTable(table);
    if (found !== undefined) return found;
    this.#tables ??= new Map();
    if (this.#tables.size >= TABLES_MAX) return undefined;
    const made = new Routes();
    this.#tables.set(table, made);
    return made;
  }

  /** From every table. */
  remove(isGone: (route: Route) => boolean): void {
    this.main.remove(isGone);
    for (const table of this.#tables?.values() ?? []) table.remove(isGone);
  }

  find(dst: Ip, asked: Asked = {}): Route | undefined {
    const route = this.isRuled ? this.#findByRules(dst, asked) : this.main.find(dst, asked.out);
    return route === undefined || this.#redirects === undefined
      ? route
      : this.#redirected(dst, route);
  }

  /** A router has told of a better one to this destination. */
  redirect(dst: Ip, device: Device, via: Ip): void {
    this.#redirects ??= new Map();
    const key = keyOf(dst);
    if (this.#redirects.size >= REDIRECTS_MAX && !this.#redirects.has(key)) this.#redirects.clear();
    this.#redirects.set(key, { device, via, untilMs: this.#clock.nowMs + REDIRECT_MS });
  }

  #findByRules(dst: Ip, asked: Asked): Route | undefined {
    for (const rule of this.#rules) {
      if (!isOf(rule, dst, asked)) continue;
      const route = this.findTable(rule.table)?.find(dst, asked.out);
      if (route !== undefined) return route;
    }
    return undefined;
  }

  #redirected(dst: Ip, route: Route): Route {
    const redirect = this.#redirects?.get(keyOf(dst));
    const isGood = redirect?.device === route.device && redirect.untilMs > this.#clock.nowMs;
    return isGood ? { ...route, via: redirect.via } : route;
  }
}

function isOf({ from, to, by }: RoutingRule, dst: Ip, asked: Asked): boolean {
  if (from !== undefined && (asked.src === undefined || !hasPrefix(asked.src, from))) return false;
  if (to !== undefined && !hasPrefix(dst, to)) return false;
  return by === undefined || by === (asked.by?.name ?? OWN);
}
