/** ICMP's errors: what a packet's sender is told when it cannot go on. RFC 792, RFC 4443 §3.1 and §3.3. */
import { type Ip, ip4ToNumber } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame, put8, put32 } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as packets from "./packets.ts";

export type Failure = "no route" | "no host" | "no port" | "too big" | "time exceeded";

/** Type and code, by family. */
const NUMBERS: Readonly<Record<Failure, Readonly<Record<4 | 16, readonly [number, number]>>>> = {
  "no route": { 4: [icmp.UNREACHABLE, icmp.NO_ROUTE], 16: [icmp.UNREACHABLE6, icmp.NO_ROUTE] },
  "no host": { 4: [icmp.UNREACHABLE, icmp.NO_HOST], 16: [icmp.UNREACHABLE6, icmp.NO_ADDRESS6] },
  "no port": { 4: [icmp.UNREACHABLE, icmp.NO_PORT], 16: [icmp.UNREACHABLE6, icmp.NO_PORT6] },
  "too big": {
    4: [icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED],
    16: [icmp.TOO_BIG6, 0],
  },
  "time exceeded": { 4: [icmp.TIME_EXCEEDED, 0], 16: [icmp.TIME_EXCEEDED6, 0] },
};

/** Unreachable, source quench, redirect, time exceeded, parameter problem. */
const ERRORS4: ReadonlySet<number> = new Set([
  icmp.UNREACHABLE,
  4,
  icmp.REDIRECT,
  icmp.TIME_EXCEEDED,
  12,
]);
/** Types below are errors. */
const ECHO6_MIN = 128;

/** Bytes of the packet that are told: with the headers before them no more than every link carries. */
const TOLD_MAX: Readonly<Record<4 | 16, number>> = { 4: 548, 16: 1232 };

/** Whether a packet's sender may be told: never of an error, of a group, or of a piece that is not the first. */
export function mayBeTold(f: Frame): boolean {
  if (ethernet.isGroup(f) || !isUnicast(packets.srcOf(f)) || !isUnicast(packets.dstOf(f)))
    return false;
  if (!packets.isIpv6(f) && ipv4.fragmentOffset(f, packets.IP) !== 0) return false;
  return !isError(f);
}

/** Whether an ICMP packet tells of another packet: RFC 792, RFC 4443 §2.1. */
export function isError(f: Frame): boolean {
  const at = packets.payloadAt(f);
  if (packets.isIpv6(f))
    return (
      packets.protocolOf(f) === icmp.PROTOCOL6 && icmp.check(f, at) && icmp.type(f, at) < ECHO6_MIN
    );
  return (
    packets.protocolOf(f) === icmp.PROTOCOL && icmp.check(f, at) && ERRORS4.has(icmp.type(f, at))
  );
}

const isUnicast = (ip: Ip): boolean =>
  ip.some((byte) => byte !== 0) && (ip.length === 4 ? ip[0]! < 224 : ip[0] !== 0xff);

/** From one of our addresses to the packet's sender. `mtu`: of what is too big for it. */
export function errorPacket(failure: Failure, src: Ip, about: Frame, mtu = 0): Frame {
  const numbers = NUMBERS[failure][src.length === 4 ? 4 : 16];
  return packetAbout(numbers, src, about, (f, at) => put32(f, at + 4, mtu));
}

/** The next hop would do without us: RFC 792, page 12. */
export const redirectPacket = (next: Ip, src: Ip, about: Frame): Frame =>
  packetAbout([icmp.REDIRECT, icmp.REDIRECT_HOST], src, about, (f, at) =>
    put32(f, at + 4, ip4ToNumber(next)),
  );

function packetAbout(
  [type, code]: readonly [number, number],
  src: Ip,
  about: Frame,
  fill: (f: Frame, at: number) => void,
): Frame {
  const width = src.length === 4 ? 4 : 16;
  const told = about.view().subarray(packets.IP).slice(0, TOLD_MAX[width]);
  const protocol = width === 4 ? icmp.PROTOCOL : icmp.PROTOCOL6;
  const f = packets.ipPacket(
    { src, dst: packets.srcOf(about), protocol },
    icmp.HEADER + told.length,
  );
  const at = packets.payloadAt(f);
  put8(f, at, type);
  put8(f, at + 1, code);
  fill(f, at);
  f.bytes.set(told, f.start + at + icmp.HEADER);
  if (width === 4) icmp.fillChecksum4(f, packets.IP);
  else icmp.fillChecksum6(f, packets.IP);
  return f;
}

/** What an ICMP packet tells, if it is such an error. */
export function findFailure(f: Frame): Failure | undefined {
  const width = packets.isIpv6(f) ? 16 : 4;
  const at = packets.payloadAt(f);
  const protocol = width === 16 ? icmp.PROTOCOL6 : icmp.PROTOCOL;
  if (packets.protocolOf(f) !== protocol || !icmp.check(f, at)) return undefined;
  const [type, code] = [icmp.type(f, at), icmp.code(f, at)];
  return (Object.keys(NUMBERS) as Failure[]).find((failure) => {
    const [itsType, itsCode] = NUMBERS[failure][width];
    return type === itsType && code === itsCode;
  });
}

/** The packet that an error is about, as far as it is told; undefined: too little of it. */
export function findAbout(f: Frame): Frame | undefined {
  const start = packets.payloadAt(f) + icmp.HEADER;
  const about = Frame.of(new Uint8Array(packets.IP + Math.max(0, f.length - start)));
  ethernet.setType(about, ethernet.type(f));
  about.bytes.set(packets.bytesAt(f, start, f.length - start), packets.IP);
  return hasHeader(about) ? about : undefined;
}

/** The lengths are those of the whole packet. */
function hasHeader(about: Frame): boolean {
  if (packets.isIpv6(about)) return ipv6.check(about, packets.IP);
  const header = ipv4.headerLength(about, packets.IP);
  const isRight = ipv4.version(about, packets.IP) === 4 && header >= ipv4.MIN_HEADER;
  return isRight && packets.IP + header <= about.length;
}
