/**
 * One line about a frame, for messages and tests, in the words of tcpdump: any bytes make a line, and
 * what cannot be read is called by its type or length. For people, not for the frame path: it allocates.
 */
import { formatIp, formatMac, ip4FromNumber, ip6From, macFrom } from "./address.ts";
import * as arp from "./arp.ts";
import * as eth from "./ethernet.ts";
import { type Frame, u16 } from "./frame.ts";
import * as icmp from "./icmp.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import * as ndisc from "./ndisc.ts";
import * as tcp from "./tcp.ts";
import * as udp from "./udp.ts";

/** More tags than 802.1ad knows are not unwrapped. */
const TAGS_MAX = 2;

export function dump(f: Frame): string {
  if (f.length < eth.HEADER) return `runt of ${f.length} bytes`;
  let tags = "";
  let at = eth.HEADER;
  while (eth.isTag(u16(f, at - 2)) && at < eth.HEADER + TAGS_MAX * eth.TAG) {
    tags += `vlan ${u16(f, at) & 0x0fff} `;
    at += eth.TAG;
  }
  return tags + packet(f, u16(f, at - 2), at);
}

function packet(f: Frame, type: number, at: number): string {
  switch (type) {
    case eth.ETH_P_IP:
      return packet4(f, at);
    case eth.ETH_P_IPV6:
      return packet6(f, at);
    case eth.ETH_P_ARP:
      return arpMessage(f, at);
    default:
      return `${macs(f)} ${type < 1536 ? "802.3" : `type 0x${hex16(type)}`}, ${f.length} bytes`;
  }
}

function arpMessage(f: Frame, at: number): string {
  if (!arp.check(f, at) || !arp.isIpv4(f, at)) return `${macs(f)} arp, unreadable`;
  const sender = ip4(arp.sender(f, at));
  const target = ip4(arp.target(f, at));
  switch (arp.operation(f, at)) {
    case arp.REQUEST:
      return `arp who-has ${target} tell ${sender}`;
    case arp.REPLY:
      return `arp ${sender} is-at ${mac(arp.senderMacHigh(f, at), arp.senderMacLow(f, at))}`;
    default:
      return `arp operation ${arp.operation(f, at)}`;
  }
}

function packet4(f: Frame, at: number): string {
  if (!ipv4.check(f, at)) return `${macs(f)} ipv4, bad header`;
  const ends = `${ip4(ipv4.src(f, at))} > ${ip4(ipv4.dst(f, at))}`;
  if (ipv4.fragmentOffset(f, at) > 0)
    return `${ends} fragment at ${ipv4.fragmentOffset(f, at) * 8}`;
  return `${ends} ${payload(f, ipv4.protocol(f, at), ipv4.payloadAt(f, at))}`;
}

function packet6(f: Frame, at: number): string {
  if (!ipv6.check(f, at)) return `${macs(f)} ipv6, bad header`;
  const ends = `${ip6(f, ipv6.srcAt(at))} > ${ip6(f, ipv6.dstAt(at))}`;
  return `${ends} ${neighbour(f, at) ?? payload(f, ipv6.nextHeader(f, at), ipv6.payloadAt(at))}`;
}

/** Neighbour solicitation or advertisement, if it is one. */
function neighbour(f: Frame, at: number): string | undefined {
  if (!ndisc.isIcmp6(f, at) || f.length < ipv6.payloadAt(at) + ndisc.LENGTH) return undefined;
  const target = ip6(f, ndisc.targetAt(at));
  if (ndisc.type(f, at) === ndisc.NEIGHBOUR_SOLICITATION) return `who-has ${target}`;
  if (ndisc.type(f, at) !== ndisc.NEIGHBOUR_ADVERTISEMENT) return undefined;
  const option = ndisc.findOption(f, at, ndisc.TARGET_LINK_LAYER);
  if (option < 0) return `${target} is-here`;
  return `${target} is-at ${mac(ndisc.optionMacHigh(f, option), ndisc.optionMacLow(f, option))}`;
}

function payload(f: Frame, protocol: number, at: number): string {
  switch (protocol) {
    case udp.PROTOCOL:
      return f.length < at + udp.HEADER ? "udp, truncated" : `udp ${ports(f, at)}`;
    case tcp.PROTOCOL:
      return f.length < at + tcp.MIN_HEADER
        ? "tcp, truncated"
        : `tcp ${ports(f, at)}${tcpFlags(f, at)}`;
    case icmp.PROTOCOL:
      return icmpMessage(f, at, "icmp", icmp.ECHO_REQUEST, icmp.ECHO_REPLY);
    case icmp.PROTOCOL6:
      return icmpMessage(f, at, "icmp6", icmp.ECHO_REQUEST6, icmp.ECHO_REPLY6);
    default:
      return `protocol ${protocol}`;
  }
}

function icmpMessage(f: Frame, at: number, name: string, request: number, reply: number): string {
  if (!icmp.check(f, at)) return `${name}, truncated`;
  const type = icmp.type(f, at);
  if (type !== request && type !== reply) return `${name} type ${type} code ${icmp.code(f, at)}`;
  const word = type === request ? "request" : "reply";
  return `${name} echo ${word} ${icmp.identifier(f, at)} seq ${icmp.sequence(f, at)}`;
}

/** TCP has its ports where UDP has them. */
const ports = (f: Frame, at: number): string => `${udp.srcPort(f, at)} > ${udp.dstPort(f, at)}`;

/** RFC 9293 §3.1, from the lowest bit on. */
const tcpFlags = (f: Frame, at: number): string =>
  ["fin", "syn", "rst", "psh", "ack", "urg"]
    .filter((_, bit) => (tcp.flags(f, at) >> bit) & 1)
    .map((name) => ` ${name}`)
    .join("");

const macs = (f: Frame): string =>
  `${mac(eth.srcHigh(f), eth.srcLow(f))} > ${mac(eth.dstHigh(f), eth.dstLow(f))}`;
const mac = (high: number, low: number): string => formatMac(macFrom(high, low));
const ip4 = (address: number): string => formatIp(ip4FromNumber(address));
const ip6 = (f: Frame, at: number): string => formatIp(ip6From(f, at));
const hex16 = (value: number): string => value.toString(16).padStart(4, "0");
