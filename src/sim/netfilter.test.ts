/** Which hooks see what slaves send and receive in L3S: as recorded of Linux's own driver, but for D6 of the specification. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ADDRESS } from "../../scripts/lab.ts";
import { SimulatedLab } from "../../scripts/simulated-lab.ts";
import {
  endsOf,
  expectedSource,
  FLOWS,
  type Flow,
  PORT,
  RULES,
  SOURCE_PORT,
} from "../../test/netfilter-rules.ts";
import { formatIp, parseIp } from "../wire/address.ts";
import { nft } from "./shell/nft.ts";

/** Long enough for neighbours to be found. */
const PASS_MS = 5000;

function deliver(lab: SimulatedLab, flow: Flow): string | undefined {
  const [from, to] = endsOf(flow);
  let source: string | undefined;
  const receiver = lab.ends[to].udp.bind(4, PORT, {
    onDatagram: ({ src, srcPort }) => {
      source = `${formatIp(src)}:${srcPort}`;
    },
  });
  const sender = lab.ends[from].udp.bind(4, SOURCE_PORT, { onDatagram: () => {} });
  sender?.send(parseIp(ADDRESS[to].v4)!, PORT, Uint8Array.of(1));
  lab.simulation.clock.run(PASS_MS);
  receiver?.close();
  sender?.close();
  return source;
}

/** Those that the simulated host has: no hooks of devices, and of translations masquerading. */
const rules = RULES.filter(({ nft: text }) => !/netdev|snat/.test(text));

test("there are rules at each hook, and two that masquerade", () => assert.equal(rules.length, 7));

for (const rule of rules)
  test(`l3s: ${rule.recordedAs}`, () => {
    const lab = new SimulatedLab({ variant: "routed", mode: "l3s", flag: "bridge" });
    const [, head = "", statements = ""] = /type (.*?);\n (.*);\n }/.exec(rule.nft) ?? [];
    const each = statements.split("; ").map((statement) => `add rule ip t c ${statement}`);
    nft(lab.ends.host, ["add table ip t;", `add chain ip t c { type ${head}; };`, each.join("; ")]);
    for (const flow of FLOWS) {
      lab.ends.host.netfilter!.conntrack.clear();
      assert.equal(deliver(lab, flow), expectedSource(rule, flow, "ebpf"), flow);
    }
  });
