/** What tests on real devices ask of the daemon, and how long they wait for it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { shell } from "../scripts/lab.ts";
import type { PortInfo } from "../src/daemon/control.ts";

/** Far longer than anything takes, but where others keep the machine busy. */
const PATIENCE_MS = 20_000;

/** The ports of the daemon that serves the host. */
export const ports = async (): Promise<PortInfo[]> =>
  JSON.parse(await shell("host", "ipvlan port show -j")) as PortInfo[];

/** Looks again until it is as wanted; what it was in the end. */
export async function until<T>(look: () => Promise<T>, wanted: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (wanted(seen)) return seen;
    assert.ok(performance.now() < deadline, `still ${JSON.stringify(seen)}`);
    await sleep(20);
  }
}

export function daemonPid(): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("daemon\0run\0")) return Number(pid);
  throw new Error("no daemon runs");
}

/** Whether one runs that is not the one before. */
export function isDaemonOther(before: number): boolean {
  try {
    return daemonPid() !== before;
  } catch {
    return false;
  }
}
