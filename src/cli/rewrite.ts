/**
 * What the system's `ip` prints about devices, put right. To the kernel a slave is one end of a veth pair whose other
 * end is the daemon's; here it is told as Linux's driver would have it told: its kind, its master, the port's mode
 * and flag.
 *
 * Pure: output in, output out. What is not about our devices stays as it is, byte for byte: a character is a byte, as
 * not all that people write into devices is UTF-8.
 */
import type { LinkInfo } from "../daemon/control.ts";
import { hostName } from "../daemon/identity.ts";
import type { Keep } from "./show.ts";

/** What is true about the namespace that is shown. */
export interface Facts {
  readonly slaves: readonly LinkInfo[];
  /** Names of devices that are ours, but no slaves. */
  readonly hidden: ReadonlySet<string>;
  readonly keep: Keep;
}

/**
 * Beside a master there is the device by which its slaves' frames come up into its namespace (master-side.ts names
 * it), and with the eBPF engine the slaves' host ends. Linux's driver needs none, so nobody is shown one who has not
 * named it.
 */
export function factsOf(links: readonly LinkInfo[], words: readonly string[]): Facts {
  const names = links
    .filter((link) => link.masterHere)
    .flatMap(({ masterIfindex: port, deviceId: id }) => [`ipvlup${port}`, hostName({ port, id })]);
  const hidden = new Set(names.filter((name) => !words.includes(name)));
  const slaves = links.filter((link) => link.here);
  return { slaves: slaves.map(inBytes), hidden, keep: "all" };
}

function inBytes(link: LinkInfo): LinkInfo {
  const bytesOf = (text: string) => Buffer.from(text).toString("latin1");
  return { ...link, name: bytesOf(link.name), master: bytesOf(link.master) };
}

function isKept(name: unknown, slave: LinkInfo | undefined, { keep, hidden }: Facts): boolean {
  if (hidden.has(String(name))) return false;
  return keep === "all" || (slave !== undefined) === (keep === "slaves");
}

/** An object of `ip -j link show` or `ip -j addr show`; filtered devices are empty ones in some versions. */
type JsonLink = Record<string, unknown>;

/** Puts JSON right. */
export function rewriteJson(output: string, facts: Facts, pretty: boolean): string {
  const links = JSON.parse(output || "[]") as JsonLink[];
  const told = links.flatMap((link) => {
    const slave = facts.slaves.find((one) => isJsonOf(one, link));
    if (!isKept(link.ifname, slave, facts)) return [];
    return [slave === undefined ? link : tellJson(link, slave)];
  });
  return `${JSON.stringify(told, null, pretty ? 4 : undefined)}\n`;
}

/** With -br there is no index. */
const isJsonOf = (slave: LinkInfo, link: JsonLink): boolean =>
  link.ifname === slave.name && (link.ifindex ?? slave.ifindex) === slave.ifindex;

/** In the kernel's order: what says where the other end is stands before the name. */
function tellJson(link: JsonLink, slave: LinkInfo): JsonLink {
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
  if (Array.isArray(link.flags)) told.flags = tellFlags(link.flags, slave);
  if (link.linkinfo === undefined) return told;
  const info_data = { mode: slave.mode, [slave.flag]: true };
  return { ...told, linkinfo: { info_kind: "ipvlan", info_data } };
}

/** `ip` adds M-DOWN to a device whose lower one is in the same namespace and down. */
function tellFlags(flags: readonly string[], slave: LinkInfo): string[] {
  const own = flags.filter((flag) => flag !== "M-DOWN");
  return slave.masterHere && !slave.masterUp ? [...own, "M-DOWN"] : own;
}

