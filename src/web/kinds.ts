/** Kinds of packets, as the playground tells them apart by colour and shape. */
import * as ethernet from "../wire/ethernet.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as ndisc from "../wire/ndisc.ts";
import * as udp from "../wire/udp.ts";

export type Kind = "neighbour" | "icmp" | "transport" | "other";

export const KINDS: Readonly<Record<Kind, string>> = {
  neighbour: "ARP, ND",
  icmp: "ICMP",
  transport: "UDP, TCP",
  other: "other",
};

const PROTOCOL_TCP = 6;

export function kindOf(f: Frame): Kind {
  const at = ethernet.HEADER;
  switch (ethernet.type(f)) {
    case ethernet.ETH_P_ARP:
      return "neighbour";
    case ethernet.ETH_P_IP:
      return ofProtocol(ipv4.protocol(f, at));
    case ethernet.ETH_P_IPV6:
      return isNeighbour6(f, at) ? "neighbour" : ofProtocol(ipv6.nextHeader(f, at));
  }
  return "other";
}

function ofProtocol(protocol: number): Kind {
  if (protocol === icmp.PROTOCOL || protocol === icmp.PROTOCOL6) return "icmp";
  return protocol === udp.PROTOCOL || protocol === PROTOCOL_TCP ? "transport" : "other";
}

function isNeighbour6(f: Frame, at: number): boolean {
  if (!ndisc.isIcmp6(f, at)) return false;
  const type = ndisc.type(f, at);
  return type >= ndisc.ROUTER_SOLICITATION && type <= ndisc.REDIRECT;
}
