/**
 * Which conversation a packet belongs to, as connection tracking and sockets tell them apart: protocol, addresses, ports.
 * An echo request comes from "port" identifier to the service ECHO, its reply the other way round, so that one tuple's
 * inverse is that of the answers to it.
 */
import type { Ip } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import * as packets from "./packets.ts";
import { keyOf } from "./routes.ts";

export interface Tuple {
  readonly protocol: number;
  readonly src: Ip;
  readonly dst: Ip;
  /** Identifier of an echo request, `ECHO` of its reply, 0 of a protocol without ports. */
  readonly srcPort: number;
  readonly dstPort: number;
}

/** No port: what echo requests are for. */
export const ECHO = -1;

/** Undefined: a fragment, an ICMP message other than echo, or less than a header. */
export function findTuple(f: Frame): Tuple | undefined {
  if (packets.isFragment(f)) return undefined;
  const ports = findPorts(f);
  if (ports === undefined) return undefined;
  const [srcPort, dstPort] = ports;
  const ends = { src: packets.srcOf(f), dst: packets.dstOf(f) };
  return { protocol: packets.protocolOf(f), ...ends, srcPort, dstPort };
}

/** Undefined as `findTuple`. A told packet's end may be missing: four bytes of ports are enough. */
function findPorts(f: Frame): readonly [number, number] | undefined {
  const at = packets.payloadAt(f);
  switch (packets.protocolOf(f)) {
    case icmp.PROTOCOL:
    case icmp.PROTOCOL6:
      return findEchoPorts(f, at);
    case tcp.PROTOCOL:
    case udp.PROTOCOL:
      return f.length < at + 4 ? undefined : [udp.srcPort(f, at), udp.dstPort(f, at)];
  }
  return [0, 0];
}

function findEchoPorts(f: Frame, at: number): readonly [number, number] | undefined {
  if (!icmp.check(f, at)) return undefined;
  const [type, identifier] = [icmp.type(f, at), icmp.identifier(f, at)];
  const is6 = packets.isIpv6(f);
  if (type === (is6 ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST)) return [identifier, ECHO];
  if (type === (is6 ? icmp.ECHO_REPLY6 : icmp.ECHO_REPLY)) return [ECHO, identifier];
  return undefined;
}

export const inverse = ({ protocol, src, dst, srcPort, dstPort }: Tuple): Tuple => ({
  protocol,
  src: dst,
  dst: src,
  srcPort: dstPort,
  dstPort: srcPort,
});

export const tupleKey = ({ protocol, src, dst, srcPort, dstPort }: Tuple): string =>
  `${protocol} ${srcPort} ${dstPort} ${keyOf(src)} ${keyOf(dst)}`;

/** Whether the packet may begin a conversation: no answer, no end of one. */
export function isOpening(f: Frame, tuple: Tuple): boolean {
  if (tuple.srcPort === ECHO) return false;
  if (tuple.protocol !== tcp.PROTOCOL) return true;
  const flags = tcp.flags(f, packets.payloadAt(f)) & (tcp.SYN | tcp.ACK | tcp.RST);
  return flags === tcp.SYN || flags === tcp.ACK; // Linux takes up one that is under way: nf_conntrack_tcp_loose
}

/** Offset of the word that translation changes: the port of one end, or an echo's identifier. */
export function portAt(f: Frame, end: "src" | "dst"): number | undefined {
  const at = packets.payloadAt(f);
  switch (packets.protocolOf(f)) {
    case icmp.PROTOCOL:
    case icmp.PROTOCOL6:
      return at + 4;
    case tcp.PROTOCOL:
    case udp.PROTOCOL:
      return end === "src" ? at : at + 2;
  }
  return undefined;
}

/** Offset of the checksum that covers ports and data. */
export function checksumAt(f: Frame): number | undefined {
  const at = packets.payloadAt(f);
  switch (packets.protocolOf(f)) {
    case icmp.PROTOCOL:
    case icmp.PROTOCOL6:
      return at + 2;
    case tcp.PROTOCOL:
      return at + 16;
    case udp.PROTOCOL:
      return udp.checksum(f, at) === 0 ? undefined : at + 6;
  }
  return undefined;
}

/** Offset of an end's address. */
export const addressAt = (f: Frame, end: "src" | "dst"): number =>
  packets.isIpv6(f)
    ? packets.IP + (end === "src" ? 8 : 24)
    : ipv4.srcAt(packets.IP) + (end === "src" ? 0 : 4);
