/**
 * What Linux printed about its ipvlan devices is what we print about ours: the recorded output is turned into what
 * `ip` says about a veth in the slave's place, and rewriting has to lead back.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import fc from "fast-check";
import { linkInfo as slave } from "../../test/link-info.ts";
import type { LinkInfo } from "../daemon/control.ts";
import { type Facts, findPair, rewriteBrief, rewriteJson, rewriteText } from "./rewrite.ts";
import { parseShow } from "./show.ts";

const facts = (slaves: LinkInfo[], settings: Partial<Facts> = {}): Facts => ({
  slaves,
  hidden: new Set(["ipvlup3"]),
  keep: "all",
  ...settings,
});

interface Step {
  readonly cmd?: string;
  readonly out?: string;
  readonly json?: Record<string, unknown>[];
}

const recording = new URL("../../../test/kernel/control.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(recording, "utf8")) as {
  cases: { id: string; steps: Step[] }[];
};

const stepOf = (id: string, cmd: string): Step =>
  cases.find((one) => one.id === id)?.steps.find((step) => step.cmd === cmd) ?? assert.fail(id);

/** The same text about a veth whose other end is in another namespace. */
const asVeth = (text: string): string =>
  text
    .replaceAll("i0@eth0", "i0@if9")
    .replace(" brd ff:ff:ff:ff:ff:ff", "$& link-netnsid 0")
    .replace(/ipvlan {2}mode \S+ \S+ /, "veth ");

for (const mode of ["l2", "l3", "l3s"] as const) {
  for (const flag of ["bridge", "private", "vepa"] as const) {
    test(`recorded: ip -d link show, ${mode} ${flag}`, () => {
      const { out = "" } = stepOf(`create-${mode}-${flag}`, "ip -d link show i0");
      const told = facts([slave({ mode, flag })]);
      assert.equal(rewriteText(asVeth(out), told), out);
      const oneLine = out.replaceAll("\n ", "\\ ");
      assert.equal(rewriteText(asVeth(oneLine), told), oneLine);
    });
  }
}

test("recorded: ip -d -j link show", () => {
  const { json = [] } = stepOf("create-json", "ip -d -j link show i0");
  const { link: _, linkinfo: __, ...others } = json[0] ?? {};
  const veth = { ...others, link_index: 9, link_netnsid: 0, linkinfo: { info_kind: "veth" } };
  const told = rewriteJson(JSON.stringify([veth]), facts([slave({ flag: "private" })]), false);
  assert.deepEqual(JSON.parse(told), json);
  assert.deepEqual(Object.keys(JSON.parse(told)[0]).slice(0, 3), ["ifindex", "link", "ifname"]);
});

test("recorded: ip -br link, of a slave whose master is up, and of one whose master is down", () => {
  const up = stepOf("master-vrf-port", "ip -br link").out ?? "";
  assert.equal(rewriteBrief(asVeth(up), facts([slave()])), up);
  const down = stepOf("master-dummy", "ip -br link").out ?? "";
  const veth = down.replace("i0@p0            ", "i0@if9           ").replace(",M-DOWN", "");
  assert.equal(rewriteBrief(veth, facts([slave({ master: "p0", masterUp: false })])), down);
});

test("a slave away from its master keeps the number and the namespace of the other end", () => {
  const away = facts([slave({ masterHere: false })]);
  const text = "4: i0@if9: <UP> mtu 1500\n    link/ether 02 link-netnsid 0\n    veth addrgenmode\n";
  assert.equal(
    rewriteText(text, away),
    "4: i0@if3: <UP> mtu 1500\n    link/ether 02 link-netnsid 0\n    ipvlan  mode l2 bridge addrgenmode\n",
  );
  const json = [{ ifindex: 4, link_index: 9, ifname: "i0", link_netnsid: 0 }];
  assert.deepEqual(JSON.parse(rewriteJson(JSON.stringify(json), away, false)), [
    { ifindex: 4, link_index: 3, ifname: "i0", link_netnsid: 0 },
  ]);
});

test("devices that are not ours are left as they are", () => {
  const text = "1: lo: <LOOPBACK> mtu 65536\n    link/loopback\n4: v0@if9: <UP> mtu\n    veth x\n";
  assert.equal(rewriteText(text, facts([slave()])), text);
  assert.equal(rewriteText("", facts([slave()])), "");
  const brief = "v0@if9           UP             02 <UP> \n";
  assert.equal(rewriteBrief(brief, facts([slave()])), brief);
});

test("coloured output is put right, too", () => {
  const text = "4: \u001b[36mi0@if9: \u001b[0m<UP> mtu 1500\n";
  const told = facts([slave()]);
  assert.equal(rewriteText(text, told), "4: \u001b[36mi0@eth0: \u001b[0m<UP> mtu 1500\n");
});

