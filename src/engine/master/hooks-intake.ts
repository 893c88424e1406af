/**
 * L3S: packets between the wire and the slaves pass the netfilter hooks of the master's namespace by being
 * forwarded there, over the pair of devices that leads to the data path:
 *
 *     wire ── master ──▶ PREROUTING ─ FORWARD ─ POSTROUTING ──▶ up ══ pair ══ data path ── slaves
 *     wire ── master ◀── POSTROUTING ─ FORWARD ─ PREROUTING ◀── up ══ pair ══ data path ── slaves
 *
 * Rules lead what comes in by the master to a table of the slaves' addresses, and what comes in by the pair to
 * a table of the master's routes; nothing in the main table, no other device is concerned. Forwarding is
 * switched on for the two devices only; where the master did not forward before, a rule keeps it from
 * forwarding anything else now. What was changed is written to a file first and put back in the end, by this
 * daemon or the next. What a former run left goes on all the while: in the eBPF engine frames pass while no daemon runs.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { installHopKeeper, removeHopKeeper } from "../../linux/netlink/nft-hop-limit.ts";
import {
  dumpRoutes,
  type RouteSpec,
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
} from "../../linux/netlink/route.ts";
import type { RuleSpec } from "../../linux/netlink/rule.ts";
import type { NetlinkSocket } from "../../linux/netlink/socket.ts";
import { AF_INET } from "../../linux/sys.ts";
import { findSysctl, setSysctl } from "../../linux/sysctl.ts";
import { formatIp, macFrom } from "../../wire/address.ts";
import { FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW } from "./hop-mark.ts";
import { type Intake, type Master, tableName } from "./intake.ts";
import {
  FAMILIES,
  HOOK_RULES,
  hostRoute,
  INBOUND,
  LAST_RULE_PRIORITY,
  OUTBOUND,
  OwnRouting,
  RULE_PRIORITY,
} from "./own-routing.ts";

/** Behind every route that a person might set. */
const LAST_METRIC = 0xffffffff;

export interface HooksParts {
  readonly master: Master;
  /** The pair's end in the master's namespace. */
  readonly up: { readonly name: string; readonly ifindex: number };
  /** Runs a section in the master's namespace. */
  readonly inside: <T>(section: () => T) => T;
  /** nf_tables of the master's namespace, where the kernel has it. */
  readonly netfilter: NetlinkSocket | undefined;
  /** Whether what gives full hop limits back stays when we end. */
  readonly isHopKept: boolean;
  /** Where the sysctls' former values are kept. */
  readonly savedPath: string;
}

export const hookRouting = ({ socket, name, ifindex }: Master, up: string): OwnRouting =>
  new OwnRouting(socket, HOOK_RULES, [name, up], [INBOUND + ifindex, OUTBOUND + ifindex]);

export class HooksIntake implements Intake {
  readonly name = "l3s";
  readonly #parts: HooksParts;
  readonly #routing: OwnRouting;
  readonly #inbound: number;
  readonly #outbound: number;
  /** Families in which the host does not forward, and a rule of ours keeps it so although the master does. */
  readonly #guarded: Set<number> = new Set();

