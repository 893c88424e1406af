/** Figures of the daemon and the command beside the frame path: memory, changes under traffic, time to answer. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { spawnAt } from "../scripts/lab.ts";
import { type Ground, netnsOf, SYSTEM_IP, shellAtHost } from "./ground.ts";

const run = promisify(execFile);

/** Megabytes that the daemon keeps in memory, besides the rings. */
export function memory({ carriers: [daemon] }: Ground): number {
  let [kilobytes, isRing] = [0, false];
  for (const line of readFileSync(`/proc/${daemon!.pid}/smaps`, "utf8").split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isRing = line.includes("socket:");
    else if (line.startsWith("Rss:") && !isRing) kilobytes += Number(/\d+/.exec(line)![0]);
  }
  return kilobytes / 1024;
}

const CHANGES_PER_S = 1000;
const TICK_MS = 20;

/** The figure while addresses of a slave come and go, a thousand a second. */
export async function underChanges<T>(ground: Ground, measure: () => Promise<T>): Promise<T> {
  const ip = spawnAt(netnsOf(ground, "crowd"), [SYSTEM_IP, "-batch", "-"]);
  const ended = once(ip, "exit");
  let changes = 0;
  let due = performance.now();
  const timer = setInterval(() => {
    for (; due < performance.now(); due += 1000 / CHANGES_PER_S) ip.stdin.write(change(changes++));
  }, TICK_MS);
  try {
    return await measure();
  } finally {
    clearInterval(timer);
    ip.stdin.end();
    await ended;
  }
}

/** A new address, then its end. The last one of a former figure may still be there. */
function change(n: number): string {
  const address = (of: number): string => `10.1.${(of >> 8) & 255}.${of & 255}/32 dev c1`;
  const [pair, isEnd] = [n >> 1, n % 2 === 1];
  return isEnd ? `addr del ${address(pair)}\n` : `addr replace ${address(pair)}\n`;
}

/** Milliseconds until `link show` of our command has told of the slaves. */
export const showOurs = (ground: Ground): Promise<number> =>
  timed(() => shellAtHost(ground, "ipvlan link show"));

/** Milliseconds of the system's, and of a Node that does nothing: what no program in Node is below. */
export const showTheSystems = (ground: Ground): Promise<number> =>
  timed(async () => {
    await shellAtHost(ground, `${SYSTEM_IP} link show`);
    await run(process.execPath, ["-e", "0"]);
  });

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}
