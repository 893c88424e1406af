/**
 * What the IP stack of the master's namespace does with a packet that it forwards: in L3S, on real devices,
 * every packet between the wire and a slave passes it. Told in the terms of the difference D6: what it lets
 * pass, and what it changes. Kernel: ip_rcv(), ip_route_input(), ip_forward(), ip6_rcv(), ip6_forward().
 */
import { formatIp, ip4FromNumber, ip6From } from "../../src/wire/address.ts";
import { checksum } from "../../src/wire/checksum.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { Frame, u8, u16 } from "../../src/wire/frame.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as ipv6 from "../../src/wire/ipv6.ts";
import type { Lab } from "./lab.ts";

const AT = eth.HEADER;

/** Whether it is forwarded at all: a sound header, hops left, addresses that may pass a router. */
export function isForwarded(lab: Lab, f: Frame): boolean {
  if (eth.type(f) === eth.ETH_P_IPV6)
    return (
      ipv6.check(f, AT) &&
      ipv6.payloadLength(f, AT) <= f.length - AT - ipv6.HEADER &&
      ipv6.hopLimit(f, AT) > 1 &&
      mayPass6(f, ipv6.srcAt(AT)) &&
      mayPass6(f, ipv6.dstAt(AT)) &&
      !isOfMaster(lab, formatIp(ip6From(f, ipv6.srcAt(AT))))
    );
  return (
    eth.type(f) === eth.ETH_P_IP &&
    ipv4.check(f, AT) &&
    checksum(f, AT, ipv4.headerLength(f, AT)) === 0 &&
    ipv4.ttl(f, AT) > 1 &&
    mayPass4(ipv4.src(f, AT)) &&
    mayPass4(ipv4.dst(f, AT)) &&
    !isOfMaster(lab, formatIp(ip4FromNumber(ipv4.src(f, AT))))
  );
}

/** A packet of one's own does not come in from outside: it is a martian. */
const isOfMaster = (lab: Lab, address: string): boolean =>
  lab.master.addresses.some(({ ip }) => formatIp(ip) === address);

/** Not 0/8, 127/8, a group or broadcast. */
const mayPass4 = (addr: number): boolean =>
  addr >>> 24 !== 0 && !ipv4.isLoopback(addr) && addr >>> 28 < 14;

/** Not unspecified or loopback, not of link-local scope, not a group: RFC 4291 §2.5. */
const mayPass6 = (f: Frame, at: number): boolean =>
  u16(f, at) !== 0 && u16(f, at) >>> 6 !== 0xfe80 >>> 6 && !ipv6.isMulticast(f, at);

/** Without what follows the packet: padding of the frame. */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  const f = Frame.of(bytes);
  const length =
    eth.type(f) === eth.ETH_P_IPV6
      ? ipv6.HEADER + ipv6.payloadLength(f, AT)
      : ipv4.totalLength(f, AT);
  const isSound = eth.type(f) === eth.ETH_P_IPV6 ? ipv6.check(f, AT) : ipv4.check(f, AT);
  return isSound && AT + length < bytes.length ? bytes.slice(0, AT + length) : bytes;
}

const OPTION_NOOP = 1;

/** Record route, timestamp and the like: a router writes into them. RFC 791 §3.1. */
export const hasRouterOptions = (f: Frame): boolean =>
  eth.type(f) === eth.ETH_P_IP &&
  ipv4.headerLength(f, AT) > ipv4.MIN_HEADER &&
  u8(f, AT + ipv4.MIN_HEADER) > OPTION_NOOP;
