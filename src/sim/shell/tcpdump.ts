/** `tcpdump … &` of the simulated host: frames are told as they pass a device, until enough were or `kill` ends it. */
import { formatIp, type Ip } from "../../wire/address.ts";
import * as arp from "../../wire/arp.ts";
import { dump } from "../../wire/dump.ts";
import * as ethernet from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import * as tcp from "../../wire/tcp.ts";
import * as udp from "../../wire/udp.ts";
import { Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import * as packets from "../packets.ts";
import { type CommandContext, findIn, getIp, getNumber, unknown } from "./common.ts";

const COUNT_MAX = 100_000;
const OPTIONS = "-i DEVICE or any, -c COUNT, -n, -e, -l";
const FILTER = "arp, ip, ip6, icmp, icmp6, tcp, udp and host ADDRESS, with not, and, or";

type Test = (f: Frame) => boolean;

/** `tcpdump [-n] [-e] [-i DEVICE] [-c COUNT] [FILTER]`. What ends it. */
export function tcpdump(
  { netns, clock, print }: CommandContext,
  line: readonly string[],
): () => void {
  const { name, count, withMacs, isWanted } = read(line);
  const isAny = name === "any";
  const devices = isAny
    ? netns.devices
    : [name === undefined ? firstOf(netns) : findIn(netns, name)];
  let left = count;
  const tap = (device: Device) => (f: Frame, isOutgoing: boolean) => {
    if (left === 0 || !isWanted(f)) return;
    const place = isAny ? `${device.name} ${isOutgoing ? "Out" : "In "} ` : "";
    print(
      `${tellTime(clock.nowMs)} ${place}${withMacs ? tellMacs(f) : ""}${dump(f)}, length ${f.length}\n`,
    );
    if (--left === 0) end();
  };
  const ends = devices.map((device) => device.addTap(tap(device)));
  const end = () => {
    for (const one of ends) one();
  };
  return end;
}

function read(line: readonly string[]) {
  const words = new Words(line);
  let [name, count, withMacs]: [string | undefined, number, boolean] = [undefined, Infinity, false];
  let isWanted: Test = () => true;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "-i") name = words.value();
    else if (word === "-c") count = Math.ceil(getNumber(words.value(), "tcpdump -c", COUNT_MAX));
    else if (/^-[nel]+$/.test(word)) withMacs ||= word.includes("e");
    else if (word.startsWith("-")) throw unknown(word, "tcpdump", OPTIONS);
    else {
      isWanted = readFilter([word, ...words.rest()]);
      break;
    }
  }
  return { name, count, withMacs, isWanted };
}

/** `or` binds less than `and`, and `and` less than `not`. man: pcap-filter(7), where both bind alike. */
function readFilter(line: readonly string[]): Test {
  const words = new Words(line);
  const alternatives: Test[][] = [[]];
  for (;;) {
    alternatives.at(-1)!.push(readTest(words));
    const link = words.next();
    if (link === undefined)
      return (f) => alternatives.some((tests) => tests.every((isWanted) => isWanted(f)));
    if (link === "or") alternatives.push([]);
    else if (link !== "and") throw unknown(link, "tcpdump", FILTER);
  }
}

function readTest(words: Words): Test {
  const word = words.next() ?? "";
  if (word === "not") {
    const isWanted = readTest(words);
    return (f) => !isWanted(f);
  }
  if (word === "host") {
    const ip = getIp(words.value(), undefined);
    return (f) => endsOf(f).some((end) => formatIp(end) === formatIp(ip));
  }
  if (Object.hasOwn(KINDS, word)) return KINDS[word]!;
  throw unknown(word, "tcpdump", FILTER);
}

const isType =
  (type: number): Test =>
  (f) =>
    f.length >= ethernet.HEADER && ethernet.type(f) === type;
const isIp = (f: Frame): boolean => ipv4.check(f, packets.IP) && isType(ethernet.ETH_P_IP)(f);
const isIp6 = (f: Frame): boolean => ipv6.check(f, packets.IP) && isType(ethernet.ETH_P_IPV6)(f);
const carries =
  (protocol: number): Test =>
  (f) =>
    (isIp(f) || isIp6(f)) && packets.protocolOf(f) === protocol;

const KINDS: Readonly<Record<string, Test>> = {
  arp: isType(ethernet.ETH_P_ARP),
  ip: isType(ethernet.ETH_P_IP),
  ip6: isType(ethernet.ETH_P_IPV6),
  icmp: carries(icmp.PROTOCOL),
  icmp6: carries(icmp.PROTOCOL6),
  tcp: carries(tcp.PROTOCOL),
  udp: carries(udp.PROTOCOL),
};

function endsOf(f: Frame): Ip[] {
  if (isIp(f) || isIp6(f)) return [packets.srcOf(f), packets.dstOf(f)];
  if (!KINDS.arp!(f) || !arp.check(f, packets.IP)) return [];
  return [packets.bytesAt(f, packets.IP + 14, 4), packets.bytesAt(f, packets.IP + 24, 4)];
}

function firstOf(netns: Namespace): Device {
  const device = netns.devices.find(({ isUp, isLoopback }) => isUp && !isLoopback);
  if (device === undefined) throw unknown("", "tcpdump", OPTIONS);
  return device;
}

const tellMacs = (f: Frame): string => {
  const text = (at: number) =>
    [...f.view().subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  return `${text(6)} > ${text(0)}, `;
};

const tellTime = (ms: number): string => {
  const two = (value: number) => `${Math.floor(value)}`.padStart(2, "0");
  const seconds = ((ms / 1000) % 60).toFixed(6).padStart(9, "0");
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${seconds}`;
};
