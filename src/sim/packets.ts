/** Frames that a stack makes: an Ethernet header without MACs, an IP header, and what is in it. */
import { type Ip, ip4ToNumber, type Mac, macHigh, macLow } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as ndisc from "../wire/ndisc.ts";
import { transportChecksum4, transportChecksum6 } from "../wire/pseudo-header.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";

/** Where the IP header starts: no stack here sends VLAN tags. */
export const IP: number = ethernet.HEADER;

export const BROADCAST: Mac = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
export const UNSPECIFIED6: Ip = new Uint8Array(16);
/** Linux's default of both families. */
const TTL = 64;
/** RFC 4861 §7.1: one from farther away is not believed. */
const TTL_OF_NEIGHBOURS = 255;
/** RFC 8200 §4.5 */
const NEXT_HEADER_FRAGMENT = 44;

export interface Header {
  readonly src: Ip;
  readonly dst: Ip;
  readonly protocol: number;
  readonly ttl?: number;
}

/** `length`: of what is behind the IP header. */
export function ipPacket({ src, dst, protocol, ttl = TTL }: Header, length: number): Frame {
  if (src.length === 4) {
    const f = Frame.of(new Uint8Array(IP + ipv4.MIN_HEADER + length));
    ethernet.setType(f, ethernet.ETH_P_IP);
    const totalLength = ipv4.MIN_HEADER + length;
    ipv4.write(f, IP, { totalLength, ttl, protocol, src: ip4ToNumber(src), dst: ip4ToNumber(dst) });
    return f;
  }
  const f = Frame.of(new Uint8Array(IP + ipv6.HEADER + length));
  ethernet.setType(f, ethernet.ETH_P_IPV6);
  ipv6.write(f, IP, { payloadLength: length, nextHeader: protocol, hopLimit: ttl, src, dst });
  return f;
}

export function setMacs(f: Frame, src: Mac, dst: Mac): void {
  ethernet.setDst(f, macHigh(dst), macLow(dst));
  ethernet.setSrc(f, macHigh(src), macLow(src));
}

export const isIpv6 = (f: Frame): boolean => ethernet.type(f) === ethernet.ETH_P_IPV6;

/** Offset of what is behind the IP header. */
export const payloadAt = (f: Frame): number =>
  isIpv6(f) ? ipv6.payloadAt(IP) : ipv4.payloadAt(f, IP);
export const protocolOf = (f: Frame): number =>
  isIpv6(f) ? ipv6.nextHeader(f, IP) : ipv4.protocol(f, IP);
export const ttlOf = (f: Frame): number => (isIpv6(f) ? ipv6.hopLimit(f, IP) : ipv4.ttl(f, IP));
export const srcOf = (f: Frame): Ip =>
  isIpv6(f) ? bytesAt(f, ipv6.srcAt(IP), 16) : bytesAt(f, IP + 12, 4);
export const dstOf = (f: Frame): Ip =>
  isIpv6(f) ? bytesAt(f, ipv6.dstAt(IP), 16) : bytesAt(f, IP + 16, 4);

/** A piece of a packet, the first one too. */
export const isFragment = (f: Frame): boolean =>
  isIpv6(f)
    ? ipv6.nextHeader(f, IP) === NEXT_HEADER_FRAGMENT
    : ipv4.fragmentOffset(f, IP) !== 0 || ipv4.moreFragments(f, IP);

export function setTtl(f: Frame, ttl: number): void {
  if (isIpv6(f)) ipv6.setHopLimit(f, IP, ttl);
  else ipv4.setTtl(f, IP, ttl);
}

/** Neighbour discovery, RFC 4861 §4, without redirects. */
export const isDiscovery = (f: Frame): boolean =>
  isIpv6(f) &&
  ndisc.isIcmp6(f, IP) &&
  ndisc.type(f, IP) >= ndisc.ROUTER_SOLICITATION &&
  ndisc.type(f, IP) <= ndisc.NEIGHBOUR_ADVERTISEMENT;

export const copyOf = (f: Frame): Frame => Frame.of(f.view().slice());

export const bytesAt = (f: Frame, at: number, length: number): Uint8Array =>
  f.bytes.slice(f.start + at, f.start + at + length);

export function arpPacket(
  operation: number,
  from: { readonly ip: Ip; readonly mac: Mac },
  to: { readonly ip: Ip; readonly mac?: Mac | undefined },
): Frame {
  const f = Frame.of(new Uint8Array(IP + arp.LENGTH));
  ethernet.setType(f, ethernet.ETH_P_ARP);
  arp.write(f, IP, {
    operation,
    senderMacHigh: macHigh(from.mac),
    senderMacLow: macLow(from.mac),
    sender: ip4ToNumber(from.ip),
    targetMacHigh: to.mac === undefined ? 0 : macHigh(to.mac),
    targetMacLow: to.mac === undefined ? 0 : macLow(to.mac),
    target: ip4ToNumber(to.ip),
  });
  setMacs(f, from.mac, to.mac ?? BROADCAST);
  return f;
}

