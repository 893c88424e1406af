/**
 * `link show`: the system's `ip` prints, and what it says about our slaves is put right. To the kernel a slave is
 * one end of a veth pair whose other end is the daemon's; here it is told as Linux's driver would have it told:
 * its kind, its master, the port's mode and flag.
 *
 * Pure: words and output in, words and output out.
 */
import type { LinkInfo } from "../daemon/control.ts";
import { Words } from "./words.ts";

export interface LinkShow {
  readonly verb: "show";
  /** Behind `link`, with the verb if there was one. */
  readonly words: readonly string[];
  /** Which devices the filter `type` leaves: those of all kinds, our slaves only, or only what is not ours. */
  readonly keep: Keep;
}

export type Keep = "all" | "slaves" | "others";

/** What is true about the slaves of the namespace that is shown. */
export interface Facts {
  readonly slaves: readonly LinkInfo[];
  /** Names of devices that are ours, but no slaves. */
  readonly hidden: ReadonlySet<string>;
  /** Names of the devices that are up. */
  readonly up: ReadonlySet<string>;
  readonly keep: Keep;
}

const TAKES_WORD = new Set(["dev", "master", "vrf", "group", "to", "scope", "label"]);

/** `line` stands behind `link`; the system asks the kernel for veths where we were asked for slaves. */
export function parseLinkShow(line: readonly string[]): LinkShow {
  const words = new Words(line);
  let keep: Keep = "all";
  let kindAt = -1;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const at = line.length - words.rest().length;
    if (TAKES_WORD.has(word)) words.next();
    if (word !== "type") continue;
    const kind = words.next();
    if (kind === "ipvlan") [keep, kindAt] = ["slaves", at];
    if (kind === "veth") keep = "others";
  }
  return { verb: "show", words: kindAt < 0 ? line : line.with(kindAt, "veth"), keep };
}

function isKept(name: unknown, slave: LinkInfo | undefined, { keep, hidden }: Facts): boolean {
  if (hidden.has(String(name))) return false;
  return keep === "all" || (slave !== undefined) === (keep === "slaves");
}

/** An object of `ip -j link show`; filtered devices are empty ones in some versions. */
type JsonLink = Record<string, unknown>;

/** Puts the output of `ip -j link show` right. */
export function rewriteJson(output: string, facts: Facts, pretty: boolean): string {
  const links = JSON.parse(output || "[]") as JsonLink[];
  const told = links.flatMap((link) => {
    const slave = facts.slaves.find((one) => isJsonOf(one, link));
    if (!isKept(link.ifname, slave, facts)) return [];
    return [slave === undefined ? link : tellJson(link, slave, facts)];
  });
  return `${JSON.stringify(told, null, pretty ? 4 : undefined)}\n`;
}

/** With -br there is no index. */
const isJsonOf = (slave: LinkInfo, link: JsonLink): boolean =>
  link.ifname === slave.name && (link.ifindex ?? slave.ifindex) === slave.ifindex;

/** In the kernel's order: what says where the other end is stands before the name. */
function tellJson(link: JsonLink, slave: LinkInfo, facts: Facts): JsonLink {
  const { ifindex, link: _peer, link_index, link_netnsid, link_netns, ...others } = link;
  const isNumbered = link_index !== undefined || link_netnsid !== undefined;
  const told: JsonLink = {
    ...(ifindex !== undefined && { ifindex }),
    ...(slave.masterHere && { link: slave.master }),
    ...(!slave.masterHere && isNumbered && { link_index: slave.masterIfindex }),
    ...others,
    ...(!slave.masterHere && link_netnsid !== undefined && { link_netnsid }),
    ...(!slave.masterHere && link_netns !== undefined && { link_netns }),
  };
  if (Array.isArray(link.flags)) told.flags = tellFlags(link.flags, slave, facts);
  if (link.linkinfo === undefined) return told;
  const info_data = { mode: slave.mode, [slave.flag]: true };
  return { ...told, linkinfo: { info_kind: "ipvlan", info_data } };
}

/** `ip` adds M-DOWN to a device whose lower one is in the same namespace and down. */
function tellFlags(flags: readonly string[], slave: LinkInfo, facts: Facts): string[] {
  const own = flags.filter((flag) => flag !== "M-DOWN");
  return slave.masterHere && !facts.up.has(slave.master) ? [...own, "M-DOWN"] : own;
}

/** Puts the text of `ip link show` right, with or without -d, -s, -o. */
export function rewriteText(output: string, facts: Facts): string {
  return output
    .split(/^(?=\d+: )/m)
    .map((block) => tellBlock(block, facts))
    .join("");
}

/** "4: i0@if7: <FLAGS> …", with colours perhaps. */
const HEAD = /^(\d+): ((?:\p{Cc}\[[\d;]*m)?)([^@:\s]+)(?:@[^:\s]+)?: /u;

function tellBlock(block: string, facts: Facts): string {
  const [head, index, colour, name] = HEAD.exec(block) ?? [];
  if (head === undefined) return block;
  const slave = facts.slaves.find((one) => one.ifindex === Number(index) && one.name === name);
  if (!isKept(name, slave, facts)) return "";
  if (slave === undefined) return block;
  const told = tellTextFlags(block.slice(head.length), slave, facts)
    .replace(/(^|\n|\\)( +)veth /, `$1$2ipvlan  mode ${slave.mode} ${slave.flag} `)
    .replace(slave.masterHere ? / link-netns(?:id)? \S+/ : /^$/, "");
  return `${index}: ${colour}${nameAndMaster(slave)}: ${told}`;
}

const nameAndMaster = (slave: LinkInfo): string =>
  `${slave.name}@${slave.masterHere ? slave.master : `if${slave.masterIfindex}`}`;

function tellTextFlags(text: string, slave: LinkInfo, facts: Facts): string {
  return text.replace(/<([^>]*)>/, (_, flags: string) => {
    return `<${tellFlags(flags.split(","), slave, facts).join(",")}>`;
  });
}

/** "i0@if7           UP …" */
const BRIEF_HEAD = /^((?:\p{Cc}\[[\d;]*m)?)([^@\s]+)(?:@\S+)?\s+/u;
/** Columns of the name with -br. */
const BRIEF_NAME_WIDTH = 16;

/** Puts the text of `ip -br link show` right: a line for each device, without its index. */
export function rewriteBrief(output: string, facts: Facts): string {
  return output
    .split(/(?<=\n)/)
    .map((line) => tellLine(line, facts))
    .join("");
}

function tellLine(line: string, facts: Facts): string {
  const [head, colour, name] = BRIEF_HEAD.exec(line) ?? [];
  if (head === undefined) return line;
  const slave = facts.slaves.find((one) => one.name === name);
  if (!isKept(name, slave, facts)) return "";
  if (slave === undefined) return line;
  const told = tellTextFlags(line.slice(head.length), slave, facts);
  return `${colour}${nameAndMaster(slave).padEnd(BRIEF_NAME_WIDTH)} ${told}`;
}
