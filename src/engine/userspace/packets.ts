/** What the engine, not the driver, looks for in packets. */
import * as eth from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
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

/** Gives back the hop that forwarding in the master's namespace takes. 255 has no room for it. */
export function addHop(f: Frame): void {
  const at = eth.HEADER;
  switch (eth.type(f)) {
    case eth.ETH_P_IP:
      if (ipv4.ttl(f, at) < 255) ipv4.setTtl(f, at, ipv4.ttl(f, at) + 1);
      return;
    case eth.ETH_P_IPV6:
      if (ipv6.hopLimit(f, at) < 255) ipv6.setHopLimit(f, at, ipv6.hopLimit(f, at) + 1);
  }
}
