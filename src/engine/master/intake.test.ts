import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HooksLab, needsLab } from "../../../test/hooks-lab.ts";
import { until } from "../../../test/neighbours.ts";
import { inScratch, Scratch } from "../../../test/scratch-netns.ts";
import { ip } from "../../../test/topology.ts";
import { type Intake, NftablesIntake, RoutesIntake } from "./intake.ts";

/**
 * Of no subnet the host knows, of one subnet with the master, of one beyond another device; in this order, since a
 * host that has redirected somebody refuses it nothing for a while.
 */
const SLAVES = ["192.0.2.10", "2001:db8::10", "10.0.0.10", "fd00::10", "10.9.0.1", "fd09::1"];
/** A host that forwards, and speaks for whom it knows a way to. */
const FORWARDS = [
  "echo 1 > /proc/sys/net/ipv4/ip_forward",
  "echo 1 > /proc/sys/net/ipv4/conf/m0/proxy_arp",
  "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit",
  "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
  "ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev m0",
  "ip neigh replace fd00::1 lladdr 02:00:00:00:00:01 dev m0",
].join("\n");

const INTAKES: Readonly<Record<string, (lab: HooksLab) => Intake>> = {
  routes: ({ master }) => new RoutesIntake(master),
  "nftables, L2": ({ netfilter, master }) => new NftablesIntake(netfilter!, master, false),
  "nftables, L3": ({ netfilter, master }) => new NftablesIntake(netfilter!, master, true),
};

/** All that the host's stack says of packets to the addresses, to the LAN or elsewhere. */
function answers(lab: HooksLab, addresses: readonly string[]): string[] {
  lab.heard("y0");
  const sent = addresses.map((to) => `${to.includes(":") ? "fd00::1" : "10.0.0.1"}>${to}`);
  for (const ends of sent) lab.send("w0", ends);
  const marker = "10.0.0.1>10.9.0.250";
  lab.send("w0", marker);
  const lines: string[] = [];
  const seen: string[] = [];
  // The host forwards the marker; whatever it says of what came before, it has said by then.
  until(() => {
    seen.push(...lab.heard("y0"));
    lines.push(...lab.heard("w0"));
    return seen.some((line) => line.startsWith(marker));
  });
  const own = [...sent, marker].map((ends) => `${ends} 02:00:00:00:00:02 hops 64`);
  const said = [...lines, ...lab.heard("w0")].filter((line) => !own.includes(line));
  return [...said, ...seen.filter((line) => !line.startsWith(marker))];
}

function openLab(scratch: Scratch): HooksLab {
  const lab = new HooksLab(scratch);
  lab.run(`${FORWARDS}\nip neigh add 10.9.0.250 lladdr 02:00:00:00:00:99 dev x0`);
  return lab;
}

const noNftables = ((): string | false => {
  if (needsLab) return needsLab;
  const scratch = new Scratch();
  try {
    return new HooksLab(scratch).netfilter ? false : "needs nf_tables with netdev hooks";
  } finally {
    scratch.end();
  }
})();

for (const address of SLAVES)
  test(
    `without an intake a host that forwards has something to say of packets to ${address}`,
    { skip: needsLab },
    inScratch((scratch) => assert.notDeepEqual(answers(openLab(scratch), [address]), [])),
  );

for (const [name, open] of Object.entries(INTAKES))
  describe(`intake by ${name}`, () => {
    const skip = name === "routes" ? needsLab : noNftables;

    test(
      "keeps the host's stack silent about slaves' addresses",
      { skip },
      inScratch((scratch) => {
        const lab = openLab(scratch);
        const intake = open(lab);
        intake.add(SLAVES.map(ip));
        assert.deepEqual(answers(lab, SLAVES), []);
        intake.close();
      }),
    );

    test(
      "leaves an address that was removed to the host, and those of others at all times",
      { skip },
      inScratch((scratch) => {
        const lab = openLab(scratch);
        const intake = open(lab);
        intake.add([ip("10.9.0.1")]);
        assert.deepEqual(answers(lab, ["10.9.0.1"]), []);
        assert.notDeepEqual(answers(lab, ["fd09::1"]), []);
        intake.remove([ip("10.9.0.1")]);
        assert.notDeepEqual(answers(lab, ["10.9.0.1"]), []);
        intake.close();
      }),
    );

    test(
      "goes without a trace, also what a killed one left",
      { skip },
      inScratch((scratch) => {
        const lab = openLab(scratch);
        const before = lab.snapshot();
        const left = open(lab);
        left.add(SLAVES.map(ip));
        const intake = open(lab);
        intake.add([ip("10.0.0.10")]);
        assert.notDeepEqual(answers(lab, ["fd09::1"]), [], "the killed one's slave is no more");
        intake.close();
        assert.deepEqual(lab.snapshot(), before);
      }),
    );

    test(
      "takes an address twice, and lets go of one it does not have",
      { skip },
      inScratch((scratch) => {
        const lab = openLab(scratch);
        const intake = open(lab);
        intake.add([ip("10.0.0.10")]);
        intake.add([ip("10.0.0.10")]);
        assert.deepEqual(answers(lab, ["10.0.0.10"]), []);
        intake.remove([ip("fd00::10")]);
        intake.close();
      }),
    );
  });
