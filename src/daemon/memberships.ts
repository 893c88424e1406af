/** Which group MACs a device's own stack wants to receive. */
import { readFileSync } from "node:fs";
import { parseMac } from "../wire/address.ts";

/** Of this thread's namespace. man: procfs(5), /proc/net/dev_mcast: index, name, uses, global uses, MAC. */
export const readGroups = (ifindex: number): Uint8Array[] =>
  parseGroups(readFileSync("/proc/thread-self/net/dev_mcast", "utf8"), ifindex);

export function parseGroups(text: string, ifindex: number): Uint8Array[] {
  const groups: Uint8Array[] = [];
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (Number(words[0]) !== ifindex) continue;
    const mac = parseMac(words[4]?.replace(/..(?=.)/g, "$&:") ?? "");
    if (mac !== undefined) groups.push(mac);
  }
  return groups;
}
