/** Made of ../decide/receive.ts by scripts/explained.ts: change it there. */

import * as eth from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import { type DecisionPort, HOWTO, L2, L3S, NOBODY, PRIVATE, VEPA } from "../decide/machine.ts";
import { isTagged, ownerOfDst, ownerOfSrc } from "../decide/owner.ts";
import * as v from "../decide/verdict.ts";
import type { Rule, Told } from "./told.ts";

export const rules: readonly Rule[] = [
  {
    name: "R.1",
    words: "in l3s the hooks of the master's stack come first; a runt is the stack's to judge",
  },
  { name: "R.2", words: "in l2, to a group" },
  { name: "R.3", words: "the slave that has the address gets it, and else the master's own stack" },
  { name: "R.2", words: "PAUSE is no slave's" },
  {
    name: "R.2",
    words: "to a group: a copy to every slave that listens, and the master's own stack",
  },
  { name: "D1", words: "a flood of our own that comes back reaches no slave under private" },
  { name: "D2", words: "under vepa it reaches every slave but its sender" },
  {
    name: "R.2",
    words: "under bridge the slaves had it when it left; from the master itself they get it now",
  },
];
export const conditions: readonly string[] = [
  "f.length < eth.HEADER",
  "port.mode === L3S",
  "port.mode === L2",
  "eth.isGroup(f)",
  "to === NOBODY",
  "isPause(f)",
  "!eth.isFrom(f, port.macHigh, port.macLow)",
  "port.compat === HOWTO",
  "port.flag === PRIVATE",
  "port.compat === HOWTO",
  "port.flag === VEPA",
  "sender === NOBODY",
];

export function explained(told: Told): {
  readonly receive: (port: DecisionPort, f: Frame) => v.Verdict;
  readonly input: (port: DecisionPort, f: Frame) => v.Verdict;
} {
  /** Kernel: ipvlan_handle_frame(). */
  function receive(port: DecisionPort, f: Frame): v.Verdict {
    told.rule(0);
    if (told.condition(0, f.length < eth.HEADER) || told.condition(1, port.mode === L3S))
      return v.stack();
    told.rule(1);
    if (told.condition(2, port.mode === L2) && told.condition(3, eth.isGroup(f)))
      return receiveGroup(port, f);
    return input(port, f);
  }

  /** The owner of the destination, else the master's stack. In L3S asked behind the hooks. Kernel: ipvlan_nf_input(). */
  function input(port: DecisionPort, f: Frame): v.Verdict {
    const to = ownerOfDst(port, f);
    told.rule(2);
    return told.condition(4, to === NOBODY) ? v.stack() : v.deliver(to);
  }

  /** Kernel: ipvlan_handle_mode_l2() and ipvlan_external_frame(). */
  function receiveGroup(port: DecisionPort, f: Frame): v.Verdict {
    told.rule(3);
    if (told.condition(5, isPause(f))) return v.stack();
    told.rule(4);
    if (told.condition(6, !eth.isFrom(f, port.macHigh, port.macLow))) return v.floodInToAll();
    told.rule(5);
    if (told.condition(7, port.compat === HOWTO) && told.condition(8, port.flag === PRIVATE))
      return v.stack();
    const sender = ownerOfSrc(port, f);
    told.rule(6);
    if (told.condition(9, port.compat === HOWTO) && told.condition(10, port.flag === VEPA))
      return v.floodIn(sender);
    told.rule(7);
    return told.condition(11, sender === NOBODY) ? v.floodInToAll() : v.stack();
  }

  const isPause = (f: Frame): boolean =>
    (isTagged(f) && eth.isTag(eth.type(f)) ? eth.innerType(f) : eth.type(f)) === eth.ETH_P_PAUSE;

  return { receive, input };
}
