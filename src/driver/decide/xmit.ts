/**
 * What happens to a frame that a slave sends. A comment that begins with a rule's name says it in words; what explains a
 * verdict (../explain.ts) says it from here.
 */
import * as eth from "../../wire/ethernet.ts";
import { type Frame, u16, u32 } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import * as ndisc from "../../wire/ndisc.ts";
import { BRIDGE, type DecisionPort, HOWTO, KERNEL, L2, NOBODY, PRIVATE, VEPA } from "./machine.ts";
import { isTagged, ownerOfDst } from "./owner.ts";
import * as v from "./verdict.ts";

/** Kernel: ipvlan_queue_xmit(). */
export function xmit(port: DecisionPort, f: Frame): v.Verdict {
  // X.1: what is shorter than an Ethernet header goes nowhere
  if (f.length < eth.HEADER) return v.drop(v.RUNT);
  // X.2: in l2 by its MAC first; in l3 and l3s by its packet
  return port.mode === L2 ? xmitL2(port, f) : xmitL3(port, f);
}

/** Kernel: ipvlan_xmit_mode_l2(). */
function xmitL2(port: DecisionPort, f: Frame): v.Verdict {
  // D4: a source MAC that is not the port's goes nowhere
  if (port.compat === HOWTO && !eth.isFrom(f, port.macHigh, port.macLow))
    return v.drop(v.FORGED_MAC);
  // L2.1: to the own MAC, and not vepa: the neighbour is on this very master
  if (port.flag !== VEPA && eth.isLocal(f)) return xmitLocal(port, f);
  // L2.3: to any other single MAC: out of the master, unchanged
  if (!eth.isGroup(f)) return v.wire();
  // L2.2: to a group: PAUSE stays here
  if (isPause(f)) return v.drop(v.PAUSE_FRAME);
  // D10: a probe for the link-local address that all slaves would share is swallowed
  if (isSharedProbe(port, f)) return v.drop(v.SHARED_PROBE);
  // L2.2: to a group: a copy to every other slave that listens, and out; private and vepa (D1, D2): out only
  return port.flag === BRIDGE || port.compat === KERNEL ? v.floodOut() : v.wire();
}

/** The neighbour is on this very master. */
function xmitLocal(port: DecisionPort, f: Frame): v.Verdict {
  const to = ownerOfDst(port, f);
  // L2.1: no slave has the address: up to the master's own stack
  if (to === NOBODY) return v.stack();
  // D3: Linux hands a tagged frame up through the master, which judges it as one from the wire
  if (port.compat === KERNEL && isTagged(f)) return v.deliver(to);
  return toSlave(port, to);
}

/** Kernel: ipvlan_xmit_mode_l3() and ipvlan_process_outbound(). */
function xmitL3(port: DecisionPort, f: Frame): v.Verdict {
  // L3.1: not vepa, and a slave has the address
  if (!isTagged(f) && port.flag !== VEPA) {
    const to = ownerOfDst(port, f);
    if (to !== NOBODY) return toSlave(port, to);
  }
  // L3.2: groups go nowhere, nor does what is not IP
  if (eth.isGroup(f)) return v.drop(v.GROUP_IN_L3);
  if (isTagged(f)) return v.drop(v.NOT_IP);
  return toRoute(f);
}

function toSlave(port: DecisionPort, to: number): v.Verdict {
  // F.1: under private slaves never reach each other
  if (port.flag === PRIVATE) return v.drop(v.ISOLATED);
  // F.2: else the slave that has the address gets it
  return v.deliver(to);
}

/** Enough of an IP header for routing, which judges the rest. Kernel: ipvlan_process_v4_outbound(). */
function toRoute(f: Frame): v.Verdict {
  const at = eth.HEADER;
  // L3.3: the master's namespace routes it, out of the master
  switch (eth.type(f)) {
    case eth.ETH_P_IP:
      if (f.length < at + ipv4.MIN_HEADER) return v.drop(v.NOT_IP);
      if (ipv4.isLoopback(ipv4.src(f, at))) return v.drop(v.BAD_SOURCE);
      return isGroup4(ipv4.dst(f, at)) ? v.drop(v.GROUP_IN_L3) : v.route();
    case eth.ETH_P_IPV6:
      return f.length < at + ipv6.HEADER ? v.drop(v.NOT_IP) : v.route();
  }
  return v.drop(v.NOT_IP);
}

const isGroup4 = (addr: number): boolean => ipv4.isMulticast(addr) || ipv4.isLimitedBroadcast(addr);

const isPause = (f: Frame): boolean => !isTagged(f) && eth.type(f) === eth.ETH_P_PAUSE;

/**
 * A probe for the link-local address that every slave would form from the shared MAC (RFC 4291 appendix A).
 * Let through, it would make two slaves give the address up; the port hands out others (driver/link-local.ts).
 */
function isSharedProbe(port: DecisionPort, f: Frame): boolean {
  const at = eth.HEADER;
  if (isTagged(f) || eth.type(f) !== eth.ETH_P_IPV6) return false;
  if (!ipv6.check(f, at) || !ndisc.isDadProbe(f, at)) return false;
  const target = ndisc.targetAt(at);
  return (
    u32(f, target) === 0xfe800000 &&
    u32(f, target + 4) === 0 &&
    u16(f, target + 8) === (port.macHigh ^ 0x0200) &&
    u32(f, target + 10) ===
      (((port.macLow >>> 24) << 24) | 0x00fffe00 | ((port.macLow >>> 16) & 0xff)) >>> 0 &&
    u16(f, target + 14) === (port.macLow & 0xffff)
  );
}