  constructor(parts: HooksParts) {
    const { master, up } = parts;
    this.#parts = parts;
    this.#inbound = INBOUND + master.ifindex;
    this.#outbound = OUTBOUND + master.ifindex;
    this.#routing = hookRouting(master, up.name);
    try {
      this.#open();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(): void {
    const { netfilter, master, up, inside, isHopKept } = this.#parts;
    const rules: RuleSpec[] = [];
    for (const family of FAMILIES) {
      rules.push(...this.#rules(family));
      if (inside(() => masterForwarded(family, this.#parts))) continue;
      rules.push(this.#guard(family));
      if (!inside(() => hostForwarded(family, this.#parts))) this.#guarded.add(family);
    }
    this.#routing.setRules(rules);
    inside(() => switchForwardingOn(this.#parts));
    if (netfilter !== undefined)
      installHopKeeper(netfilter, {
        table: tableName(master),
        ifindex: up.ifindex,
        markMac: macFrom(FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW),
        isKept: isHopKept,
      });
    this.refresh();
  }

  add(ips: readonly Uint8Array[]): void {
    for (const ip of ips) this.#routing.addRoute(this.#toPair(ip));
  }
  remove(ips: readonly Uint8Array[]): void {
    for (const ip of ips) this.#routing.deleteRoute(this.#toPair(ip));
  }

  keepOnly(ips: readonly Uint8Array[]): void {
    const wanted = new Set(ips.map(formatIp));
    for (const route of this.#dump({ table: this.#inbound }).values())
      if (!wanted.has(formatIp(route.dst!)))
        this.#routing.deleteRoute({ ...route, table: this.#inbound });
  }

  /** The master's routes have changed, or our copies went with its carrier: what slaves send follows its routes. */
  refresh(): void {
    this.#followHost();
    const wanted = this.#masterRoutes();
    const there = this.#dump({ table: this.#outbound });
    for (const [text, route] of there) if (!wanted.has(text)) this.#routing.deleteRoute(route);
    for (const [text, route] of wanted) if (!there.has(text)) this.#routing.addRoute(route);
  }

  close(): void {
    const { netfilter, master } = this.#parts;
    if (netfilter !== undefined) removeHopKeeper(netfilter, tableName(master));
    this.#routing.clear();
    this.#parts.inside(() => restoreSysctls(this.#parts));
  }

  /** Somebody has made a router of the host (Docker does, when it starts): then the master forwards as others do. */
  #followHost(): void {
    const { inside } = this.#parts;
    for (const family of this.#guarded) {
      if (!inside(() => hostForwards(family))) continue;
      this.#guarded.delete(family);
      this.#routing.deleteRule(this.#guard(family));
      if (family === AF_INET) keepForwarding(this.#parts.savedPath);
    }
  }

  #rules(family: number): RuleSpec[] {
    const { master, up } = this.#parts;
    const rule = { family, priority: RULE_PRIORITY };
    return [
      { ...rule, iif: master.name, table: this.#inbound },
      { ...rule, iif: up.name, table: this.#outbound },
      { ...this.#guard(family), iif: up.name },
    ];
  }

  /** What comes in by the master and is not for a slave is not forwarded. */
  #guard(family: number): RuleSpec {
    return {
      family,
      priority: LAST_RULE_PRIORITY,
      action: "blackhole",
      iif: this.#parts.master.name,
    };
  }

  #toPair(ip: Uint8Array): RouteSpec {
    return {
      ...hostRoute(ip),
      table: this.#inbound,
      oif: this.#parts.up.ifindex,
      type: "unicast",
      scope: RT_SCOPE_LINK,
    };
  }

  /** As Linux's driver routes: the master is the output device; without a route IPv4 is on its link. */
  #masterRoutes(): Map<string, RouteSpec> {
    const { ifindex } = this.#parts.master;
    const onLink: RouteSpec = {
      family: AF_INET,
      prefixLength: 0,
      table: this.#outbound,
      oif: ifindex,
      type: "unicast",
      scope: RT_SCOPE_LINK,
      priority: LAST_METRIC,
    };
    return this.#dump({ table: RT_TABLE_MAIN, oif: ifindex }).set(textOf(onLink), onLink);
  }

  /** Routes by their text, each as our table has it or would: by one of its hops, the master's. */
  #dump(which: { table: number; oif?: number }): Map<string, RouteSpec> {
    const { socket, ifindex } = this.#parts.master;
    const routes = new Map<string, RouteSpec>();
    for (const family of FAMILIES)
      for (const route of dumpRoutes(socket, { family, ...which })) {
        const hop = route.hops?.find(({ oif }) => oif === ifindex);
        const copy = { ...route, ...hop, table: this.#outbound };
        routes.set(textOf(copy), copy);
      }
    return routes;
  }
}

const textOf = (route: RouteSpec): string =>
  [
    route.family,
    route.dst && formatIp(route.dst),
    route.prefixLength,
    route.gateway && formatIp(route.gateway),
    route.priority,
    route.type,
  ].join(" ");

/** A sysctl of a device, by what the device is to us: a master may be renamed meanwhile; of "all" devices. */
interface Sysctl {
  readonly family: "ipv4" | "ipv6";
  readonly of: "master" | "up" | "all";
  readonly leaf: string;
  readonly value: string;
}

type Devices = Pick<HooksParts, "master" | "up" | "savedPath">;

const pathOf = ({ family, of, leaf }: Sysctl, devices: Devices): string =>
  `${family}/conf/${of === "all" ? of : devices[of].name}/${leaf}`;

/** Whether the master forwarded before us. */
function masterForwarded(family: number, devices: Devices): boolean {
  const [version, leaf] =
    family === AF_INET ? ["ipv4", "forwarding"] : ["ipv6", "force_forwarding"];
  const of = { family: version, of: "master", leaf, value: "" } as Sysctl;
  const forwarded = valueBefore(of, devices) === "1";
  return family === AF_INET ? forwarded : forwarded || hostForwarded(family, devices);
}

function hostForwarded(family: number, devices: Devices): boolean {
  if (family === AF_INET) return hostForwards(family);
  return valueBefore({ family: "ipv6", of: "all", leaf: "forwarding", value: "" }, devices) === "1";
}

/** What a former run has saved was before it. */
function valueBefore(sysctl: Sysctl, devices: Devices): string | undefined {
  const saved = existsSync(devices.savedPath) ? readSaved(devices.savedPath) : [];
  const path = pathOf(sysctl, devices);
  const before = saved.find((one) => pathOf(one, devices) === path);
  return before?.value ?? findSysctl(path);
}

const hostForwards = (family: number): boolean =>
  findSysctl(family === AF_INET ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding") === "1";

function switchForwardingOn(devices: Devices): void {
  const wanted: Sysctl[] = [
    { family: "ipv4", of: "master", leaf: "forwarding", value: "1" },
    { family: "ipv4", of: "up", leaf: "forwarding", value: "1" },
    { family: "ipv4", of: "up", leaf: "accept_local", value: "1" }, // a slave may send from the master's address
    ...forwardingOf6(devices),
  ];
  const before = wanted.map(
    (sysctl): Sysctl => ({ ...sysctl, value: valueBefore(sysctl, devices) ?? "0" }),
  );
  save(before, devices.savedPath);
  for (const sysctl of wanted) setSysctl(pathOf(sysctl, devices), sysctl.value);
}

/** Whole or not at all. */
function save(sysctls: readonly Sysctl[], path: string): void {
  writeFileSync(`${path}.new`, JSON.stringify(sysctls), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The host forwards now: the master is not to be put back. */
function keepForwarding(path: string): void {
  const isMasters = ({ family, of, leaf }: Sysctl) =>
    family === "ipv4" && of === "master" && leaf === "forwarding";
  save(
    readSaved(path).filter((sysctl) => !isMasters(sysctl)),
    path,
  );
}

function forwardingOf6(devices: Devices): Sysctl[] {
  const own = (["master", "up"] as const).map(
    (of): Sysctl => ({ family: "ipv6", of, leaf: "force_forwarding", value: "1" }),
  );
  const all: Sysctl = { family: "ipv6", of: "all", leaf: "forwarding", value: "1" };
  if (findSysctl(pathOf(own[0]!, devices)) !== undefined) return own;
  if (findSysctl(pathOf(all, devices)) === undefined) return []; // no IPv6 here
  // Before Linux 6.17 IPv6 forwards on all devices or none, and forwarding ends the taking of router
  // advertisements, unless the device is told to take them all the same.
  return [{ family: "ipv6", of: "master", leaf: "accept_ra", value: "2" }, all];
}

/** In the master's namespace. What was saved is put back as far as its devices are still there. */
export function restoreSysctls(devices: Devices): void {
  if (!existsSync(devices.savedPath)) return;
  for (const sysctl of readSaved(devices.savedPath)) {
    const path = pathOf(sysctl, devices);
    if (findSysctl(path) !== undefined) setSysctl(path, sysctl.value);
  }
  rmSync(devices.savedPath);
}

function readSaved(path: string): Sysctl[] {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Sysctl[];
  } catch (error) {
    process.stderr.write(`${path} cannot be read, sysctls are left as they are: ${error}\n`);
    return [];
  }
}