/** From `::` it is a probe, which carries no MAC: RFC 4862 §5.4.2. */
export function solicitation(src: Ip, dst: Ip, target: Ip, mac: Mac): Frame {
  const isProbe = src === UNSPECIFIED6;
  const f = neighbourPacket(src, dst, isProbe ? 0 : ndisc.LINK_LAYER_OPTION);
  ndisc.writeSolicitation(f, IP, target);
  if (!isProbe)
    ndisc.writeLinkLayerOption(f, IP, ndisc.SOURCE_LINK_LAYER, macHigh(mac), macLow(mac));
  icmp.fillChecksum6(f, IP);
  return f;
}

export function advertisement(src: Ip, dst: Ip, target: Ip, mac: Mac, flags: number): Frame {
  const f = neighbourPacket(src, dst, ndisc.LINK_LAYER_OPTION);
  ndisc.writeAdvertisement(f, IP, flags, target);
  ndisc.writeLinkLayerOption(f, IP, ndisc.TARGET_LINK_LAYER, macHigh(mac), macLow(mac));
  icmp.fillChecksum6(f, IP);
  return f;
}

const neighbourPacket = (src: Ip, dst: Ip, options: number): Frame =>
  ipPacket(
    { src, dst, protocol: ndisc.NEXT_HEADER_ICMP6, ttl: TTL_OF_NEIGHBOURS },
    ndisc.LENGTH + options,
  );

/** ff02::1:ffXX:XXXX, RFC 4291 §2.7.1. */
export const solicitedNode = (ip: Ip): Ip =>
  Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ip[13]!, ip[14]!, ip[15]!);

export const ALL_NODES: Ip = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** RFC 1112 §6.4, RFC 2464 §7. */
export const groupMac = (group: Ip): Mac =>
  group.length === 4
    ? Uint8Array.of(0x01, 0x00, 0x5e, group[1]! & 0x7f, group[2]!, group[3]!)
    : Uint8Array.of(0x33, 0x33, ...group.subarray(12));

export const ALL_NODES_MAC: Mac = groupMac(ALL_NODES);

export function echo(
  header: Omit<Header, "protocol">,
  isReply: boolean,
  identifier: number,
  sequence: number,
  payload: Uint8Array,
): Frame {
  const is6 = header.src.length === 16;
  const protocol = is6 ? icmp.PROTOCOL6 : icmp.PROTOCOL;
  const f = ipPacket({ ...header, protocol }, icmp.HEADER + payload.length);
  const [request, reply] = is6
    ? [icmp.ECHO_REQUEST6, icmp.ECHO_REPLY6]
    : [icmp.ECHO_REQUEST, icmp.ECHO_REPLY];
  icmp.writeEcho(f, payloadAt(f), { type: isReply ? reply : request, identifier, sequence });
  f.bytes.set(payload, f.start + payloadAt(f) + icmp.HEADER);
  if (is6) icmp.fillChecksum6(f, IP);
  else icmp.fillChecksum4(f, IP);
  return f;
}

export interface Ends {
  readonly src: Ip;
  readonly dst: Ip;
  readonly srcPort: number;
  readonly dstPort: number;
}

export function datagram({ src, dst, srcPort, dstPort }: Ends, payload: Uint8Array): Frame {
  const length = udp.HEADER + payload.length;
  const f = ipPacket({ src, dst, protocol: udp.PROTOCOL }, length);
  const at = payloadAt(f);
  udp.write(f, at, { srcPort, dstPort, length });
  f.bytes.set(payload, f.start + udp.payloadAt(at));
  if (isIpv6(f)) udp.fillChecksum6(f, IP);
  else udp.fillChecksum4(f, IP);
  return f;
}

export type SegmentFields = Omit<tcp.Fields, "srcPort" | "dstPort">;

export function segment(
  { src, dst, srcPort, dstPort }: Ends,
  fields: SegmentFields,
  payload: Uint8Array,
): Frame {
  const f = ipPacket({ src, dst, protocol: tcp.PROTOCOL }, tcp.MIN_HEADER + payload.length);
  const at = payloadAt(f);
  tcp.write(f, at, { srcPort, dstPort, ...fields });
  f.bytes.set(payload, f.start + tcp.payloadAt(f, at));
  if (isIpv6(f)) tcp.fillChecksum6(f, IP);
  else tcp.fillChecksum4(f, IP);
  return f;
}

/** Bytes behind the IP header. */
export const payloadLength = (f: Frame): number =>
  isIpv6(f) ? ipv6.payloadLength(f, IP) : ipv4.payloadLength(f, IP);

/** Whether TCP's or UDP's checksum of a packet that has one is right. */
export const isSound = (f: Frame): boolean =>
  (isIpv6(f) ? transportChecksum6(f, IP) : transportChecksum4(f, IP)) === 0;