test("type ipvlan lists our slaves only, type veth everything but them", () => {
  const text = "4: i0@if9: <UP> mtu 1500\n    x\n5: v0@v1: <UP> mtu 1500\n    x\n";
  const ours = parseShow(["link", "show", "type", "ipvlan"]);
  assert.deepEqual(ours, { verb: "show", words: ["link", "show", "type", "veth"], keep: "slaves" });
  const told = facts([slave()], { keep: "slaves" });
  assert.equal(rewriteText(text, told), "4: i0@eth0: <UP> mtu 1500\n    x\n");
  assert.equal(rewriteBrief("v0@v1 UP <UP>\n", told), "");
  assert.equal(rewriteJson('[{"ifindex":5,"ifname":"v0"}]', told, false), "[]\n");

  assert.equal(parseShow(["link", "show", "type", "veth"]).keep, "others");
  const others = facts([slave()], { keep: "others" });
  assert.equal(rewriteText(text, others), "5: v0@v1: <UP> mtu 1500\n    x\n");
});

test("addresses stand where they stood, under the slave's name and master", () => {
  const text =
    "4: i0@if9: <UP> mtu 1500\n    link/ether 02 link-netnsid 0\n    inet 10.0.0.10/24 scope global i0\n" +
    "       valid_lft forever\n9: ipvlup3@if2: <UP> mtu 1500\n    inet6 fe80::1/64 scope link\n";
  assert.equal(
    rewriteText(text, facts([slave()])),
    "4: i0@eth0: <UP> mtu 1500\n    link/ether 02\n    inet 10.0.0.10/24 scope global i0\n" +
      "       valid_lft forever\n",
  );
  const lines = "4: i0    inet 10.0.0.10/24 scope\n5: v0    inet 10.1.0.1/24 scope\n";
  assert.equal(rewriteText(lines, facts([slave()])), lines);
  assert.equal(rewriteText(lines, facts([slave()], { keep: "slaves" })), lines.split(/^5/m)[0]);
  assert.equal(rewriteText("9: ipvlup3    inet6 fe80::1/64\n", facts([])), "");
});

test("events: what has gone, times and labels stay, other namespaces are left alone", () => {
  const told = facts([slave()]);
  for (const [said, expected] of [
    ["Deleted 4: i0@NONE: <UP> mtu\n", "Deleted 4: i0@eth0: <UP> mtu\n"],
    [
      "[2024-01-01T10:00:00.1] [LINK]4: i0@if9: <UP>\n",
      "[2024-01-01T10:00:00.1] [LINK]4: i0@eth0: <UP>\n",
    ],
    ["[nsid 0]4: i0@if9: <UP>\n", "[nsid 0]4: i0@if9: <UP>\n"],
    ["[nsid current]Deleted 9: ipvlup3@if2: <UP>\n", ""],
    ["Deleted 9: ipvlup3    inet6 fe80::1/64\n", ""],
    ["10.0.0.0/24 dev ipvlup3 scope link\n", ""],
    ["10.0.0.0/24 dev i0 scope link\n", "10.0.0.0/24 dev i0 scope link\n"],
    ["[nsid 4]10.0.0.0/24 dev ipvlup3\n", "[nsid 4]10.0.0.0/24 dev ipvlup3\n"],
  ] as const)
    assert.equal(rewriteText(said, told), expected, said);
  assert.deepEqual(findPair("Deleted 4: i0@if9: <UP>\n"), { ifindex: 4, name: "i0", isGone: true });
  for (const line of ["4: i0@s3.1: <UP>\n", "[LINK]4: i0@NONE: <UP>\n"])
    assert.deepEqual(findPair(line), { ifindex: 4, name: "i0", isGone: false }, line);
  const hostEnd = { ifindex: 9, name: "s3.1", isGone: false };
  for (const line of ["9: s3.1@i0: <UP>\n", "9: s3.1@if4: <UP>\n"])
    assert.deepEqual(findPair(line), hostEnd, line);
  assert.equal(findPair("4: eth0@w0: <UP>\n"), undefined);
});

test("any text: what is about no device of ours stays byte for byte", () => {
  const word = fc.constantFrom(
    ..."4: 7: i0 v0 @if9: @ : <UP> <UP,M-DOWN> veth link-netnsid 0 inet \n \n\u0020\u0020 \\ Deleted [LINK] \u001b[36m ".split(
      " ",
    ),
    " ",
    "    ",
  );
  const text = fc.array(fc.oneof(word, fc.string())).map((words) => words.join(""));
  const property = fc.property(text, (said) => {
    assert.equal(rewriteText(said, facts([])), said);
    assert.equal(rewriteBrief(said, facts([])), said);
    assert.equal(rewriteText(said, facts([slave({ ifindex: 99 })])), said);
  });
  fc.assert(property, { numRuns: 2000 });
});

test("the device that brings the slaves' frames up is not shown", () => {
  const text = "3: eth0@w0: <UP> mtu 1500\n    x\n9: ipvlup3@if2: <UP> mtu 1500\n    x\n";
  assert.equal(rewriteText(text, facts([])), "3: eth0@w0: <UP> mtu 1500\n    x\n");
  assert.equal(rewriteBrief("ipvlup3@if2      UP             02 <UP> \n", facts([])), "");
  assert.equal(rewriteJson('[{"ifindex":9,"ifname":"ipvlup3"}]', facts([]), false), "[]\n");
});

test("a device named type is not a filter", () => {
  const line = ["link", "show", "dev", "type", "ipvlan"];
  assert.deepEqual(parseShow(line), { verb: "show", words: line, keep: "all" });
});
