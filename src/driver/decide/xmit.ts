/** What happens to a frame that a slave sends. */
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
  if (f.length < eth.HEADER) return v.drop(v.RUNT);
  return port.mode === L2 ? xmitL2(port, f) : xmitL3(port, f);
}

/** Kernel: ipvlan_xmit_mode_l2(). */
function xmitL2(port: DecisionPort, f: Frame): v.Verdict {
  if (port.compat === HOWTO && !eth.isFrom(f, port.macHigh, port.macLow))
    return v.drop(v.FORGED_MAC); // D4
  if (port.flag !== VEPA && eth.isLocal(f)) return xmitLocal(port, f);
  if (!eth.isGroup(f)) return v.wire();
  if (isPause(f)) return v.drop(v.PAUSE_FRAME);
  if (isSharedProbe(port, f)) return v.drop(v.SHARED_PROBE); // D10
  return port.flag === BRIDGE || port.compat === KERNEL ? v.floodOut() : v.wire(); // D1, D2
}

/** The neighbour is on this very master. */
function xmitLocal(port: DecisionPort, f: Frame): v.Verdict {
  const to = ownerOfDst(port, f);
  if (to === NOBODY) return v.stack();
  // D3: Linux hands a tagged frame up through the master, which judges it as one from the wire.
  if (port.compat === KERNEL && isTagged(f)) return v.deliver(to);
  return toSlave(port, to);
}

/** Kernel: ipvlan_xmit_mode_l3() and ipvlan_process_outbound(). */
function xmitL3(port: DecisionPort, f: Frame): v.Verdict {
  if (!isTagged(f) && port.flag !== VEPA) {
    const to = ownerOfDst(port, f);
    if (to !== NOBODY) return toSlave(port, to);
  }
  if (eth.isGroup(f)) return v.drop(v.GROUP_IN_L3);
  if (isTagged(f)) return v.drop(v.NOT_IP);
  return toRoute(f);
}

const toSlave = (port: DecisionPort, to: number): v.Verdict =>
  port.flag === PRIVATE ? v.drop(v.ISOLATED) : v.deliver(to);

/** Enough of an IP header for routing, which judges the rest. Kernel: ipvlan_process_v4_outbound(). */
function toRoute(f: Frame): v.Verdict {
  const at = eth.HEADER;
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
