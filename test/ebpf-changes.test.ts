/**
 * What the eBPF engine does where namespaces and moments meet: slaves beside their master in its own namespace, tags of
 * VLANs, duplicate addresses, and settings that change while frames pass.
 *
 *     lan: w0
 *      |
 *     eth0 --- ipvl0 (ns0) 10.0.0.10, ipvl1 (ns1) 10.0.0.11
 *           `- here 10.0.0.20, in the master's own namespace
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ADDRESS, netnsOf, shell, spawnAt } from "../scripts/lab.ts";
import type { Flag, Mode } from "../src/driver/settings.ts";
import { needsBpf } from "./bpf.ts";
import { client, ports } from "./crowd.ts";
import { until } from "./daemon.ts";
import { Ear } from "./ear.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";
import { Tap } from "./tap.ts";
import { frame } from "./topology.ts";

/** Far more than a frame takes. */
const PASS_MS = 150;
const CHANGES = 150;
const ETH_P_ARP = 0x0806;
const FLOODER = fileURLToPath(new URL("./flooder.js", import.meta.url));

type Place = "ns0" | "ns1" | "here" | "lan";

await inSandbox(import.meta.url, {}, () => {
  if (needsBpf !== false) return void test("changes", { skip: needsBpf }, () => {});
  let taps: Readonly<Record<Place, Tap>>;
  before(async () => {
    await buildLab();
    await addSlaves("l2", "bridge");
    await shell("host", "ip link add link eth0 name here type ipvlan mode l2");
    await shell(
      "host",
      `${SYSTEM_IP} addr add 10.0.0.20/32 dev here; ${SYSTEM_IP} link set here up`,
    );
    await until(ports, ([port]) =>
      port!.slaves.every(({ up, addresses }) => up && addresses.length > 0),
    );
    assert.equal((await ports())[0]!.engine, "ebpf");
    taps = {
      ns0: new Tap("ns0", "ipvl0"),
      ns1: new Tap("ns1", "ipvl1"),
      here: new Tap(netnsOf("host"), "here"),
      lan: new Tap("lan", "w0"),
    };
  });
  after(async () => {
    for (const tap of Object.values(taps)) tap.close();
    await shell("host", "ipvlan daemon stop --remove");
  });

  /** Where a frame arrives that is put on a device; `tagged`: it carries the tag of a VLAN. */
  async function reached(from: Place, words: string): Promise<string[]> {
    const sent = Buffer.from(frame(words).view());
    sent.writeUInt32BE(++serial, sent.length - 4);
    for (const tap of Object.values(taps)) tap.heard();
    taps[from].send(sent);
    await sleep(PASS_MS);
    const tail = sent.subarray(-4);
    return (Object.keys(taps) as Place[]).filter(
      (place) => place !== from && taps[place].heard().some((one) => one.subarray(-4).equals(tail)),
    );
  }
  let serial = 1 << 30;

  describe("a slave in the master's own namespace", () => {
    test("takes what is its own, from a sibling and from the wire, and sends to both", async () => {
      await set("l2", "bridge");
      assert.deepEqual(await reached("ns0", "own>own 10.0.0.10>10.0.0.20"), ["here"]);
      assert.deepEqual(await reached("lan", "w0>own 10.0.0.1>10.0.0.20"), ["here"]);
      assert.deepEqual(await reached("here", "own>own 10.0.0.20>10.0.0.11"), ["ns1"]);
      assert.deepEqual(await reached("here", "own>w0 10.0.0.20>10.0.0.1"), ["lan"]);
      assert.deepEqual(await reached("here", "own>all arp 10.0.0.20>10.0.0.11"), [
        "ns0",
        "ns1",
        "lan",
      ]);
    });
    test("l3: takes what is its own", async () => {
      await set("l3", "bridge");
      assert.deepEqual(await reached("ns0", "own>own 10.0.0.10>10.0.0.20"), ["here"]);
      assert.deepEqual(await reached("lan", "w0>own 10.0.0.1>10.0.0.20"), ["here"]);
      assert.deepEqual(await reached("here", "own>own 10.0.0.20>10.0.0.11"), ["ns1"]);
    });
    test("private: is kept from its siblings, too", async () => {
      await set("l2", "private");
      assert.deepEqual(await reached("ns0", "own>own 10.0.0.10>10.0.0.20"), []);
      assert.deepEqual(await reached("here", "own>own 10.0.0.20>10.0.0.11"), []);
      assert.deepEqual(await reached("lan", "w0>own 10.0.0.1>10.0.0.20"), ["here"]);
    });
  });

  describe("frames with the tag of a VLAN", () => {
    before(() => set("l2", "bridge"));
    for (const tags of ["vlan", "qinq vlan"])
      test(`${tags}: pass between slaves and the wire as the decisions say`, async () => {
        assert.deepEqual(await reached("ns0", `own>w0 ${tags} 10.0.0.10>10.0.0.1`), ["lan"]);
        assert.deepEqual(await reached("ns0", `own>all ${tags} arp 10.0.0.10>10.0.0.11`), [
          "ns1",
          "here",
          "lan",
        ]);
        assert.deepEqual(await reached("lan", `w0>all ${tags} arp 10.0.0.1>10.0.0.11`), [
          "ns0",
          "ns1",
          "here",
        ]);
        // The outer tag travels beside the frame; what another tag hides is nobody's.
        assert.deepEqual(
          await reached("lan", `w0>own ${tags} 10.0.0.1>10.0.0.11`),
          tags === "vlan" ? ["ns1"] : [],
        );
      });
  });

  test("an IPv6 address that a sibling has is found to be a duplicate", async () => {
    await set("l2", "bridge");
    await shell("ns0", `${SYSTEM_IP} addr add ${ADDRESS.ns1.v6}/64 dev ipvl0`);
    const shown = () => shell("ns0", `${SYSTEM_IP} -6 addr show dev ipvl0 to ${ADDRESS.ns1.v6}`);
    await until(shown, (text) => text.includes("dadfailed"));
    await shell("ns0", `${SYSTEM_IP} addr del ${ADDRESS.ns1.v6}/64 dev ipvl0`);
  });

  test("mode and flag change at once: no frame is judged by one's mode and the other's flag", async (t) => {
    // A question for nobody's address reaches a sibling in L2 bridge only: neither in L2 private nor in L3 bridge.
    await set("l2", "private");
    const ear = new Ear("ns1", ETH_P_ARP);
    const flood = spawnAt("ns0", [
      process.execPath,
      FLOODER,
      "ipvl0",
      "own>all arp 10.0.0.10>10.0.0.99",
    ]);
    for await (const _ready of flood.stdout.iterator({ destroyOnReturn: false })) break;
    for (let n = 0; n < CHANGES; n++)
      await (n % 2 === 0 ? set("l3", "bridge") : set("l2", "private"));
    const { drops } = (await ports())[0]!;
    const { txPackets } = (await ports())[0]!.slaves.find(
      ({ name }) => name === "ipvl0",
    )!.statistics;
    const heard = ear.count();
    await set("l2", "bridge");
    await sleep(PASS_MS);
    const heardInBridge = ear.count();
    flood.kill("SIGKILL");
    ear.close();
    t.diagnostic(
      `${CHANGES} changes; ${txPackets} went to the wire, ${drops["group-in-l3"]} were dropped in l3`,
    );
    assert.ok(drops["group-in-l3"]! > 0 && txPackets! > 0, "frames passed in both");
    assert.equal(heard, 0);
    assert.ok(heardInBridge > 0, "the test hears those that pass");
  });
});

const set = (mode: Mode, flag: Flag): Promise<unknown> =>
  client().changeLink({ netns: "/run/netns/ns0", name: "ipvl0", mode, flag });
