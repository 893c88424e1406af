/** What may follow in a line, as far as it can be told from its words. */
import { formatIp, isLinkLocal6 } from "../../wire/address.ts";
import type { World } from "./world.ts";

const COMMANDS = [
  ...["ip", "ipvlan", "bridge", "tc", "ping", "arping", "tcpdump", "kill", "sysctl"],
  ...["nft", "iptables", "ip6tables", "conntrack", "socat", "echo", "sleep", "sh", "exit"],
];
const OBJECTS = ["netns", "link", "addr", "route", "rule", "neigh"];
const VERBS: Readonly<Record<string, readonly string[]>> = {
  netns: ["add", "delete", "exec", "list"],
  link: ["add", "set", "delete", "show"],
  addr: ["add", "delete", "replace", "show"],
  route: ["add", "delete", "replace", "show"],
  rule: ["add", "delete", "show"],
  neigh: ["add", "delete", "replace", "show"],
};
const WORDS: Readonly<Record<string, readonly string[]>> = {
  link: [
    "type",
    "dev",
    "link",
    "netns",
    "up",
    "down",
    "mode",
    "bridge",
    "private",
    "vepa",
    "master",
  ],
  addr: ["dev"],
  route: ["default", "via", "dev", "metric"],
  rule: ["from", "to", "iif", "table", "lookup", "priority"],
  arping: ["-c", "-I", "-D", "-U", "-A"],
  tcpdump: ["-i", "-c"],
  ping: ["-c", "-W", "-t"],
  sysctl: ["-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"],
  conntrack: ["-L", "-F", "-f"],
  nft: ["add", "insert", "delete", "list", "flush", "table", "chain", "rule", "ruleset"],
  bridge: ["link", "set", "dev", "hairpin", "on", "off"],
};
/** What may stand behind a word, whatever the command. */
const BEHIND: Readonly<Record<string, readonly string[]>> = {
  mode: ["l2", "l3", "l3s"],
  type: ["ipvlan", "veth", "bridge"],
};

export interface Completion {
  /** The line up to the cursor with what all candidates have in common. */
  readonly line: string;
  /** Whole words; none, one or several. */
  readonly candidates: readonly string[];
}

/** `before`: the line up to the cursor. `where`: name of the namespace in which it is typed. */
export function complete(before: string, world: World, where: string): Completion {
  const words = before.split(/\s+/);
  const begun = words.pop()!;
  const candidates = [...new Set(possible(words.filter(Boolean), world, where))].filter((word) =>
    word.startsWith(begun),
  );
  if (candidates.length === 0) return { line: before, candidates };
  const stem = before.slice(0, before.length - begun.length);
  const end = candidates.length === 1 ? " " : "";
  return { line: stem + common(candidates) + end, candidates };
}

function possible(words: readonly string[], world: World, where: string): readonly string[] {
  const [command, ...rest] = words;
  if (command === undefined) return COMMANDS;
  if (command === "ip" || command === "ipvlan") return behindIp(rest, world, where);
  return behindWord(words, world, where) ?? [...(WORDS[command] ?? []), ...devices(world, where)];
}

function behindIp(rest: readonly string[], world: World, where: string): readonly string[] {
  const [first, second, name, ...inside] = rest;
  if (first === "-n")
    return second === undefined ? namespaces(world) : behindIp(rest.slice(2), world, second);
  if (first?.startsWith("-")) return behindIp(rest.slice(1), world, where);
  if (first === undefined) return [...OBJECTS, "-n", "-4", "-6"];
  if (second === undefined) return VERBS[first] ?? [];
  if (first !== "netns")
    return behindWord(rest, world, where) ?? [...devices(world, where), ...(WORDS[first] ?? [])];
  if (name === undefined) return namespaces(world);
  return second === "exec" ? possible(inside, world, name) : [];
}

/** What the last word asks for; undefined: nothing of its own. */
function behindWord(
  words: readonly string[],
  world: World,
  where: string,
): readonly string[] | undefined {
  const last = words.at(-1)!;
  if (Object.hasOwn(BEHIND, last)) return BEHIND[last]!;
  if (last === "netns") return namespaces(world);
  if (last === "via" || words[0] === "ping") return [...addresses(world), ...(WORDS[last] ?? [])];
  return last === "dev" ? devices(world, where) : undefined;
}

const devices = (world: World, where: string): readonly string[] =>
  (world.namespaces.get(where)?.devices ?? []).map(({ name }) => name);

const namespaces = (world: World): readonly string[] => [...world.namespaces.keys()];

const addresses = (world: World): readonly string[] =>
  [...world.namespaces.values()].flatMap((netns) =>
    netns.devices
      .filter((device) => !device.isLoopback)
      .flatMap((device) => netns.addressesOf(device))
      .filter(({ ip }) => !isLinkLocal6(ip) && ip[0] !== 127)
      .map(({ ip }) => formatIp(ip)),
  );

function common(words: readonly string[]): string {
  let stem = words[0]!;
  for (const word of words) while (!word.startsWith(stem)) stem = stem.slice(0, -1);
  return stem;
}
