import assert from "node:assert/strict";
import { test } from "node:test";
import { HooksLab, needsLab } from "../../../test/hooks-lab.ts";
import { inScratch, type Scratch } from "../../../test/scratch-netns.ts";
import { ip } from "../../../test/topology.ts";
import {
  BLACKHOLES,
  FAMILIES,
  HOOK_RULES,
  hostRoute,
  INBOUND,
  LAST_RULE_PRIORITY,
  OUTBOUND,
  OwnRouting,
  RULE_PRIORITY,
} from "./own-routing.ts";

const skip = needsLab;

/** What looks like ours, but for one thing each. */
const OF_OTHERS = ["-4", "-6"].flatMap((family) => {
  const any = family === "-4" ? "10.44.0.0/16" : "fd44::/64";
  return [
    `ip ${family} rule add priority ${RULE_PRIORITY} iif x0 lookup 77`,
    `ip ${family} rule add priority ${RULE_PRIORITY} lookup 77`,
    `ip ${family} rule add priority ${RULE_PRIORITY} iif m0 lookup 77`,
    `ip ${family} rule add priority ${LAST_RULE_PRIORITY} iif m0 blackhole`,
    `ip ${family} rule add priority 99 iif m0 lookup 77`,
    `ip ${family} rule add priority 102 iif m0 blackhole`,
    `ip ${family} rule add priority ${LAST_RULE_PRIORITY} oif m0 blackhole`,
    `ip ${family} route add blackhole ${any} table 77`,
    `ip ${family} route add ${any} dev m0 table ${BLACKHOLES}`, // of nobody's index
    `ip ${family} route add ${any} dev m0`,
  ];
});

function lab(scratch: Scratch) {
  const made = new HooksLab(scratch);
  return { made, routing: routingOf(made) };
}

function routingOf({ master: { socket, name, ifindex } }: HooksLab): OwnRouting {
  const tables = [BLACKHOLES, INBOUND, OUTBOUND].map((base) => base + ifindex);
  return new OwnRouting(socket, HOOK_RULES, [name], tables);
}

function fill(routing: OwnRouting, ifindex: number): void {
  for (const family of FAMILIES) {
    routing.addRule({ family, priority: RULE_PRIORITY, iif: "m0", table: BLACKHOLES + ifindex });
    const last = { priority: LAST_RULE_PRIORITY, action: "blackhole" } as const;
    routing.addRule({ family, ...last, iif: "m0" });
  }
  for (const address of ["10.0.0.10", "fd00::10"])
    for (const base of [BLACKHOLES, INBOUND, OUTBOUND])
      routing.addRoute({ ...hostRoute(ip(address)), table: base + ifindex, type: "blackhole" });
}

test(
  "all of ours goes, also what is there of a former run, and nothing of others",
  { skip },
  inScratch((scratch) => {
    const { made, routing } = lab(scratch);
    made.run(OF_OTHERS.join("\n"));
    const before = made.snapshot();
    fill(routing, made.master.ifindex);
    assert.notDeepEqual(made.snapshot(), before);
    routingOf(made).clear();
    assert.deepEqual(made.snapshot(), before);
    routing.clear();
    assert.deepEqual(made.snapshot(), before, "and once more");
  }),
);

test(
  "a route may be added and deleted twice, a wrong one is refused",
  { skip },
  inScratch((scratch) => {
    const { made, routing } = lab(scratch);
    const before = made.snapshot();
    const route = { ...hostRoute(ip("10.0.0.10")), table: BLACKHOLES, type: "blackhole" } as const;
    routing.addRoute(route);
    routing.addRoute(route);
    routing.deleteRoute(route);
    routing.deleteRoute(route);
    assert.deepEqual(made.snapshot(), before);
    assert.throws(() => routing.addRoute({ ...route, prefixLength: 33 }), { code: "EINVAL" });
  }),
);
