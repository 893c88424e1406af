/** `conntrack -L` of the simulated host. */
import { formatIp } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import type { Clock } from "../clock.ts";
import type { Connection } from "../conntrack.ts";
import type { Namespace } from "../namespace.ts";
import { ECHO, type Tuple } from "../tuple.ts";
import { unknown } from "./common.ts";
import { formatProtocol } from "./nft-rule.ts";

/** `conntrack { -L | -F } [ -f { ipv4 | ipv6 } ]`. What it prints. */
export function conntrack(netns: Namespace, clock: Clock, words: readonly string[]): string {
  const [verb = "", option, family = "ipv4", more] = words;
  const width = { ipv4: 4, ipv6: 16 }[family];
  const isRight = (verb === "-L" || verb === "-F") && (option ?? "-f") === "-f";
  if (!isRight || width === undefined || more !== undefined)
    throw unknown(words.join(" "), "conntrack", "-L and -F, with -f ipv4 or -f ipv6");
  const table = netns.netfilter?.conntrack;
  if (verb === "-F") table?.clear();
  return (table?.list() ?? [])
    .filter(({ original }) => original.src.length === width)
    .map((connection) => format(connection, clock.nowMs))
    .join("");
}

function format({ original, reply, isReplied, tcp, untilMs }: Connection, nowMs: number): string {
  const { protocol } = original;
  const name = formatName(protocol).padEnd(8);
  const seconds = Math.ceil((untilMs - nowMs) / 1000);
  const state = tcp === undefined ? "" : `${tcp} `;
  const unreplied = isReplied ? "" : "[UNREPLIED] ";
  return `${name} ${protocol} ${seconds} ${state}${ends(original)} ${unreplied}${ends(reply)}\n`;
}

const formatName = (protocol: number): string =>
  protocol === icmp.PROTOCOL6 ? "icmpv6" : formatProtocol(protocol);

function ends({ protocol, src, dst, srcPort, dstPort }: Tuple): string {
  const addresses = `src=${formatIp(src)} dst=${formatIp(dst)}`;
  const [request, reply] =
    protocol === icmp.PROTOCOL6
      ? [icmp.ECHO_REQUEST6, icmp.ECHO_REPLY6]
      : [icmp.ECHO_REQUEST, icmp.ECHO_REPLY];
  if (dstPort === ECHO) return `${addresses} type=${request} code=0 id=${srcPort}`;
  if (srcPort === ECHO) return `${addresses} type=${reply} code=0 id=${dstPort}`;
  return `${addresses} sport=${srcPort} dport=${dstPort}`;
}
