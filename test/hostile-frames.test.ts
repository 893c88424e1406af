/**
 * HOWTO §6, on real devices: whatever slaves send and whatever is done to their devices, the switch sees the master's
 * MAC alone, the master's NIC learns no other, and siblings keep what is theirs.
 *
 *     lan: w0, the switch's side
 *      |
 *     eth0 --- ipvl0 (ns0), the hostile one     10.0.0.10 fd00::10
 *          |-- ipvl1 (ns1), its sibling         10.0.0.11 fd00::11
 *          `-- c1 (c1) ... c198 (c198)
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ADDRESS, type End, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { formatMac, macFrom } from "../src/wire/address.ts";
import * as eth from "../src/wire/ethernet.ts";
import { Frame } from "../src/wire/frame.ts";
import { complaints, gather, nameOf, ports } from "./crowd.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP, setPort } from "./slaves.ts";
import { Tap } from "./tap.ts";
import { frame } from "./topology.ts";

await inSandbox(import.meta.url, { engines: "both", usually: "userspace" }, () => {
  let nicBefore: string;
  let everybody: readonly Tap[];
  before(async () => {
    await buildLab();
    await addSlaves("l2", "bridge");
    nicBefore = await nicOfMaster();
    await gather(1, CROWD);
    everybody = EVERYBODY.map(([end, device]) => new Tap(end, device, { hears: false }));
  });
  after(() => shell("host", "ipvlan daemon stop --remove"));

  for (const mode of ["l2", "l3", "l3s"] as const)
    test(`${mode}: of 200 slaves that send anything, forged or not, the switch sees the master's MAC only`, async () => {
      await setPort(mode, "bridge");
      const dropsBefore = await drops();
      const wire = new Tap("lan", "w0");
      const seen = new Map<string, number>();
      for (const tap of everybody) {
        for (const [i, words] of FRAMES.entries()) {
          tap.send(frame(words).view());
          if (i % 64 === 63) await sleep(1); // a ring has no room for all at once
        }
        countSources(wire.heard(), seen);
      }
      await sleep(PASS_MS);
      countSources(wire.heard(), seen);
      wire.close();
      seen.delete(LAN_MAC);
      assert.deepEqual([...seen.keys()], [MASTER_MAC]);
      assert.ok(seen.get(MASTER_MAC)! >= EVERYBODY.length, "each is heard on the wire");
      assert.equal(await nicOfMaster(), nicBefore);
      const dropsAfter = await drops();
      for (const reason of REASONS[mode])
        assert.ok(
          (dropsAfter[reason] ?? 0) - (dropsBefore[reason] ?? 0) >= EVERYBODY.length / 2,
          `${reason}: ${JSON.stringify(dropsAfter)}`,
        );
    });

  test("a slave that becomes promiscuous, or takes all groups, makes the master neither", async () => {
    await ip("ns0", "link set ipvl0 promisc on allmulticast on");
    await sleep(PASS_MS);
    assert.equal(await nicOfMaster(), nicBefore);
    await ip("ns0", "link set ipvl0 promisc off allmulticast off");
  });

  describe("l2: a slave", () => {
    let sibling: Tap;
    let wire: Tap;
    before(async () => {
      await setPort("l2", "bridge");
      sibling = new Tap("ns1", "ipvl1");
      wire = new Tap("lan", "w0");
    });
    after(() => {
      for (const tap of [sibling, wire]) tap.close();
    });
    afterEach(async () => {
      assert.deepEqual(complaints(), []);
      await everybodyElseIsWell();
    });

    test("that sets another MAC is heard nowhere, and counted; with the right one it is heard again", async () => {
      const before = await drops();
      await ip("ns0", "link set ipvl0 address 02:00:00:00:00:66");
      sibling.heard();
      wire.heard();
      for (const to of [ADDRESS.ns1.v4, ADDRESS.lan.v4, ADDRESS.ns1.v6, ADDRESS.lan.v6])
        assert.equal(await ping({ netns: "ns0", to }, SILENCE_MS), undefined);
      for (const tap of [sibling, wire])
        assert.ok(tap.heard().every((bytes) => sourceOf(bytes) !== "02:00:00:00:00:66"));
      assert.ok((await drops())["forged-mac"]! > (before["forged-mac"] ?? 0));
      await ip("ns0", "link set ipvl0 address 02:00:00:00:00:02");
      assert.notEqual(await ping({ netns: "ns0", to: ADDRESS.lan.v4 }, ANSWER_MS), undefined);
    });

    test("with a macvlan, a bridge or a VLAN on it sends from no MAC but the master's", async () => {
      await shell(
        "ns0",
        `${SYSTEM_IP} link add link ipvl0 mv0 type macvlan || true
         ${SYSTEM_IP} link add link ipvl0 v10 type vlan id 10 || true
         for d in mv0 v10; do ${SYSTEM_IP} link set $d up || true; ${SYSTEM_IP} addr add 10.7.0.7/24 dev $d || true; done
         ping -c 2 -W 1 -I mv0 10.7.0.1 || true; ping -c 2 -W 1 -I v10 10.7.0.1 || true
         ${SYSTEM_IP} link del mv0 || true; ${SYSTEM_IP} link del v10 || true
         ${SYSTEM_IP} link add br0 address 02:00:00:00:00:77 type bridge && ${SYSTEM_IP} link set ipvl0 master br0
         ${SYSTEM_IP} link set br0 up; ${SYSTEM_IP} addr add 10.7.0.7/24 dev br0; ping -c 2 -W 1 10.7.0.1 || true
         ${SYSTEM_IP} link del br0`,
      );
      const sources = new Set(wire.heard().map(sourceOf));
      sources.delete(LAN_MAC);
      assert.deepEqual([...sources], [MASTER_MAC]);
    });

    test("that takes its sibling's address, by every means to say so, gets none of the sibling's traffic", async () => {
      const own = new Tap("ns0", "ipvl0", { joins: false });
      await ip("ns0", `addr add ${ADDRESS.ns1.v4}/24 dev ipvl0`);
      await ip("ns0", `addr add ${ADDRESS.ns1.v6}/64 dev ipvl0 nodad`);
      for (const words of CLAIMS) own.send(frame(words).view());
      own.heard();
      await everybodyElseIsWell();
      const stolen = own
        .heard()
        .filter((bytes) => isFor(bytes, `w0>own 10.0.0.1>${ADDRESS.ns1.v4}`));
      assert.deepEqual(stolen, []);
      const [port] = await ports();
      assert.deepEqual(
        port!.conflicts.map(({ address, holder, claimants }) => [address, holder, claimants]),
        [ADDRESS.ns1.v4, ADDRESS.ns1.v6].map((address) => [address, "ipvl1", ["ipvl0"]]),
      );
      own.close();
      await ip("ns0", `addr del ${ADDRESS.ns1.v4}/24 dev ipvl0`);
      await ip("ns0", `addr del ${ADDRESS.ns1.v6}/64 dev ipvl0`);
    });

    test("with any MTU, any name, any offloads, thousands of groups, going down and up all the time, harms nobody", async () => {
      await shell(
        "ns0",
        `for mtu in 68 65535 1280 9000 1500; do ${SYSTEM_IP} link set ipvl0 mtu $mtu; done
         for i in $(seq 50); do ${SYSTEM_IP} link set ipvl0 down; ${SYSTEM_IP} link set ipvl0 up; done
         for i in $(seq 0 2999); do echo "maddr add 01:00:5e:$(printf %02x:%02x:%02x $((i / 65536)) $((i / 256 % 256)) $((i % 256))) dev ipvl0"; done > /run/groups
         ${SYSTEM_IP} -batch /run/groups
         for o in tx sg tso gso gro tx-udp-segmentation rxvlan txvlan; do ethtool -K ipvl0 $o off || true; done
         ${SYSTEM_IP} link set ipvl0 down
         for n in 'a"b' "a'b" '$(x)' '..a' '%n' '${ESCAPE}' 'äöü' 'ipvlup2' 'down2' 'eth0'; do ${SYSTEM_IP} link set ipvl0 name "$n" && ${SYSTEM_IP} link set "$n" name ipvl0; done
         ${SYSTEM_IP} link set ipvl0 name '${ESCAPE}'; ${SYSTEM_IP} link set '${ESCAPE}' up`,
      );
      await everybodyElseIsWell();
      for (const words of ["status", "status -j", "link show", "port show", "-j link show"])
        assert.ok(!(await shell("host", `ipvlan ${words}`)).includes("\x1b"), words);
      await shell(
        "ns0",
        `${SYSTEM_IP} link set '${ESCAPE}' down; ${SYSTEM_IP} link set '${ESCAPE}' name ipvl0; ${SYSTEM_IP} link set ipvl0 up
         ${SYSTEM_IP} addr replace ${ADDRESS.ns0.v6}/64 dev ipvl0 nodad
         ethtool -K ipvl0 tx on sg on tso on gso on gro on || true`,
      );
      assert.notEqual(await ping({ netns: "ns0", to: ADDRESS.ns1.v4 }, ANSWER_MS), undefined);
    });
  });
});

const CROWD = 198;
const ANSWER_MS = 5000;
const SILENCE_MS = 300;
const PASS_MS = 300;
const MASTER_MAC = "02:00:00:00:00:02";
const LAN_MAC = "02:00:00:00:00:01";
const ESCAPE = "\x1b[31mx";

const EVERYBODY: readonly (readonly [end: string, device: string])[] = [
  ["ns0", "ipvl0"],
  ["ns1", "ipvl1"],
  ...Array.from({ length: CROWD }, (_, i) => [nameOf(i + 1), nameOf(i + 1)] as const),
];

const TAGS = ["", "vlan ", "qinq vlan "];
const FORGED = ["other", "all"];
const DESTINATIONS = ["own", "w0", "all"];
const PACKETS = [
  "10.0.0.10>10.0.0.1",
  "fd00::10>fd00::1",
  "arp 10.0.0.10>10.0.0.1",
  "dad fd00::99",
  "type 0x8808",
  "type 0x88cc",
];

const framesOf = (sources: readonly string[], destinations: readonly string[]): string[] =>
  sources.flatMap((src) =>
    destinations.flatMap((dst) =>
      TAGS.flatMap((tags) => PACKETS.map((packet) => `${src}>${dst} ${tags}${packet}`)),
    ),
  );

/** Few that are flooded, since each goes to 199 others. */
const FRAMES: readonly string[] = [
  ...framesOf(["own"], ["own", "w0"]),
  ...framesOf(FORGED, DESTINATIONS),
  "own>all arp 10.0.0.10>10.0.0.1",
  "own>all type 0x88cc",
  "own>33:33:00:00:00:01 dad fd00::99",
  "own>01:80:c2:00:00:01 type 0x8808",
];

