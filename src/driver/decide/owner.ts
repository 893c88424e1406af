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

export const ownerOfDst = (port: DecisionPort, f: Frame): Slave => ownerOf(port, f, false);
export const ownerOfSrc = (port: DecisionPort, f: Frame): Slave => ownerOf(port, f, true);

function ownerOf(port: DecisionPort, f: Frame, ofSrc: boolean): Slave {
  if (!tagBeside(f) && eth.isTag(eth.type(f)))
    return ownerAt(port, f, eth.innerType(f), eth.HEADER + eth.TAG, ofSrc);
  return ownerAt(port, f, eth.type(f), eth.HEADER, ofSrc);
}

function ownerAt(port: DecisionPort, f: Frame, type: number, at: number, ofSrc: boolean): Slave {
  switch (type) {
    case eth.ETH_P_IP:
      if (!ipv4.check(f, at)) return NOBODY;
      return owner4(port, ofSrc ? ipv4.src(f, at) : ipv4.dst(f, at));
    case eth.ETH_P_IPV6:
      if (!ipv6.check(f, at)) return NOBODY;
      if (ndisc.isDadProbe(f, at)) return owner6(port, f, ndisc.targetAt(at));
      return owner6(port, f, ofSrc ? ipv6.srcAt(at) : ipv6.dstAt(at));
    case eth.ETH_P_ARP:
      if (!arp.check(f, at)) return NOBODY;
      return owner4(port, ofSrc ? arp.sender(f, at) : arp.target(f, at));
  }
  return NOBODY;
}
