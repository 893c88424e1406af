/** What the Tab key offers on the simulated host. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { complete } from "./completion.ts";
import { Shell } from "./shell.ts";

function howto(): { shell: Shell; complaints: string[] } {
  const complaints: string[] = [];
  const shell = new Shell({ print: () => {}, complain: (text) => complaints.push(text) });
  shell.run(readFileSync("examples/howto.sh", "utf8"), "howto");
  return { shell, complaints };
}

for (const before of ["", "ip "])
  test(`completion of "${before}": all that the simulated host has there`, () => {
    const { shell, complaints } = howto();
    shell.run(`${before}nonsense`, "line");
    const complaint = complaints.join("");
    const has = / has (.*)\n/.exec(complaint)![1]!.split(/, | and /);
    const { candidates } = complete(before, shell.world, "host");
    assert.deepEqual(candidates.filter((word) => !word.startsWith("-")).sort(), has.sort());
  });

for (const [before, line, candidates] of [
  ["pi", "ping ", ["ping"]],
  ["ip ne", "ip ne", ["netns", "neigh"]],
  ["ip netns exec n", "ip netns exec ns", ["ns0", "ns1"]],
  ["ip netns exec ns0 pi", "ip netns exec ns0 ping ", ["ping"]],
  ["ip -n ns0 link set ip", "ip -n ns0 link set ipvl0 ", ["ipvl0"]],
  ["ip link set dev e", "ip link set dev eth0 ", ["eth0"]],
  ["ip link add link eth0 x type ipv", "ip link add link eth0 x type ipvlan ", ["ipvlan"]],
  [
    "ip link set ipvl0 type ipvlan mode l",
    "ip link set ipvl0 type ipvlan mode l",
    ["l2", "l3", "l3s"],
  ],
  ["ping 10.0.0.10", "ping 10.0.0.10 ", ["10.0.0.10"]],
  ["nothing", "nothing", []],
] as const)
  test(`completion of "${before}": ${candidates.join(", ") || "nothing"}`, () => {
    assert.deepEqual(complete(before, howto().shell.world, "host"), {
      line,
      candidates: [...candidates],
    });
  });
