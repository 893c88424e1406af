/** Who reaches whom: every end pings every other in a copy of the host, so that nothing of it is seen there. */

import { wordsOf } from "../sim/losses.ts";
import type { Namespace } from "../sim/namespace.ts";
import type { Loss } from "../sim/recorder.ts";
import { tellPlace } from "../sim/tell.ts";
import { formatIp, type Ip, isLinkLocal6 } from "../wire/address.ts";
import { decisionsOf, hopsOf, lossesOf, type Packet, Record, startOf } from "./record.ts";
import { Session } from "./session.ts";

/** Namespaces that ping each other; the others are left out. */
const ENDS_MAX = 24;
/** Until new addresses are known to be nobody else's. */
const SETTLE_MS = 3000;
/** Longer than it takes to give up on a neighbour, three questions of a second each. */
const ANSWER_MS = 3500;

export const FAMILIES = ["v4", "v6"] as const;
export type Family = (typeof FAMILIES)[number];

export interface Answered {
  /** What was pinged. */
  readonly to: string;
  /** Why not; undefined: it answered. */
  readonly reason?: string;
}

export interface Reach {
  readonly ends: readonly string[];
  /** Undefined: one of them has no address of this family. */
  find(from: string, to: string, family: Family): Answered | undefined;
}

/** A pair at a time, for who has something else to do meanwhile. */
export function* ask(lines: readonly string[]): Generator<undefined, Reach, undefined> {
  const { world } = Session.of(lines);
  world.clock.run(SETTLE_MS);
  const ends = [...world.namespaces.values()].slice(0, ENDS_MAX);
  const answers = new Map<string, Answered>();
  for (const from of ends)
    for (const to of ends)
      for (const family of FAMILIES) {
        const ip = addressOf(to, family);
        if (from === to || ip === undefined || addressOf(from, family) === undefined) continue;
        answers.set(keyOf(from.name, to.name, family), ping(world.simulation, from, ip));
        yield;
      }
  return {
    ends: ends.map(({ name }) => name),
    find: (from, to, family) => answers.get(keyOf(from, to, family)),
  };
}

const keyOf = (from: string, to: string, family: Family): string => `${family} ${from} ${to}`;

/** The first of the namespace that is not for its link or itself alone. */
function addressOf(netns: Namespace, family: Family): Ip | undefined {
  const width = family === "v4" ? 4 : 16;
  return netns.devices
    .filter((device) => !device.isLoopback && device.isUp)
    .flatMap((device) => netns.addressesOf(device))
    .map(({ ip }) => ip)
    .find((ip) => ip.length === width && !isLinkLocal6(ip) && ip[0] !== 127);
}

function ping(simulation: Session["world"]["simulation"], from: Namespace, ip: Ip): Answered {
  const record = new Record(simulation);
  const to = formatIp(ip);
  let isAnswered: boolean | undefined;
  simulation.witness = record.witness;
  const hasWay = from.ping(ip, ANSWER_MS, (heard) => {
    isAnswered = heard !== undefined && heard.failure === undefined;
  });
  if (!hasWay) return { to, reason: `${from.name} has no route to ${to}` };
  simulation.clock.run(ANSWER_MS + 1, () => isAnswered !== undefined);
  simulation.witness = undefined;
  return isAnswered === true ? { to } : { to, reason: whyNot(record.packets, to) };
}

/** Where the request or the answer was lost; if for want of a neighbour, what became of the question for him. */
function whyNot(packets: readonly Packet[], to: string): string {
  const echoes = packets.filter(({ kind }) => kind === "icmp");
  const lost = echoes
    .flatMap((packet) => lossesOf(packet).map((loss) => ({ packet, loss })))
    .at(-1);
  if (lost === undefined) return `nobody answered for ${to}`;
  const place = tellPlace(lost.loss.at);
  const what = `${lost.packet.text}: lost at ${place}${ruleOf(lost)}, ${lost.loss.reason}: ${wordsOf(lost.loss.reason)}`;
  const questions = packets.filter(
    (packet) => packet.text.includes("who-has") && startOf(packet) === place,
  );
  if (lost.loss.reason !== NOBODY || questions.length === 0) return what;
  const [end] = questions.flatMap(lossesOf);
  if (end !== undefined)
    return `${what}; the question was lost at ${tellPlace(end.at)}, ${end.reason}: ${wordsOf(end.reason)}`;
  const places = questions.flatMap(hopsOf).map(({ to }) => tellPlace(to));
  return `${what}; the question came to ${[...new Set(places)].join(", ")}`;
}

/** By which a port has dropped it, if one has. */
function ruleOf({ packet, loss }: { readonly packet: Packet; readonly loss: Loss }): string {
  const decision = decisionsOf(packet).at(-1);
  if (decision === undefined || decision.explanation.reason !== loss.reason) return "";
  return ` by rule ${decision.explanation.rule.name}`;
}

/** What a stack says when it has asked for a neighbour in vain. */
const NOBODY = "no-host";
