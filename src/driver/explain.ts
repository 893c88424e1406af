/**
 * Why a frame meets its fate: the rules that the decision came to, in order, with their conditions as they stand in the
 * code, what the port answered, and the verdict. It is the decision itself that tells (`explained/`); nothing of it is
 * written here a second time. For people: it allocates.
 */
import { formatIp, formatMac, ip4FromNumber, ip6From, macFrom } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import type { DecisionPort, Slave } from "./decide/machine.ts";
import { NOBODY } from "./decide/machine.ts";
import * as v from "./decide/verdict.ts";
import * as receiving from "./explained/receive.ts";
import type { Rule, Told } from "./explained/told.ts";
import * as sending from "./explained/xmit.ts";
import { compats, flags, modes } from "./settings.ts";
import { reasons } from "./statistics.ts";

export type { Rule } from "./explained/told.ts";

/** Where a port decides: on what a slave sends, on what the master receives, and behind the hooks in L3S. */
export type Hook = "xmit" | "receive" | "input";

export interface Condition {
  /** As it is written in src/driver/decide. */
  readonly code: string;
  readonly answer: boolean;
  /** What of the port it depends on, in words: `flag private`, `10.0.0.11 is slave 2's`. */
  readonly facts: readonly string[];
}

/** A rule that was come to; without a name: what is asked before the first. */
export interface Step {
  readonly rule: Rule | undefined;
  readonly conditions: readonly Condition[];
  /** Whether it decided, or led on to those that did. */
  readonly holds: boolean;
}

export interface Explanation {
  readonly steps: readonly Step[];
  readonly verdict: v.Verdict;
  /** Of a drop, by the names of `reasons`. */
  readonly reason: string | undefined;
  /** The last rule that was come to: the verdict is its. */
  readonly rule: Rule;
}

export interface ExplainOptions {
  /** What a slave is called; else by its number. */
  readonly nameOf?: (slave: Slave) => string;
}

/** Of any frame. */
export function explain(
  port: DecisionPort,
  hook: Hook,
  f: Frame,
  { nameOf = (slave) => `slave ${slave}` }: ExplainOptions = {},
): Explanation {
  let facts: string[] = [];
  const steps: { rule: Rule | undefined; conditions: Condition[] }[] = [];
  const { rules, conditions } = hook === "xmit" ? sending : receiving;
  const told: Told = {
    rule: (number) => void steps.push({ rule: rules[number], conditions: [] }),
    condition: (number, answer) => {
      if (steps.length === 0) steps.push({ rule: undefined, conditions: [] });
      steps.at(-1)!.conditions.push({ code: conditions[number]!, answer, facts });
      facts = [];
      return answer;
    },
  };
  const note = <T>(value: T, fact: string): T => {
    if (!facts.includes(fact)) facts.push(fact);
    return value;
  };
  const owned = (ip: string, slave: Slave) =>
    note(slave, slave === NOBODY ? `no slave has ${ip}` : `${ip} is ${nameOf(slave)}'s`);
  const macFact = `the port's MAC is ${formatMac(macFrom(port.macHigh, port.macLow))}`;
  const heard: DecisionPort = {
    get mode() {
      return note(port.mode, `mode ${nameIn(modes, port.mode)}`);
    },
    get flag() {
      return note(port.flag, `flag ${nameIn(flags, port.flag)}`);
    },
    get compat() {
      return note(port.compat, `compat ${nameIn(compats, port.compat)}`);
    },
    get macHigh() {
      return note(port.macHigh, macFact);
    },
    get macLow() {
      return note(port.macLow, macFact);
    },
    addresses: {
      find4: (addr) => owned(formatIp(ip4FromNumber(addr >>> 0)), port.addresses.find4(addr)),
      find6: (frame, at) => owned(formatIp(ip6From(frame, at)), port.addresses.find6(frame, at)),
    },
  };
  const verdict =
    hook === "xmit"
      ? sending.explained(told).xmit(heard, f)
      : receiving.explained(told)[hook](heard, f);
  const reason = v.kind(verdict) === v.DROP ? reasons[v.value(verdict)] : undefined;
  return { steps: steps.map(withHolds), verdict, reason, rule: steps.at(-1)!.rule! };
}

/** The last condition that is asked of a rule, in `a && b` as in `a || b`, is the one that says whether it holds. */
function withHolds(step: Omit<Step, "holds">, at: number, { length }: { length: number }): Step {
  return { ...step, holds: at === length - 1 || step.conditions.at(-1)?.answer === true };
}

const nameIn = (numbers: Readonly<Record<string, number>>, number: number): string =>
  Object.keys(numbers).find((name) => numbers[name] === number) ?? `${number}`;