const COLOUR = "(?:\\p{Cc}\\[[\\d;]*m)?";
/** What `ip monitor` sets before a device: a time, a label, that it is gone. */
const BEFORE = "(?:\\[[^\\]]*\\] ?)*(?:Deleted )?";
/** "4: i0@if7: <FLAGS> …" */
const HEAD = new RegExp(`^(${BEFORE})(\\d+): (${COLOUR})([^@:\\s]+)(?:@[^:\\s]+)?: `, "u");
/** "4: i0    inet 10.0.0.10/24 …", from `addr show` in one line and from `monitor`. */
const ADDRESS_HEAD = new RegExp(`^(${BEFORE})(\\d+): (${COLOUR})([^@:\\s]+) +inet`, "u");
/** `ip monitor all-nsid`: of a namespace that is not ours to tell of. */
const ELSEWHERE = /^(?:\[[^\]]*\] ?)*\[nsid \d/;

/** A device as a slave is to the system: its other end is in another namespace, or a host end; or it is a host end. */
export interface Pair {
  readonly ifindex: number;
  readonly name: string;
  readonly isGone: boolean;
}

/** See `hostName`. */
const HOST_END = "s\\d+\\.\\d+";
const IS_PAIR = `(?=${HOST_END}@|[^@\\s]+@(?:if\\d+|NONE|${HOST_END}): )`;
const PAIR = new RegExp(`^(${BEFORE})(\\d+): ${COLOUR}${IS_PAIR}([^@:\\s]+)@[^:\\s]+: `, "u");

/** The pair whose first line this is. */
export function findPair(line: string): Pair | undefined {
  const [, before, ifindex, name] = PAIR.exec(line) ?? [];
  if (before === undefined || ELSEWHERE.test(before)) return undefined;
  return { ifindex: Number(ifindex), name: name!, isGone: before.includes("Deleted ") };
}

/** The text of `ip link show`, `ip addr show` and `ip monitor`, line by line. */
export class TextRewriter {
  /** What the lines that follow a device's first are about. */
  #slave: LinkInfo | undefined;
  #isKept = true;

  /** `line` with its end; what it is to be. */
  line(line: string, facts: Facts): string {
    const head = HEAD.exec(line);
    const first = head ?? ADDRESS_HEAD.exec(line);
    if (first !== null) this.#begin(first, facts);
    else if (!isContinued(line)) [this.#slave, this.#isKept] = [undefined, !isAbout(line, facts)];
    if (!this.#isKept) return "";
    if (this.#slave === undefined) return line;
    return head === null ? tellKind(line, this.#slave) : tellHead(head, line, this.#slave);
  }

  #begin([, before, index, , name]: readonly string[], facts: Facts): void {
    const isHere = !ELSEWHERE.test(before!);
    const isIt = (one: LinkInfo) => one.ifindex === Number(index) && one.name === name;
    this.#slave = isHere ? facts.slaves.find(isIt) : undefined;
    this.#isKept = !isHere || isKept(name, this.#slave, facts);
  }
}

const isContinued = (line: string): boolean => line.startsWith(" ");

/** Routes, neighbours and settings by way of a device that is not shown; only `monitor` mixes them in. */
function isAbout(line: string, { hidden }: Facts): boolean {
  const name = / dev (\S+)/.exec(line)?.[1];
  return name !== undefined && hidden.has(name) && !ELSEWHERE.test(line);
}

/** Puts the text of `ip link show` or `ip addr show` right, with or without -d, -s, -o. */
export function rewriteText(output: string, facts: Facts): string {
  const rewriter = new TextRewriter();
  return linesOf(output)
    .map((line) => rewriter.line(line, facts))
    .join("");
}

/** Lines with their ends. */
const linesOf = (output: string): string[] => output.split(/(?<=\n)/);

function tellHead([head, before, index, colour]: readonly string[], line: string, slave: LinkInfo) {
  const told = tellKind(tellTextFlags(line.slice(head!.length), slave), slave);
  return `${before}${index}: ${colour}${nameAndMaster(slave)}: ${told}`;
}

/** With -o a device is one line, in which a backslash stands for each end of a line. */
const tellKind = (line: string, slave: LinkInfo): string =>
  line
    .replace(/(^|\\)( +)veth /, `$1$2ipvlan  mode ${slave.mode} ${slave.flag} `)
    .replace(slave.masterHere ? / link-netns(?:id)? \S+/ : /^$/, "");

const nameAndMaster = (slave: LinkInfo): string =>
  `${slave.name}@${slave.masterHere ? slave.master : `if${slave.masterIfindex}`}`;

const tellTextFlags = (text: string, slave: LinkInfo): string =>
  text.replace(
    /<([^>]*)>/,
    (_, flags: string) => `<${tellFlags(flags.split(","), slave).join(",")}>`,
  );

/** "i0@if7           UP …" */
const BRIEF_HEAD = new RegExp(`^(${COLOUR})([^@\\s]+)(?:@\\S+)?\\s+`, "u");
/** Columns of the name with -br. */
const BRIEF_NAME_WIDTH = 16;

/** Puts text with -br right: a line for each device, without its index. */
export const rewriteBrief = (output: string, facts: Facts): string =>
  linesOf(output)
    .map((line) => tellLine(line, facts))
    .join("");

function tellLine(line: string, facts: Facts): string {
  const [head, colour, name] = BRIEF_HEAD.exec(line) ?? [];
  if (head === undefined) return line;
  const slave = facts.slaves.find((one) => one.name === name);
  if (!isKept(name, slave, facts)) return "";
  if (slave === undefined) return line;
  const told = tellTextFlags(line.slice(head.length), slave);
  return `${colour}${nameAndMaster(slave).padEnd(BRIEF_NAME_WIDTH)} ${told}`;
}
