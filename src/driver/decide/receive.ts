/** What happens to a frame that the master receives from the wire. Rules are named as in xmit.ts. */
import * as eth from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import { type DecisionPort, HOWTO, L2, L3S, NOBODY, PRIVATE, VEPA } from "./machine.ts";
import { isTagged, ownerOfDst, ownerOfSrc } from "./owner.ts";
import * as v from "./verdict.ts";

/** Kernel: ipvlan_handle_frame(). */
export function receive(port: DecisionPort, f: Frame): v.Verdict {
  // R.1: in l3s the hooks of the master's stack come first; a runt is the stack's to judge
  if (f.length < eth.HEADER || port.mode === L3S) return v.stack();
  // R.2: in l2, to a group
  if (port.mode === L2 && eth.isGroup(f)) return receiveGroup(port, f);
  return input(port, f);
}

/** The owner of the destination, else the master's stack. In L3S asked behind the hooks. Kernel: ipvlan_nf_input(). */
export function input(port: DecisionPort, f: Frame): v.Verdict {
  const to = ownerOfDst(port, f);
  // R.3: the slave that has the address gets it, and else the master's own stack
  return to === NOBODY ? v.stack() : v.deliver(to);
}

/** Kernel: ipvlan_handle_mode_l2() and ipvlan_external_frame(). */
function receiveGroup(port: DecisionPort, f: Frame): v.Verdict {
  // R.2: PAUSE is no slave's
  if (isPause(f)) return v.stack();
  // R.2: to a group: a copy to every slave that listens, and the master's own stack
  if (!eth.isFrom(f, port.macHigh, port.macLow)) return v.floodInToAll();
  // D1: a flood of our own that comes back reaches no slave under private
  if (port.compat === HOWTO && port.flag === PRIVATE) return v.stack();
  const sender = ownerOfSrc(port, f);
  // D2: under vepa it reaches every slave but its sender
  if (port.compat === HOWTO && port.flag === VEPA) return v.floodIn(sender);
  // R.2: under bridge the slaves had it when it left; from the master itself they get it now
  return sender === NOBODY ? v.floodInToAll() : v.stack();
}

const isPause = (f: Frame): boolean =>
  (isTagged(f) && eth.isTag(eth.type(f)) ? eth.innerType(f) : eth.type(f)) === eth.ETH_P_PAUSE;
