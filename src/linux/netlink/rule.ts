/** Policy routing rules: which packets ask which table. man: ip-rule(8). */
import { AttrWriter, attrs, header } from "./codec.ts";
import { NLM_F_CREATE, NLM_F_EXCL, RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from "./constants.ts";
import { pick, string } from "./pick.ts";
import type { NetlinkSocket } from "./socket.ts";

/** FR_ACT_…. */
const ACTIONS = { lookup: 1, goto: 2, blackhole: 6, unreachable: 7, prohibit: 8 } as const;
export type RuleAction = keyof typeof ACTIONS;

export interface RuleSpec {
  /** AF_…. */
  family: number;
  /** Lower ones are asked first. */
  priority: number;
  /** Left out: lookup. */
  action?: RuleAction;
  /** Which one to look up. */
  table?: number;
  /** Names of devices: of packets that come in here, that are to go out there. */
  iif?: string;
  oif?: string;
  /** Who made it, RTPROT_…: a mark to know it by. */
  protocol?: number;
}

export interface Rule extends Readonly<Omit<RuleSpec, "action">> {
  /** Undefined: one that this file does not know. */
  readonly action: RuleAction | undefined;
}

/** struct fib_rule_hdr. */
const FIB_RULE_HDR = 12;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_TABLE = 15;
const FRA_OIFNAME = 17;
const FRA_PROTOCOL = 21;
const RTPROT_UNSPEC = 0;

/** Throws EEXIST if the very same is there. */
export const addRule = (socket: NetlinkSocket, spec: RuleSpec): void => {
  const doing = `add rule ${spec.priority}`;
  socket.request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, encodeRule(spec), doing);
};

export const deleteRule = (socket: NetlinkSocket, spec: RuleSpec): void => {
  socket.request(RTM_DELRULE, 0, encodeRule(spec), `delete rule ${spec.priority}`);
};

export const dumpRules = (socket: NetlinkSocket, { family }: { family: number }): Rule[] =>
  socket
    .dump(RTM_GETRULE, fibRuleHdr(family, 0), "list rules")
    .map(({ payload }) => parseRule(payload));

/** Reads an RTM_NEWRULE or RTM_DELRULE. */
export function parseRule(payload: Uint8Array): Rule {
  const fixed = header(payload, FIB_RULE_HDR);
  const told = attrs(payload, FIB_RULE_HDR);
  const action = fixed.getUint8(7);
  const table = told.get(FRA_TABLE)?.u32() ?? fixed.getUint8(4);
  const protocol = told.get(FRA_PROTOCOL)?.u8();
  return {
    family: fixed.getUint8(0),
    priority: told.get(FRA_PRIORITY)?.u32() ?? 0, // not told of the first rule
    action: (Object.keys(ACTIONS) as RuleAction[]).find((name) => ACTIONS[name] === action),
    ...(table !== 0 && { table }),
    ...pick(told, { iif: FRA_IIFNAME, oif: FRA_OIFNAME }, string),
    ...(protocol !== undefined && protocol !== RTPROT_UNSPEC && { protocol }),
  };
}

function encodeRule({
  family,
  priority,
  action = "lookup",
  table,
  iif,
  oif,
  protocol,
}: RuleSpec): Uint8Array {
  const w = new AttrWriter(fibRuleHdr(family, ACTIONS[action])).u32(FRA_PRIORITY, priority);
  if (table !== undefined) w.u32(FRA_TABLE, table);
  if (iif !== undefined) w.string(FRA_IIFNAME, iif);
  if (oif !== undefined) w.string(FRA_OIFNAME, oif);
  if (protocol !== undefined) w.u8(FRA_PROTOCOL, protocol);
  return w.finish();
}

function fibRuleHdr(family: number, action: number): Uint8Array {
  const bytes = new Uint8Array(FIB_RULE_HDR);
  bytes[0] = family;
  bytes[7] = action;
  return bytes;
}
