/**
 * Firewall rules in the master's namespace, and what becomes of datagrams under each: as recorded of Linux's own driver
 * in mode l3s (`kernel/netfilter.json`), but for the hooks (D6 of the specification).
 */
import { readFileSync } from "node:fs";
import { ADDRESS, type End } from "../scripts/lab.ts";
import type { EngineName } from "../src/engine/engine.ts";

export const PORT: number = 7777;
export const SOURCE_PORT: number = 5555;
export type Flow = "ns0->lan" | "lan->ns0" | "ns0->ns1" | "ns0->host" | "host->ns0" | "lan->host";
export const FLOWS: readonly Flow[] = [
  "ns0->lan",
  "lan->ns0",
  "ns0->ns1",
  "ns0->host",
  "host->ns0",
  "lan->host",
];

export interface Rule {
  /** Name in the recording. */
  readonly recordedAs: string;
  readonly nft: string;
  /** Where our other hooks make a difference. */
  readonly otherwise: Otherwise;
  /** And those of the eBPF engine, which brings to the host what is for it as if it came from the wire. */
  readonly otherwiseWithEbpf?: Otherwise;
}

type Otherwise = Partial<Record<Flow, "lost" | "passes">>;

const DROP = `ip saddr ${ADDRESS.ns0.v4} drop; ip daddr ${ADDRESS.ns0.v4} drop`;

/** A table with one chain, as a file that nft reads. */
const table = (family: string, hook: string, rule: string): string =>
  `table ${family} t {\n chain c {\n type ${hook};\n ${rule};\n }\n}\n`;

const dropIn = (hook: string): string => table("ip", `filter hook ${hook} priority 0`, DROP);
const dropOnDevice = (hook: string): string =>
  table("netdev", `filter hook ${hook} device eth0 priority 0`, DROP);

const natSource = (what: string): string =>
  table("ip", "nat hook postrouting priority 100", `ip saddr ${ADDRESS.ns0.v4} ${what}`);

/** Without a rule that asks for connections a namespace does not track them. */
export const TRACK: string = table(
  "inet",
  "filter hook prerouting priority 0",
  "ct state new counter",
);

export const DNAT: string = table(
  "ip",
  "nat hook prerouting priority -100",
  `ip daddr ${ADDRESS.host.v4} udp dport ${PORT} dnat to ${ADDRESS.ns0.v4}:${PORT}`,
);

export const RULES: readonly Rule[] = [
  {
    recordedAs: "drop in prerouting",
    nft: dropIn("prerouting"),
    otherwise: { "ns0->lan": "lost" },
  },
  { recordedAs: "drop in input", nft: dropIn("input"), otherwise: { "lan->ns0": "passes" } },
  {
    recordedAs: "drop in forward",
    nft: dropIn("forward"),
    otherwise: { "ns0->lan": "lost", "lan->ns0": "lost" },
  },
  {
    recordedAs: "drop in output",
    nft: dropIn("output"),
    otherwise: { "ns0->lan": "passes" },
    otherwiseWithEbpf: { "ns0->host": "passes" },
  },
  {
    recordedAs: "drop in postrouting",
    nft: dropIn("postrouting"),
    otherwise: { "lan->ns0": "lost" },
    otherwiseWithEbpf: { "ns0->host": "passes" },
  },
  {
    recordedAs: "masquerade in postrouting",
    nft: natSource("masquerade"),
    otherwise: {},
    otherwiseWithEbpf: { "ns0->host": "passes" },
  },
  {
    recordedAs: "masquerade in postrouting, oif eth0 only",
    nft: natSource("oif eth0 masquerade"),
    otherwise: {},
  },
  {
    recordedAs: "snat to 10.0.0.77",
    nft: natSource("snat to 10.0.0.77"),
    otherwise: {},
    otherwiseWithEbpf: { "ns0->host": "passes" },
  },
  {
    recordedAs: "drop on eth0 ingress",
    nft: dropOnDevice("ingress"),
    otherwise: {},
  },
  {
    recordedAs: "drop on eth0 egress",
    nft: dropOnDevice("egress"),
    otherwise: {},
  },
];

type Recorded = Readonly<Record<Flow, { readonly delivered: boolean; readonly from?: string }>>;

/** The source that the receiver sees; undefined: the datagram is lost. */
export function expectedSource(rule: Rule, flow: Flow, engine: EngineName): string | undefined {
  const withEbpf = engine === "ebpf" ? rule.otherwiseWithEbpf?.[flow] : undefined;
  const otherwise = withEbpf ?? rule.otherwise[flow];
  if (otherwise === "passes") return `${ADDRESS[endsOf(flow)[0]].v4}:${SOURCE_PORT}`;
  return otherwise === "lost" ? undefined : recordedOf(rule)[flow].from;
}

function recordedOf({ recordedAs }: Rule): Recorded {
  const file = new URL("../../test/kernel/netfilter.json", import.meta.url);
  const { rules } = JSON.parse(readFileSync(file, "utf8")) as {
    rules: (Recorded & { mode: string; rule_in_host: string })[];
  };
  return rules.find((rule) => rule.mode === "l3s" && rule.rule_in_host === recordedAs)!;
}

export const endsOf = (flow: Flow): [End, End] => flow.split("->") as [End, End];
