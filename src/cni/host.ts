/** What /proc tells of the network namespace this thread is in, without the foreign function library. */
import { existsSync, readFileSync } from "node:fs";

/** The interface of a default route; one for IPv6 counts if there is none for IPv4. */
export function findDefaultMaster(): string | undefined {
  return (
    findIn("/proc/thread-self/net/route", isDefault4, 0) ??
    findIn("/proc/thread-self/net/ipv6_route", isDefault6, 9)
  );
}

/** Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask …. */
const isDefault4 = (columns: readonly string[]): boolean =>
  columns[1] === "00000000" && columns[7] === "00000000";

/** Columns: destination, its prefix length, source, …, flags, device. The kernel's own rejecting route is on lo. */
const isDefault6 = (columns: readonly string[]): boolean =>
  columns[0] === "0".repeat(32) && columns[1] === "00" && columns[9] !== "lo";

function findIn(
  path: string,
  isWanted: (columns: readonly string[]) => boolean,
  at: number,
): string | undefined {
  if (!existsSync(path)) return undefined; // a kernel without IPv6
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.map((line) => line.trim().split(/\s+/)).find(isWanted)?.[at];
}

export function isDevice(name: string): boolean {
  const lines = readFileSync("/proc/thread-self/net/dev", "utf8").split("\n").slice(2);
  return lines.some((line) => line.slice(0, line.lastIndexOf(":")).trim() === name);
}
