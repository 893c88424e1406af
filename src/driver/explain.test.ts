/** What is explained is what is decided, and in words that a person can follow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { frame, mac, topology } from "../../test/topology.ts";
import { macHigh, macLow } from "../wire/address.ts";
import { Frame } from "../wire/frame.ts";
import { input, receive } from "./decide/receive.ts";
import { xmit } from "./decide/xmit.ts";
import { type Explanation, explain, type Hook } from "./explain.ts";
import { compats, flags, modes } from "./settings.ts";

const slaves = `
  ipvl0  10.0.0.10 fd00::10
  ipvl1  10.0.0.11 fd00::11
`;
const nameOf = (slave: number) => `ipvl${slave - 1}`;
const portOf = (words: string) => topology(`eth0 ${words} ${slaves}`).path;

/** `RULE yes|no`, of each step that has a rule. */
const walk = ({ steps }: Explanation) =>
  steps.map(({ rule, holds }) => `${rule?.name} ${holds ? "yes" : "no"}`);

test("a drop between private slaves: the rules in order, what the port answered, and the last rule is the reason", () => {
  const f = frame("own>own 10.0.0.10>10.0.0.11");
  const explanation = explain(portOf("l2 private"), "xmit", f, { nameOf });
  assert.deepEqual(walk(explanation), [
    "X.1 no",
    "X.2 yes",
    "D4 no",
    "L2.1 yes",
    "L2.1 no",
    "D3 no",
    "F.1 yes",
  ]);
  assert.equal(explanation.reason, "isolated");
  assert.equal(explanation.rule.words, "under private slaves never reach each other");
  const owner = explanation.steps[4]!.conditions[0]!;
  assert.deepEqual(owner, {
    code: "to === NOBODY",
    answer: false,
    facts: ["10.0.0.11 is ipvl1's"],
  });
  assert.deepEqual(explanation.steps[6]!.conditions[0]!.facts, ["flag private"]);
});

for (const [words, hook, send, rules] of [
  ["l2 bridge", "xmit", "own>own 10.0.0.10>10.0.0.11", "F.2"],
  ["l2 bridge", "xmit", "own>own 10.0.0.10>10.0.0.2", "L2.1"],
  ["l2 bridge", "xmit", "own>w0 10.0.0.10>10.0.0.1", "L2.3"],
  ["l2 bridge", "xmit", "own>all arp 10.0.0.10>10.0.0.1", "L2.2"],
  ["l2 bridge", "xmit", "other>w0 10.0.0.10>10.0.0.1", "D4"],
  ["l2 vepa", "xmit", "own>own 10.0.0.10>10.0.0.11", "L2.3"],
  ["l3 bridge", "xmit", "own>own 10.0.0.10>10.0.0.11", "F.2"],
  ["l3 bridge", "xmit", "own>own 10.0.0.10>192.0.2.1", "L3.3"],
  ["l3 bridge", "xmit", "own>all 10.0.0.10>10.0.0.255", "L3.2"],
  ["l2 bridge", "receive", "w0>own 10.0.0.1>10.0.0.11", "R.3"],
  ["l2 bridge", "receive", "w0>all arp 10.0.0.1>10.0.0.11", "R.2"],
  ["l2 private", "receive", "own>all arp 10.0.0.10>10.0.0.11", "D1"],
  ["l2 vepa", "receive", "own>all arp 10.0.0.10>10.0.0.11", "D2"],
  ["l3s bridge", "receive", "w0>own 10.0.0.1>10.0.0.11", "R.1"],
  ["l3s bridge", "input", "w0>own 10.0.0.1>10.0.0.11", "R.3"],
] as const)
  test(`${words}: ${send}, asked at ${hook}, is decided by ${rules}`, () => {
    assert.equal(explain(portOf(words), hook, frame(send)).rule.name, rules);
  });

test("any frame, at any port: the verdict is the decision's, and every rule and condition has its text", () => {
  const decisions = { xmit, receive, input };
  const { addresses } = portOf("l2 bridge");
  const own = mac("own");
  const port = fc.record({
    mode: fc.constantFrom(...Object.values(modes)),
    flag: fc.constantFrom(...Object.values(flags)),
    compat: fc.constantFrom(...Object.values(compats)),
    macHigh: fc.constant(macHigh(own)),
    macLow: fc.constant(macLow(own)),
    addresses: fc.constant(addresses),
  });
  const likely = fc
    .tuple(
      fc.constantFrom("own>own", "own>w0", "w0>own", "own>all", "w0>all", "other>other"),
      fc.constantFrom("", "vlan", "qinq vlan"),
      fc.constantFrom(
        "10.0.0.10>10.0.0.11",
        "fd00::10>fd00::11",
        "arp 10.0.0.10>10.0.0.11",
        "dad fd00::11",
        "dad fe80::ff:fe00:2",
        "127.0.0.1>10.0.0.1",
        "10.0.0.10>239.1.1.1",
        "type 0x8808",
      ),
    )
    .map((words) => frame(words.join(" ")));
  const any = fc.oneof(
    likely,
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Frame.of(bytes)),
  );
  const hook = fc.constantFrom<Hook>("xmit", "receive", "input");
  const property = fc.property(port, hook, any, (p, at, f) => {
    const { verdict, steps, rule } = explain(p, at, f);
    assert.equal(verdict, decisions[at](p, f));
    assert.match(rule.name, /^([A-Z]+\d?\.\d|D\d+)$/);
    for (const { conditions } of steps) for (const { code } of conditions) assert.ok(code);
  });
  fc.assert(property, { numRuns: 3000 });
});
