/** Address translation: one end of a packet, and in an ICMP error of the packet that it tells of, becomes another. */
import type { Ip } from "../wire/address.ts";
import { update16 } from "../wire/checksum.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame, put16, u16 } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as udp from "../wire/udp.ts";
import { type Connection, isTranslated, type Tracked } from "./conntrack.ts";
import { isError } from "./icmp-errors.ts";
import * as packets from "./packets.ts";
import { addressAt, checksumAt, portAt } from "./tuple.ts";

type End = "src" | "dst";

/** An answer gets the destination of the one who began. */
export function translateDestination(f: Frame, { connection, isReply }: Tracked): void {
  if (connection === undefined || !isReply || !isTranslated(connection)) return;
  const { src, srcPort } = connection.original;
  translate(f, "dst", src, srcPort);
}

/** A packet of the one who began gets the source that answers go to. */
export function translateSource(f: Frame, { connection, isReply }: Tracked): void {
  if (connection === undefined || isReply || !isTranslated(connection)) return;
  const { dst, dstPort } = connection.reply;
  translate(f, "src", dst, dstPort);
}

/** A packet that was translated, as its sender sent it. */
export function restore(f: Frame, connection: Connection, isReply: boolean): void {
  if (!isTranslated(connection)) return;
  const { original, reply } = connection;
  if (isReply) setEnd(f, "dst", reply.dst, reply.dstPort);
  else setEnd(f, "src", original.src, original.srcPort);
}

function translate(f: Frame, end: End, ip: Ip, port: number): void {
  if (!isError(f)) {
    setEnd(f, end, ip, port);
    return;
  }
  const toldAt = packets.payloadAt(f) + icmp.HEADER;
  const start = toldAt - packets.IP; // where the Ethernet header of the told packet would be
  const about = new Frame().set(f.bytes, f.start + start, f.length - start);
  // Readers look at the type to tell the families: the bytes there are the error's own, and come back.
  const before = u16(about, 12);
  ethernet.setType(about, ethernet.type(f));
  setEnd(about, end === "src" ? "dst" : "src", ip, port);
  put16(about, 12, before);
  setAddress(f, end, ip, []);
  if (packets.isIpv6(f)) icmp.fillChecksum6(f, packets.IP);
  else icmp.fillChecksum4(f, packets.IP);
}

function setEnd(f: Frame, end: End, ip: Ip, port: number): void {
  const sumAt = checksumAt(f);
  const isCovered = packets.protocolOf(f) !== icmp.PROTOCOL; // ICMP of IPv4 has no pseudo header
  setAddress(f, end, ip, sumAt === undefined || !isCovered ? [] : [sumAt]);
  const at = portAt(f, end);
  if (at !== undefined) setWord(f, at, port, sumAt === undefined ? [] : [sumAt]);
  const isUdp = packets.protocolOf(f) === udp.PROTOCOL;
  if (isUdp && sumAt !== undefined && u16(f, sumAt) === 0) put16(f, sumAt, 0xffff); // 0 says: none
}

function setAddress(f: Frame, end: End, ip: Ip, sumsAt: readonly number[]): void {
  const sums = packets.isIpv6(f) ? sumsAt : [...sumsAt, packets.IP + 10];
  const at = addressAt(f, end);
  for (let i = 0; i < ip.length; i += 2) setWord(f, at + i, (ip[i]! << 8) | ip[i + 1]!, sums);
}

/** Brings the checksums that cover it along. */
function setWord(f: Frame, at: number, word: number, sumsAt: readonly number[]): void {
  const before = u16(f, at);
  put16(f, at, word);
  for (const sumAt of sumsAt) put16(f, sumAt, update16(u16(f, sumAt), before, word));
}
