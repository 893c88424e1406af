/** What the engine, not the driver, looks for in packets. */
import * as eth from "../../wire/ethernet.ts";
import { type Frame, u32 } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";

const IGMP = 2;
const HOP_BY_HOP = 0;

/**
 * Whether a slave's stack tells of a group joined or left: IGMP (RFC 3376), or MLD (RFC 3810), the only thing
 * that sends groups a hop-by-hop header. Then its filter is read anew.
 */
export function isMembershipReport(f: Frame): boolean {
  if (!eth.isGroup(f)) return false;
  const at = eth.HEADER;
  switch (eth.type(f)) {
    case eth.ETH_P_IP:
      return ipv4.protocol(f, at) === IGMP;
    case eth.ETH_P_IPV6:
      return ipv6.nextHeader(f, at) === HOP_BY_HOP;
  }
  return false;
}

/** Whether two packets, each IPv4 or IPv6, are for the same address. */
export function haveSameDst(f: Frame, g: Frame): boolean {
  if (eth.type(f) !== eth.type(g)) return false;
  if (eth.type(f) === eth.ETH_P_IP) return ipv4.dst(f, eth.HEADER) === ipv4.dst(g, eth.HEADER);
  const at = ipv6.dstAt(eth.HEADER);
  for (let i = at; i < at + 16; i += 4) if (u32(f, i) !== u32(g, i)) return false;
  return true;
}

/** Gives back the hop that forwarding in the master's namespace takes; false for 255, which has no room for it. */
export function addHop(f: Frame): boolean {
  const at = eth.HEADER;
  switch (eth.type(f)) {
    case eth.ETH_P_IP: {
      const ttl = ipv4.ttl(f, at);
      if (ttl < 255) ipv4.setTtl(f, at, ttl + 1);
      return ttl < 255;
    }
    case eth.ETH_P_IPV6: {
      const limit = ipv6.hopLimit(f, at);
      if (limit < 255) ipv6.setHopLimit(f, at, limit + 1);
      return limit < 255;
    }
  }
  return true;
}
