/** What `iptables -S` and `iptables -L -v -n` print. */
import * as icmp from "../../wire/icmp.ts";
import type { Chain, Match, Rule } from "../netfilter.ts";
import { formatAddress, formatProtocol, formatRange } from "./nft-rule.ts";

export const listRules = (chains: readonly Chain[], width: 4 | 16): string =>
  [
    ...chains.map(({ name, policy }) => `-P ${name} ${policy.toUpperCase()}\n`),
    ...chains.flatMap(({ name, rules }) =>
      rules.map((rule) => `-A ${name}${specify(rule, width)}\n`),
    ),
  ].join("");

const ORDER: readonly Match["key"][] = [
  "saddr",
  "daddr",
  "iifname",
  "oifname",
  "protocol",
  "sport",
  "dport",
  "state",
];

/** As the options that make the rule. */
function specify(rule: Rule, width: 4 | 16): string {
  const matches = matchesOf(rule).sort((a, b) => ORDER.indexOf(a.key) - ORDER.indexOf(b.key));
  const verdict = verdictOf(rule);
  const target = verdict === "" ? "" : ` -j ${verdict}`;
  return `${matches.map((match) => optionOf(match, width)).join("")}${target}`;
}

function optionOf(match: Match, width: 4 | 16): string {
  const no = match.isNegated ? " !" : "";
  switch (match.key) {
    case "iifname":
    case "oifname":
      return `${no} ${match.key === "iifname" ? "-i" : "-o"} ${nameOf(match.values)}`;
    case "saddr":
    case "daddr": {
      const prefixes = match.values.map((prefix) => {
        const text = formatAddress(prefix);
        return text.includes("/") ? text : `${text}/${width * 8}`;
      });
      return `${no} ${match.key === "saddr" ? "-s" : "-d"} ${prefixes.join(",")}`;
    }
    case "protocol":
      return `${no} -p ${match.values.map(protocolName).join(",")}`;
    case "sport":
    case "dport": {
      const ports = match.values.map((range) => formatRange(range, ":")).join(",");
      return ` -p ${match.by} -m ${match.by}${no} --${match.key} ${ports}`;
    }
    case "state":
      return ` -m conntrack${no} --ctstate ${match.values.map((one) => one.toUpperCase()).join(",")}`;
  }
}

const matchesOf = (rule: Rule): Match[] =>
  rule.flatMap((statement) => (statement.kind === "match" ? [statement.match] : []));

function verdictOf(rule: Rule): string {
  const last = rule.at(-1);
  return last?.kind === "verdict" ? last.verdict.toUpperCase() : "";
}

const nameOf = (names: readonly string[]): string => names.join(",").replace(/\*$/, "+");

const protocolName = (protocol: number): string =>
  protocol === icmp.PROTOCOL6 ? "ipv6-icmp" : formatProtocol(protocol);

export const listTable = (chains: readonly Chain[], width: 4 | 16): string =>
  chains.map((chain) => listChain(chain, width)).join("\n");

function listChain({ name, policy, fallen, rules }: Chain, width: 4 | 16): string {
  const { packets, bytes } = fallen;
  const rows = [HEADINGS, ...rules.map((rule) => rowOf(rule, width))].map(formatRow);
  return `Chain ${name} (policy ${policy.toUpperCase()} ${packets} packets, ${bytes} bytes)\n${rows.join("")}`;
}

const HEADINGS = ["pkts", "bytes", "target", "prot", "opt", "in", "out", "source", "destination"];

function formatRow([
  packets = "",
  bytes = "",
  target = "",
  protocol = "",
  opt = "",
  from = "",
  to = "",
  source = "",
  destination = "",
  more = "",
]: readonly string[]): string {
  const counted = `${packets.padStart(5)} ${bytes.padStart(5)}`;
  const ends = `${from.padEnd(6)} ${to.padEnd(6)}  ${source.padEnd(20)} ${destination.padEnd(20)}`;
  return `${counted} ${target.padEnd(10)} ${protocol.padEnd(4)} ${opt.padEnd(3)} ${ends} ${more}`
    .trimEnd()
    .concat("\n");
}

function rowOf(rule: Rule, width: 4 | 16): readonly string[] {
  const matches = matchesOf(rule);
  const counter = rule.find((statement) => statement.kind === "counter");
  const { packets, bytes } =
    counter?.kind === "counter" ? counter.counter : { packets: 0, bytes: 0 };
  const of = (key: Match["key"]) => matches.find((match) => match.key === key);
  const shown = (match: Match | undefined, none: string) =>
    match === undefined ? none : `${match.isNegated ? "!" : ""}${valuesOf(match)}`;
  const ports = of("sport") ?? of("dport");
  const protocol = ports !== undefined && "by" in ports ? ports.by : shown(of("protocol"), "all");
  const more = matches.flatMap((match) => {
    const no = match.isNegated ? "!" : "";
    if (match.key === "sport") return [`${match.by} spt:${no}${valuesOf(match)}`];
    if (match.key === "dport") return [`${match.by} dpt:${no}${valuesOf(match)}`];
    return match.key === "state" ? [`${no}ctstate ${valuesOf(match)}`] : [];
  });
  const anywhere = width === 4 ? "0.0.0.0/0" : "::/0";
  return [
    String(packets),
    String(bytes),
    verdictOf(rule),
    protocol,
    width === 4 ? "--" : "",
    shown(of("iifname"), "*"),
    shown(of("oifname"), "*"),
    shown(of("saddr"), anywhere),
    shown(of("daddr"), anywhere),
    more.join(" "),
  ];
}

function valuesOf(match: Match): string {
  switch (match.key) {
    case "iifname":
    case "oifname":
      return nameOf(match.values);
    case "saddr":
    case "daddr":
      return match.values.map(formatAddress).join(",");
    case "protocol":
      return match.values.map(protocolName).join(",");
    case "sport":
    case "dport":
      return match.values.map((range) => formatRange(range, ":")).join(",");
    case "state":
      return match.values.map((one) => one.toUpperCase()).join(",");
  }
}
