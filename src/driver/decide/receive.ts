/** What happens to a frame that the master receives from the wire. */
import * as eth from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import { type DecisionPort, HOWTO, L2, L3S, NOBODY, PRIVATE, VEPA } from "./machine.ts";
import { isTagged, ownerOfDst, ownerOfSrc } from "./owner.ts";
import * as v from "./verdict.ts";

/** Kernel: ipvlan_handle_frame(). */
export function receive(port: DecisionPort, f: Frame): v.Verdict {
  if (f.length < eth.HEADER || port.mode === L3S) return v.stack(); // L3S: `input`, behind the hooks
  if (port.mode === L2 && eth.isGroup(f)) return receiveGroup(port, f);
  return input(port, f);
}

/** The owner of the destination, else the master's stack. In L3S asked behind the hooks. Kernel: ipvlan_nf_input(). */
export function input(port: DecisionPort, f: Frame): v.Verdict {
  const to = ownerOfDst(port, f);
  return to === NOBODY ? v.stack() : v.deliver(to);
}

/** Kernel: ipvlan_handle_mode_l2() and ipvlan_external_frame(). */
function receiveGroup(port: DecisionPort, f: Frame): v.Verdict {
  if (isPause(f)) return v.stack();
  if (!eth.isFrom(f, port.macHigh, port.macLow)) return v.floodInToAll();
  // A frame of our own comes back.
  if (port.compat === HOWTO && port.flag === PRIVATE) return v.stack(); // D1
  const sender = ownerOfSrc(port, f);
  if (port.compat === HOWTO && port.flag === VEPA) return v.floodIn(sender); // D2
  return sender === NOBODY ? v.floodInToAll() : v.stack();
}

const isPause = (f: Frame): boolean =>
  (isTagged(f) && eth.isTag(eth.type(f)) ? eth.innerType(f) : eth.type(f)) === eth.ETH_P_PAUSE;
