/** Figures of the programs that send and hear frames themselves. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Ground, netnsOf } from "./ground.ts";
import { ONE_CPU, onOneCpu } from "./traffic.ts";

const run = promisify(execFile);
const BROADCAST = fileURLToPath(new URL("./broadcast.js", import.meta.url));
const FIRST_FRAME = fileURLToPath(new URL("./first-frame.js", import.meta.url));

/** Microseconds for one copy of a broadcast to everybody in the crowd, ns1 and the LAN; all on one processor. */
export const floodOfCrowd = (
  ground: Ground,
  crowd: number,
  seconds: number,
): Promise<readonly number[]> =>
  broadcast(ground, { to: netnsOf(ground, "crowd"), count: crowd, more: 2 }, seconds);

/** The same on a plain veth, whose one other end gets it. */
export const floodOfVeth = (ground: Ground, seconds: number): Promise<readonly number[]> =>
  broadcast(ground, { to: netnsOf(ground, "ns1"), count: 1, more: 0 }, seconds);

function broadcast(
  ground: Ground,
  { to, count, more }: { to: string; count: number; more: number },
  seconds: number,
): Promise<readonly number[]> {
  const words = [netnsOf(ground, "ns0"), "e0", to, count, more, seconds * 1000].map(String);
  return onOneCpu(ground, async () => {
    const node = [process.execPath, BROADCAST, ...words];
    return [Number((await run("taskset", ["-c", ONE_CPU, ...node])).stdout)];
  });
}

/** Milliseconds: median and 99th percentile from a new address to its first frame, and of a netlink round trip. */
export async function firstFrame(ground: Ground, addresses: number): Promise<readonly number[]> {
  const [slave, lan] = [netnsOf(ground, "ns0"), netnsOf(ground, "lan")];
  const { stdout } = await run(process.execPath, [FIRST_FRAME, slave, lan, String(addresses)]);
  return JSON.parse(stdout) as number[];
}
