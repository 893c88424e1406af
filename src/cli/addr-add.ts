/**
 * `addr add`, `change` and `replace`: an address that another slave of the port has is refused, as Linux's driver
 * refuses it. Everything else about addresses is the system's.
 */
import type { LinkInfo } from "../daemon/control.ts";
import { formatIp, type Prefix, parsePrefix } from "../wire/address.ts";
import { matches, Words } from "../words/words.ts";

export interface AddressAdd {
  readonly verb: "add address";
  readonly name: string;
  readonly address: Prefix;
}

interface Keyword {
  readonly name: string;
  readonly short: boolean;
}

const keywords = (names: string, short: boolean): Keyword[] =>
  names.split(" ").map((name) => ({ name, short }));

/** What takes a value, in the order in which iproute2 resolves a shortened one. iproute2: ipaddr_modify(). */
const KEYWORDS: readonly Keyword[] = [
  ...keywords("peer remote", false),
  ...keywords("broadcast", true),
  ...keywords("brd", false),
  ...keywords("anycast scope", true),
  ...keywords("dev label", false),
  ...keywords("metric priority preference valid_lft preferred_lft", true),
  ...keywords("proto local", false),
];

const FLAGS = new Set("home nodad mngtmpaddr noprefixroute autojoin".split(" "));

/** None: the line is the system's, to refuse or to print its help. `family`: of -4 or -6. */
export function findAddressAdd(line: readonly string[], family?: string): AddressAdd | undefined {
  const words = new Words(line);
  const said: Record<string, string> = {};
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (FLAGS.has(word)) continue;
    const keyword = findKeyword(word) ?? "local";
    const value = keyword === "local" && word !== "local" ? word : words.next();
    if (value === undefined || (keyword === "local" && said.local !== undefined)) return undefined;
    said[SAME[keyword] ?? keyword] = value;
  }
  const local = findPrefix(said.local, family);
  const peer = findPrefix(said.peer, family);
  if (said.dev === undefined || local === undefined) return undefined;
  if (said.peer !== undefined && peer?.ip.length !== local.ip.length) return undefined;
  const { length } = peer ?? local;
  return { verb: "add address", name: said.dev, address: { ip: local.ip, length } };
}

const SAME: Readonly<Record<string, string>> = { remote: "peer" };

const findKeyword = (word: string): string | undefined =>
  KEYWORDS.find(({ name, short }) => (short ? matches(word, name) : word === name))?.name;

function findPrefix(word: string | undefined, family: string | undefined): Prefix | undefined {
  const prefix = parsePrefix(word ?? "");
  const isOf = family === undefined || family === (prefix?.ip.length === 4 ? "inet" : "inet6");
  return isOf ? prefix : undefined;
}

/**
 * Whether a slave may not have an address because the port has it already: another slave, up or down, or with IPv4
 * the slave itself under another length (the kernel asks the driver before it looks at what the device has).
 * The master's own is not looked at. Kernel: ipvlan_addr_busy().
 */
export function isTaken(
  links: readonly LinkInfo[],
  slave: LinkInfo,
  { ip, length }: Prefix,
): boolean {
  const text = `${formatIp(ip)}/`;
  return links.some(({ deviceId, addresses, ...port }) => {
    if (port.masterIfindex !== slave.masterIfindex || port.master !== slave.master) return false;
    const held = addresses.filter((one) => one.startsWith(text));
    if (deviceId !== slave.deviceId) return held.length > 0;
    return ip.length === 4 && held.length > 0 && !held.includes(`${text}${length}`);
  });
}