/** Each slave's frames meet these, if its ring had room for them. */
const REASONS = {
  l2: ["forged-mac", "pause"],
  l3: ["group-in-l3", "not-ip"],
  l3s: ["group-in-l3", "not-ip"],
} as const;

/** That an address is ours: gratuitous ARP, an answer nobody asked for, a probe. */
const CLAIMS = [
  `own>all arp ${ADDRESS.ns1.v4}>${ADDRESS.ns1.v4}`,
  `own>w0 arp ${ADDRESS.ns1.v4}>10.0.0.1`,
  `own>33:33:ff:00:00:11 dad ${ADDRESS.ns1.v6}`,
];

const ip = (end: End, words: string): Promise<string> => shell(end, `${SYSTEM_IP} ${words}`);

const sourceOf = (bytes: Uint8Array): string => {
  const f = Frame.of(bytes);
  return formatMac(macFrom(eth.srcHigh(f), eth.srcLow(f)));
};

function countSources(frames: readonly Uint8Array[], seen: Map<string, number>): void {
  for (const mac of frames.map(sourceOf)) seen.set(mac, (seen.get(mac) ?? 0) + 1);
}

/** Whether the IPv4 addresses are those of the frame in words. */
const isFor = (bytes: Uint8Array, words: string): boolean =>
  Buffer.compare(bytes.subarray(26, 34), frame(words).view().subarray(26, 34)) === 0;

async function drops(): Promise<Readonly<Record<string, number>>> {
  return (await ports())[0]!.drops;
}

/** What the master's NIC is told to receive besides its own MAC. */
async function nicOfMaster(): Promise<string> {
  const [link] = JSON.parse(await ip("host", "-d -j link show eth0"));
  assert.equal(link.promiscuity, 0);
  assert.ok(!link.flags.includes("PROMISC"));
  return `${link.allmulti} ${await ip("host", "maddr show dev eth0")}`;
}

async function everybodyElseIsWell(): Promise<void> {
  for (const [netns, to] of [
    ["ns1", ADDRESS.lan.v4],
    ["lan", ADDRESS.ns1.v4],
    ["lan", ADDRESS.ns1.v6],
    [nameOf(1), ADDRESS.ns1.v4],
  ] as const)
    assert.notEqual(await ping({ netns, to }, ANSWER_MS), undefined, `${netns} to ${to}`);
}
