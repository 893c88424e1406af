/** Which slave owns an address of the frame. Kernel: ipvlan_get_L3_hdr() and ipvlan_addr_lookup(). */
import * as arp from "../../wire/arp.ts";
import * as eth from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import * as ndisc from "../../wire/ndisc.ts";
import { type DecisionPort, NOBODY, owner4, owner6, type Slave, tagBeside } from "./machine.ts";

/** One tag is set aside; what has a second one has no owner. */
export const isTagged = (f: Frame): boolean => tagBeside(f) || eth.isTag(eth.type(f));

export function ownerOfDst(port: DecisionPort, f: Frame): Slave {
  if (!tagBeside(f) && eth.isTag(eth.type(f)))
    return dstOwnerAt(port, f, eth.innerType(f), eth.HEADER + eth.TAG);
  return dstOwnerAt(port, f, eth.type(f), eth.HEADER);
}

export function ownerOfSrc(port: DecisionPort, f: Frame): Slave {
  if (!tagBeside(f) && eth.isTag(eth.type(f)))
    return srcOwnerAt(port, f, eth.innerType(f), eth.HEADER + eth.TAG);
  return srcOwnerAt(port, f, eth.type(f), eth.HEADER);
}

function dstOwnerAt(port: DecisionPort, f: Frame, type: number, at: number): Slave {
  switch (type) {
    case eth.ETH_P_IP:
      return ipv4.check(f, at) ? owner4(port, ipv4.dst(f, at)) : NOBODY;
    case eth.ETH_P_IPV6:
      if (!ipv6.check(f, at)) return NOBODY;
      return owner6(port, f, ndisc.isDadProbe(f, at) ? ndisc.targetAt(at) : ipv6.dstAt(at));
    case eth.ETH_P_ARP:
      return arp.check(f, at) ? owner4(port, arp.target(f, at)) : NOBODY;
  }
  return NOBODY;
}

function srcOwnerAt(port: DecisionPort, f: Frame, type: number, at: number): Slave {
  switch (type) {
    case eth.ETH_P_IP:
      return ipv4.check(f, at) ? owner4(port, ipv4.src(f, at)) : NOBODY;
    case eth.ETH_P_IPV6:
      if (!ipv6.check(f, at)) return NOBODY;
      return owner6(port, f, ndisc.isDadProbe(f, at) ? ndisc.targetAt(at) : ipv6.srcAt(at));
    case eth.ETH_P_ARP:
      return arp.check(f, at) ? owner4(port, arp.sender(f, at)) : NOBODY;
  }
  return NOBODY;
}
