/**
 * What the flags keep apart, on real devices. private: no frame of any kind passes between slaves. vepa: whatever passes
 * goes through the switch beyond the master.
 *
 *     lan: w0 or, for vepa, a bridge with w0 as its port
 *      |
 *     eth0 --- ipvl0 (ns0) 10.0.0.10 fd00::10
 *          `-- ipvl1 (ns1) 10.0.0.11 fd00::11
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ADDRESS, FAMILIES, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { inSandbox } from "./in-sandbox.ts";
import {
  addSlaves,
  buildLab,
  deleteSlaves,
  forget,
  SYSTEM_IP,
  setPort,
  showPorts,
} from "./slaves.ts";
import { Tap } from "./tap.ts";
import { frame } from "./topology.ts";

await inSandbox(import.meta.url, { engines: "both", usually: "ebpf" }, () => {
  before(buildLab);
  after(() => shell("host", "ipvlan daemon stop --remove"));

  describe("frames of every kind from one slave", () => {
    let ipvl0: Tap;
    let ipvl1: Tap;
    let lan: Tap;
    before(async () => {
      await addSlaves("l2", "bridge");
      ipvl0 = new Tap("ns0", "ipvl0");
      ipvl1 = new Tap("ns1", "ipvl1");
      lan = new Tap("lan", "w0");
    });
    after(async () => {
      for (const tap of [ipvl0, ipvl1, lan]) tap.close();
      await deleteSlaves();
    });

    test("bridge: the test sees those that pass", async () => {
      await setPort("l2", "bridge");
      const passed = await inject(ipvl0, ipvl1, ANY);
      for (const words of [
        "own>own 10.0.0.10>10.0.0.11",
        "own>own vlan fd00::10>fd00::11",
        "own>all arp 10.0.0.10>10.0.0.11",
        "own>33:33:00:00:00:01 fd00::10>ff02::1",
        "own>all type 0x88cc",
      ])
        assert.ok(passed.includes(words), words);
      assert.ok(!passed.some((words) => words.startsWith("other>")));
    });

    for (const mode of ["l2", "l3", "l3s"] as const)
      test(`${mode} private: none reaches its sibling`, async () => {
        await setPort(mode, "private");
        assert.deepEqual(await inject(ipvl0, ipvl1, ANY), []);
      });

    test("l2 private: groups leave by the wire, and under no MAC but the master's", async () => {
      await setPort("l2", "private");
      const left = await inject(ipvl0, lan, ANY);
      assert.ok(left.includes("own>all arp 10.0.0.10>10.0.0.11"));
      assert.ok(left.includes("own>33:33:00:00:00:01 vlan fd00::10>ff02::1"));
      assert.ok(!left.some((words) => words.startsWith("other>")));
    });

    test("l2 private: what a switch sends back reaches no slave", async () => {
      await setPort("l2", "private");
      assert.deepEqual(await inject(lan, ipvl1, OWN_GROUPS), []);
    });

    test("l2 private: what others send does reach them", async () => {
      await setPort("l2", "private");
      const others = OWN_GROUPS.map((words) => words.replace("own>", "w0>"));
      assert.ok((await inject(lan, ipvl1, others)).includes("w0>all arp 10.0.0.10>10.0.0.11"));
    });

    test("private: who drops tells why", async () => {
      const [port] = await showPorts();
      const reasons = Object.entries(port!.drops).filter(([, count]) => count > 0);
      assert.ok(reasons.length >= 2, JSON.stringify(port!.drops));
    });
  });

  describe("vepa behind a switch", () => {
    before(async () => {
      await shell("lan", switchInTheLan);
      await addSlaves("l2", "vepa");
    });
    after(deleteSlaves);

    for (const isHairpin of [true, false])
      for (const family of FAMILIES)
        test(`${family}: hairpin ${isHairpin ? "on: slaves reach each other through it" : "off: they do not"}`, async () => {
          await setHairpin(isHairpin);
          await forget();
          const time = await ping(
            { netns: "ns0", to: ADDRESS.ns1[family] },
            isHairpin ? ANSWER_MS : SILENCE_MS,
          );
          assert.equal(time !== undefined, isHairpin);
        });

    test("hairpin on: a slave is not told of its own probe, so it keeps the address it asks for", async () => {
      await setHairpin(true);
      await shell("ns0", `${SYSTEM_IP} addr add fd00::dad/64 dev ipvl0`);
      await sleep(DAD_MS);
      assert.doesNotMatch(
        await shell("ns0", `${SYSTEM_IP} -6 addr show dev ipvl0`),
        /dadfailed|tentative/,
      );
    });

    test("an address that a sibling has: the sibling keeps the traffic, and the conflict is told", async () => {
      await setHairpin(true);
      await shell("ns0", `${SYSTEM_IP} addr add ${ADDRESS.ns1.v6}/64 dev ipvl0 nodad`);
      const [port] = await showPorts();
      assert.deepEqual(port!.conflicts, [
        { address: ADDRESS.ns1.v6, holder: "ipvl1", claimants: ["ipvl0"] },
      ]);
    });
  });
});

const ANSWER_MS = 4000;
const SILENCE_MS = 1500;
/** A delay of up to a second and a probe of one, RFC 4862 §5.4. */
const DAD_MS = 2500;
/** Far more than a frame takes. */
const PASS_MS = 400;

