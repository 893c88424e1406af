/**
 * A ground: where the bench's frames travel. Two ends and a LAN, in namespaces of their own, with the same addresses on
 * all grounds:
 *
 *     GROUND-ns0 ─┐
 *                 ├─ eth0 in GROUND-host ── GROUND-lan
 *     GROUND-ns1 ─┤
 *   GROUND-crowd ─┘  many slaves more, on some
 *
 * IPv6 is off where slaves live: what a thousand devices tell each other when they come up is nobody's figure.
 */
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { ADDRESS, PREFIX, shell } from "../scripts/lab.ts";

export const SLAVES = ["ns0", "ns1"] as const;
export const ENDS = ["ns0", "ns1", "lan"] as const;
export type End = (typeof ENDS)[number];
export type Place = End | "host" | "crowd";

export interface Ground {
  /** Its namespaces' names begin so. */
  readonly name: string;
  /** Programs that carry its frames. */
  readonly carriers: readonly ChildProcess[];
}

/** Why this machine has no such ground; no failure. */
export class NotHereError extends Error {
  override readonly name = "NotHereError";
}

export const netnsOf = ({ name }: Pick<Ground, "name">, place: Place): string => `${name}-${place}`;
export const pathTo = (netns: string): string => `/run/netns/${netns}`;
export const addressOf = (end: End): string => ADDRESS[end].v4;

/** Where the daemon of a ground listens; the command asks all that listen in one folder. In the sandbox's own /run. */
export const runDirectoryOf = ({ name }: Pick<Ground, "name">): string => `/run/ipvlan-${name}`;

/** A line of shell in the master's namespace, where `ipvlan` meets the ground's own daemon only. */
export const shellAtHost = (ground: Ground, line: string): Promise<string> =>
  shell(netnsOf(ground, "host"), line, { IPVLAN_RUN: runDirectoryOf(ground) });

/** Not our command, which stands before it on PATH. */
export const SYSTEM_IP = "/usr/sbin/ip";

/** Lines of the system's `ip`, each with a namespace of its own. */
export const system = (lines: readonly string[]): Promise<string> =>
  shell("host", lines.map((line) => `${SYSTEM_IP} ${line}`).join("\n"));

/** Many lines for one namespace, by one process. */
export const batch = (netns: string, lines: readonly string[]): Promise<string> =>
  shell(netns, `${SYSTEM_IP} -batch - <<END\n${lines.join("\n")}\nEND`);

export async function addNamespaces(name: string, places: readonly Place[]): Promise<void> {
  await system(places.map((place) => `netns add ${netnsOf({ name }, place)}`));
  for (const place of places)
    if (place !== "host")
      await shell(
        netnsOf({ name }, place),
        `for f in ${NO_IPV6}; do test -e $f && echo 1 > $f; done`,
      );
}
const NO_IPV6 =
  "/proc/sys/net/ipv6/conf/default/disable_ipv6 /proc/sys/net/ipv6/conf/all/disable_ipv6";

/** The wire from the master to the LAN. */
export function wire(name: string): string[] {
  const [host, lan] = [netnsOf({ name }, "host"), netnsOf({ name }, "lan")];
  return [
    `-n ${host} link add eth0 type veth peer name e0 netns ${lan}`,
    `-n ${host} addr add ${ADDRESS.host.v4}/${PREFIX.v4} dev eth0`,
    `-n ${host} link set eth0 up`,
    ...bringUp(name, "lan"),
  ];
}

export function bringUp(name: string, end: End): string[] {
  const netns = netnsOf({ name }, end);
  return [
    `-n ${netns} addr add ${addressOf(end)}/${PREFIX.v4} dev e0`,
    `-n ${netns} link set e0 up`,
  ];
}

/** Names of the devices in the crowd. */
export const crowdNames = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `c${n + 1}`);

/** Looks until `look` gives something. */
export async function waitFor<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await sleep(POLL_MS);
  }
  throw new Error(`${what} did not start`);
}
/** Others may keep the machine busy. */
const START_MS = 60_000;
const POLL_MS = 20;
