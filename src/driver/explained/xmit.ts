/** Made of ../decide/xmit.ts by scripts/explained.ts: change it there. */

import * as eth from "../../wire/ethernet.ts";
import { type Frame, u16, u32 } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import * as ndisc from "../../wire/ndisc.ts";
import {
  BRIDGE,
  type DecisionPort,
  HOWTO,
  KERNEL,
  L2,
  NOBODY,
  PRIVATE,
  VEPA,
} from "../decide/machine.ts";
import { isTagged, ownerOfDst } from "../decide/owner.ts";
import * as v from "../decide/verdict.ts";
import type { Rule, Told } from "./told.ts";

export const rules: readonly Rule[] = [
  { name: "X.1", words: "what is shorter than an Ethernet header goes nowhere" },
  { name: "X.2", words: "in l2 by its MAC first; in l3 and l3s by its packet" },
  { name: "D4", words: "a source MAC that is not the port's goes nowhere" },
  { name: "L2.1", words: "to the own MAC, and not vepa: the neighbour is on this very master" },
  { name: "L2.3", words: "to any other single MAC: out of the master, unchanged" },
  { name: "L2.2", words: "to a group: PAUSE stays here" },
  {
    name: "D10",
    words: "a probe for the link-local address that all slaves would share is swallowed",
  },
  {
    name: "L2.2",
    words:
      "to a group: a copy to every other slave that listens, and out; private and vepa (D1, D2): out only",
  },
  { name: "L2.1", words: "no slave has the address: up to the master's own stack" },
  {
    name: "D3",
    words: "Linux hands a tagged frame up through the master, which judges it as one from the wire",
  },
  { name: "L3.1", words: "not vepa, and a slave has the address" },
  { name: "L3.2", words: "groups go nowhere, nor does what is not IP" },
  { name: "F.1", words: "under private slaves never reach each other" },
  { name: "F.2", words: "else the slave that has the address gets it" },
  { name: "L3.3", words: "the master's namespace routes it, out of the master" },
];
export const conditions: readonly string[] = [
  "f.length < eth.HEADER",
  "port.mode === L2",
  "port.compat === HOWTO",
  "!eth.isFrom(f, port.macHigh, port.macLow)",
  "port.flag !== VEPA",
  "eth.isLocal(f)",
  "!eth.isGroup(f)",
  "isPause(f)",
  "isSharedProbe(port, f)",
  "port.flag === BRIDGE",
  "port.compat === KERNEL",
  "to === NOBODY",
  "port.compat === KERNEL",
  "isTagged(f)",
  "!isTagged(f)",
  "port.flag !== VEPA",
  "to !== NOBODY",
  "eth.isGroup(f)",
  "isTagged(f)",
  "port.flag === PRIVATE",
  "f.length < at + ipv4.MIN_HEADER",
  "ipv4.isLoopback(ipv4.src(f, at))",
  "isGroup4(ipv4.dst(f, at))",
  "f.length < at + ipv6.HEADER",
];

export function explained(told: Told): {
  readonly xmit: (port: DecisionPort, f: Frame) => v.Verdict;
} {
  /** Kernel: ipvlan_queue_xmit(). */
  function xmit(port: DecisionPort, f: Frame): v.Verdict {
    told.rule(0);
    if (told.condition(0, f.length < eth.HEADER)) return v.drop(v.RUNT);
    told.rule(1);
    return told.condition(1, port.mode === L2) ? xmitL2(port, f) : xmitL3(port, f);
  }

  /** Kernel: ipvlan_xmit_mode_l2(). */
  function xmitL2(port: DecisionPort, f: Frame): v.Verdict {
    told.rule(2);
    if (
      told.condition(2, port.compat === HOWTO) &&
      told.condition(3, !eth.isFrom(f, port.macHigh, port.macLow))
    )
      return v.drop(v.FORGED_MAC);
    told.rule(3);
    if (told.condition(4, port.flag !== VEPA) && told.condition(5, eth.isLocal(f)))
      return xmitLocal(port, f);
    told.rule(4);
    if (told.condition(6, !eth.isGroup(f))) return v.wire();
    told.rule(5);
    if (told.condition(7, isPause(f))) return v.drop(v.PAUSE_FRAME);
    told.rule(6);
    if (told.condition(8, isSharedProbe(port, f))) return v.drop(v.SHARED_PROBE);
    told.rule(7);
    return told.condition(9, port.flag === BRIDGE) || told.condition(10, port.compat === KERNEL)
      ? v.floodOut()
      : v.wire();
  }

  /** The neighbour is on this very master. */
  function xmitLocal(port: DecisionPort, f: Frame): v.Verdict {
    const to = ownerOfDst(port, f);
    told.rule(8);
    if (told.condition(11, to === NOBODY)) return v.stack();
    told.rule(9);
    if (told.condition(12, port.compat === KERNEL) && told.condition(13, isTagged(f)))
      return v.deliver(to);
    return toSlave(port, to);
  }

  /** Kernel: ipvlan_xmit_mode_l3() and ipvlan_process_outbound(). */
  function xmitL3(port: DecisionPort, f: Frame): v.Verdict {
    told.rule(10);
    if (told.condition(14, !isTagged(f)) && told.condition(15, port.flag !== VEPA)) {
      const to = ownerOfDst(port, f);
      if (told.condition(16, to !== NOBODY)) return toSlave(port, to);
    }
    told.rule(11);
    if (told.condition(17, eth.isGroup(f))) return v.drop(v.GROUP_IN_L3);
    if (told.condition(18, isTagged(f))) return v.drop(v.NOT_IP);
    return toRoute(f);
  }

  function toSlave(port: DecisionPort, to: number): v.Verdict {
    told.rule(12);
    if (told.condition(19, port.flag === PRIVATE)) return v.drop(v.ISOLATED);
    told.rule(13);
    return v.deliver(to);
  }

  /** Enough of an IP header for routing, which judges the rest. Kernel: ipvlan_process_v4_outbound(). */
  function toRoute(f: Frame): v.Verdict {
    const at = eth.HEADER;
    told.rule(14);
    switch (eth.type(f)) {
      case eth.ETH_P_IP:
        if (told.condition(20, f.length < at + ipv4.MIN_HEADER)) return v.drop(v.NOT_IP);
        if (told.condition(21, ipv4.isLoopback(ipv4.src(f, at)))) return v.drop(v.BAD_SOURCE);
        return told.condition(22, isGroup4(ipv4.dst(f, at))) ? v.drop(v.GROUP_IN_L3) : v.route();
      case eth.ETH_P_IPV6:
        return told.condition(23, f.length < at + ipv6.HEADER) ? v.drop(v.NOT_IP) : v.route();
    }
    return v.drop(v.NOT_IP);
  }

  const isGroup4 = (addr: number): boolean =>
    ipv4.isMulticast(addr) || ipv4.isLimitedBroadcast(addr);

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

  return { xmit };
}