const DESTINATIONS = [
  "own",
  "other",
  "all",
  "01:00:5e:00:00:01",
  "33:33:00:00:00:01",
  "33:33:ff:00:00:11",
];
const TAGS = ["", "vlan ", "qinq ", "qinq vlan "];
const PACKETS = [
  "10.0.0.10>10.0.0.11",
  "10.0.0.10>255.255.255.255",
  "10.0.0.10>224.0.0.1",
  "10.0.0.99>10.0.0.11",
  "fd00::10>fd00::11",
  "fd00::10>ff02::1",
  "arp 10.0.0.10>10.0.0.11",
  "arp 10.0.0.11>10.0.0.11",
  "dad fd00::11",
  "type 0x88cc",
];

const framesOf = (sources: readonly string[], destinations: readonly string[]): string[] =>
  sources.flatMap((src) =>
    destinations.flatMap((dst) =>
      TAGS.flatMap((tags) => PACKETS.map((packet) => `${src}>${dst} ${tags}${packet}`)),
    ),
  );

const ANY = framesOf(["own", "other"], DESTINATIONS);
/** What a switch could send back: the groups that slaves send out. */
const OWN_GROUPS = framesOf(
  ["own"],
  DESTINATIONS.filter((dst) => dst !== "own" && dst !== "other"),
);

/** Which of the frames, put on one device, come by at another. A number behind each tells them apart. */
async function inject(from: Tap, at: Tap, frames: readonly string[]): Promise<string[]> {
  at.heard();
  for (const [i, words] of frames.entries())
    from.send(Buffer.concat([frame(words).view(), numbered(i)]));
  await sleep(PASS_MS);
  const heard = at.heard();
  return frames.filter((_, i) => heard.some((bytes) => bytes.subarray(-8).equals(numbered(i))));
}

function numbered(i: number): Buffer {
  const bytes = Buffer.from("isolate\0\0".slice(0, 8));
  bytes.writeUInt16BE(i, 6);
  return bytes;
}

/** The router's addresses move to a bridge, whose one port is the wire. */
const switchInTheLan = [
  "link add br0 address 02:00:00:00:00:01 type bridge",
  "addr flush dev w0",
  "link set w0 master br0",
  "link set br0 up",
  `addr add ${ADDRESS.lan.v4}/24 dev br0`,
  `addr add ${ADDRESS.lan.v6}/64 dev br0 nodad`,
]
  .map((words) => `${SYSTEM_IP} ${words}`)
  .join("\n");

const setHairpin = (isOn: boolean): Promise<string> =>
  shell("lan", `${SYSTEM_IP} link set w0 type bridge_slave hairpin ${isOn ? "on" : "off"}`);
