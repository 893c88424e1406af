/**
 * Many slaves on the lab's master (`scripts/lab.ts`), each in a namespace of its own, and what may be looked at from
 * outside of them. Talks to the daemon itself, since a command per slave would take most of a test's time.
 *
 *     eth0 --- ipvl0 (ns0) 10.0.0.10, --- ipvl1 (ns1) 10.0.0.11     by `addSlaves`, before
 *           |- c1 (c1) 10.0.0.21 fd00::1:1
 *           `- c2 (c2) 10.0.0.22 fd00::1:2  ...
 */
import { closeSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../scripts/lab.ts";
import { type Client, clientOf } from "../src/client/client.ts";
import type { LinkInfo, PortInfo } from "../src/daemon/control.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import { createNetns, pinNetns } from "../src/linux/netns.ts";
import { unmount } from "../src/linux/sys.ts";
import { SYSTEM_IP } from "./slaves.ts";

/** The sandbox's: its first process stays in it, while ours enters others. */
const netns = "/proc/1/ns/net";

/** Of the n-th slave's namespace and device, from 1 to 230. */
export const nameOf = (n: number): string => `c${n}`;
export const addressOf = (n: number): { v4: string; v6: string } => ({
  v4: `10.0.0.${20 + n}`,
  v6: `fd00::1:${n.toString(16)}`,
});

export const client = (): Client => clientOf(netns);
export const links = (): Promise<LinkInfo[]> => client().links(netns);
export const ports = (): Promise<PortInfo[]> => client().ports(netns);

/** Slaves from .. to, up, with addresses. */
export async function gather(from: number, to: number): Promise<void> {
  const all = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  for (const n of all) makeNetns(nameOf(n));
  await Promise.all(all.map((n) => addSlave(nameOf(n), nameOf(n))));
  for (const n of all) {
    const { v4, v6 } = addressOf(n);
    await batch(nameOf(n), [
      "link set lo up",
      `link set ${nameOf(n)} up`,
      `addr add ${v4}/24 dev ${nameOf(n)}`,
      `addr add ${v6}/64 dev ${nameOf(n)} nodad`,
    ]);
  }
}

export const addSlave = (
  name: string,
  where: string,
  { up = false }: { up?: boolean } = {},
): Promise<unknown> =>
  client().createLink({ netns, master: "eth0", name, target: `/run/netns/${where}`, up });

export function makeNetns(name: string): void {
  const fd = createNetns();
  mkdirSync("/run/netns", { recursive: true });
  pinNetns(fd, `/run/netns/${name}`);
  closeSync(fd);
}

/** Its slave goes with it, once nobody is in there any more. */
export function deleteNetns(name: string): void {
  unmount(`/run/netns/${name}`);
  rmSync(`/run/netns/${name}`);
}

/** Lines of plain `ip` in a namespace, by one process. */
export async function batch(end: string, lines: readonly string[]): Promise<string> {
  const file = `/run/batch-${++batches}`; // the sandbox's own
  writeFileSync(file, lines.join("\n"));
  try {
    return await shell(end, `${SYSTEM_IP} -batch ${file}`);
  } finally {
    rmSync(file);
  }
}
let batches = 0;

export function daemonPid(): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("daemon\0run\0"))
        return Number(pid);
    } catch {} // it has ended while we looked
  throw new Error("no daemon runs");
}

/** What a process holds. */
export function footprint(pid: number): { fds: number; threads: number; rssMb: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const number = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)![1]);
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    threads: number("Threads"),
    rssMb: number("VmRSS") / 1024,
  };
}

/** What the daemon's log has beside what people and the kernel did. */
export const complaints = (): string[] =>
  readFileSync(join(daemonDirectory(netns), "daemon.log"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !/^\{"level":"(info|warn)"/.test(line));
