/**
 * What Linux printed about its ipvlan devices is what we print about ours: the recorded output is turned into what
 * `ip` says about a veth in the slave's place, and rewriting has to lead back.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { LinkInfo } from "../daemon/control.ts";
import { type Facts, parseLinkShow, rewriteBrief, rewriteJson, rewriteText } from "./link-show.ts";

const slave = (settings: Partial<LinkInfo> = {}): LinkInfo => ({
  name: "i0",
  ifindex: 4,
  here: true,
  master: "eth0",
  masterIfindex: 3,
  masterHere: true,
  mode: "l2",
  flag: "bridge",
  deviceId: 1,
  mac: "02:00:00:00:00:02",
  mtu: 1500,
  up: true,
  addresses: [],
  statistics: {},
  ...settings,
});

const facts = (slaves: LinkInfo[], settings: Partial<Facts> = {}): Facts => ({
  slaves,
  hidden: new Set(["ipvlup3"]),
  up: new Set(["eth0"]),
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
  assert.equal(rewriteBrief(veth, facts([slave({ master: "p0" })])), down);
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
  const ours = parseLinkShow(["show", "type", "ipvlan"]);
  assert.deepEqual(ours, { verb: "show", words: ["show", "type", "veth"], keep: "slaves" });
  const told = facts([slave()], { keep: "slaves" });
  assert.equal(rewriteText(text, told), "4: i0@eth0: <UP> mtu 1500\n    x\n");
  assert.equal(rewriteBrief("v0@v1 UP <UP>\n", told), "");
  assert.equal(rewriteJson('[{"ifindex":5,"ifname":"v0"}]', told, false), "[]\n");

  assert.equal(parseLinkShow(["show", "type", "veth"]).keep, "others");
  const others = facts([slave()], { keep: "others" });
  assert.equal(rewriteText(text, others), "5: v0@v1: <UP> mtu 1500\n    x\n");
});

test("the device that brings the slaves' frames up is not shown", () => {
  const text = "3: eth0@w0: <UP> mtu 1500\n    x\n9: ipvlup3@if2: <UP> mtu 1500\n    x\n";
  assert.equal(rewriteText(text, facts([])), "3: eth0@w0: <UP> mtu 1500\n    x\n");
  assert.equal(rewriteBrief("ipvlup3@if2      UP             02 <UP> \n", facts([])), "");
  assert.equal(rewriteJson('[{"ifindex":9,"ifname":"ipvlup3"}]', facts([]), false), "[]\n");
});

test("a device named type is not a filter", () => {
  const line = ["show", "dev", "type", "ipvlan"];
  assert.deepEqual(parseLinkShow(line), { verb: "show", words: line, keep: "all" });
});
