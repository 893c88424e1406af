/**
 * Frames in words:
 *
 *     SRC>DST [vlan|qinq …] FROM>TO       a UDP datagram, IPv4 or IPv6; nothing behind the IP header is filled in
 *     SRC>DST … arp SENDER>TARGET
 *     SRC>DST … dad TARGET                a duplicate-address probe
 *     SRC>DST … type 0x88cc
 *
 * SRC and DST are MACs, or the names of those that the simulated host's LAN has.
 */
import { ip4ToNumber, type Mac, macHigh, macLow, parseIp, parseMac } from "../../wire/address.ts";
import * as arp from "../../wire/arp.ts";
import * as eth from "../../wire/ethernet.ts";
import { Frame } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import * as ndisc from "../../wire/ndisc.ts";
import * as udp from "../../wire/udp.ts";

/** Words that are no frame. */
export class FrameWordsError extends Error {
  override readonly name = "FrameWordsError";
}

const MACS: Readonly<Record<string, string>> = {
  own: "02:00:00:00:00:02", // the master's, and so every slave's
  w0: "02:00:00:00:00:01", // the far end of the wire
  other: "02:00:00:00:00:99",
  all: "ff:ff:ff:ff:ff:ff",
};

const TAGS: Readonly<Record<string, number>> = { vlan: eth.ETH_P_8021Q, qinq: eth.ETH_P_8021AD };
const VLAN_ID = 10;

/** Bytes behind the MACs of a frame. */
const LENGTH = 64;

/** Throws FrameWordsError. */
export function readFrame(words: string): Frame {
  const [ends = "", ...rest] = words.trim().split(/\s+/);
  const f = Frame.of(new Uint8Array(eth.HEADER + 2 * eth.TAG + LENGTH));
  f.set(f.bytes, 2 * eth.TAG, eth.HEADER + LENGTH);
  const [src, dst] = readPair(ends, readMac);
  eth.setSrc(f, macHigh(src), macLow(src));
  eth.setDst(f, macHigh(dst), macLow(dst));
  const tags = rest.filter((word) => Object.hasOwn(TAGS, word));
  putPacket(f, rest.slice(tags.length));
  for (const tag of tags.reverse())
    if (!eth.pushTag(f, TAGS[tag]!, VLAN_ID)) throw new FrameWordsError("more than two tags");
  return f;
}

export function readMac(word: string): Mac {
  const mac = parseMac(Object.hasOwn(MACS, word) ? MACS[word]! : word);
  if (mac !== undefined) return mac;
  throw new FrameWordsError(`"${word}" is no MAC: ${Object.keys(MACS).join(", ")} or six bytes`);
}

export function readIp(word: string): Uint8Array {
  const ip = parseIp(word);
  if (ip !== undefined) return ip;
  throw new FrameWordsError(`"${word}" is no address`);
}

function readPair<T>(words: string, read: (word: string) => T): [T, T] {
  const [from, to, extra] = words.split(">");
  if (from === undefined || to === undefined || extra !== undefined)
    throw new FrameWordsError(`"${words}" is not FROM>TO`);
  return [read(from), read(to)];
}

function putPacket(f: Frame, [what = "", operand, extra]: readonly string[]): void {
  if (extra !== undefined) throw new FrameWordsError(`"${extra}" is one word too many`);
  if (what === "type") putType(f, operand ?? "");
  else if (what === "arp") putArp(f, ...readPair(operand ?? "", readIp));
  else if (what === "dad") putProbe(f, readIp(operand ?? ""));
  else if (operand === undefined) putDatagram(f, ...readPair(what, readIp));
  else throw new FrameWordsError(`"${what}" is none of vlan, qinq, arp, dad and type`);
}

function putType(f: Frame, word: string): void {
  const type = /^0x[0-9a-f]{1,4}$/i.test(word) ? Number(word) : undefined;
  if (type === undefined) throw new FrameWordsError(`"${word}" is no type, such as 0x88cc`);
  eth.setType(f, type);
}

function putDatagram(f: Frame, src: Uint8Array, dst: Uint8Array): void {
  if (src.length !== dst.length) throw new FrameWordsError("from one family to the other");
  if (src.length === 16) putIpv6(f, src, dst, udp.PROTOCOL);
  else {
    const ends = { src: ip4ToNumber(src), dst: ip4ToNumber(dst) };
    eth.setType(f, eth.ETH_P_IP);
    ipv4.write(f, eth.HEADER, { totalLength: LENGTH, ttl: 64, protocol: udp.PROTOCOL, ...ends });
  }
}

function putIpv6(f: Frame, src: Uint8Array, dst: Uint8Array, nextHeader: number): void {
  eth.setType(f, eth.ETH_P_IPV6);
  ipv6.write(f, eth.HEADER, {
    payloadLength: LENGTH - ipv6.HEADER,
    nextHeader,
    hopLimit: 255,
    src,
    dst,
  });
}

function putArp(f: Frame, sender: Uint8Array, target: Uint8Array): void {
  if (sender.length !== 4 || target.length !== 4)
    throw new FrameWordsError("ARP is about IPv4 addresses");
  eth.setType(f, eth.ETH_P_ARP);
  arp.write(f, eth.HEADER, {
    operation: arp.REQUEST,
    senderMacHigh: eth.srcHigh(f),
    senderMacLow: eth.srcLow(f),
    sender: ip4ToNumber(sender),
    targetMacHigh: 0,
    targetMacLow: 0,
    target: ip4ToNumber(target),
  });
}

function putProbe(f: Frame, target: Uint8Array): void {
  if (target.length !== 16) throw new FrameWordsError("dad is about IPv6 addresses");
  putIpv6(f, readIp("::"), readIp("ff02::1:ff00:0"), ndisc.NEXT_HEADER_ICMP6);
  ndisc.writeSolicitation(f, eth.HEADER, target);
}
