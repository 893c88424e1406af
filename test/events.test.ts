/** A port follows what the kernel does to its devices, whoever asked it to: plain `ip`, in any namespace. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ADDRESS, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import type { PortInfo } from "../src/daemon/control.ts";
import { daemonPid, ports, until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";

const ANSWER_MS = 2000;
const SILENCE_MS = 700;

await inSandbox(import.meta.url, { engines: "both", usually: "ebpf" }, () => {
  before(buildLab);
  beforeEach(() => addSlaves("l2", "bridge"));
  afterEach(() => shell("host", "ipvlan daemon stop --remove"));
  after(() => shell("host", "ip netns del lan"));

  describe("a slave's addresses", () => {
    test("are known when plain `ip` in its namespace has set them, and forgotten with them", async () => {
      await ip("ns0", "addr add 10.0.0.77/24 dev ipvl0");
      assert.ok(await reaches("ns1", "10.0.0.77"));
      await ip("ns0", "addr del 10.0.0.77/24 dev ipvl0");
      assert.ok(!(await addressesOf("ipvl0")).includes("10.0.0.77/24"));
    });

    test("that another slave has are the first one's, and told as a conflict until it lets go", async () => {
      await ip("ns1", "addr add 10.0.0.10/24 dev ipvl1");
      const [port] = await ports();
      assert.deepEqual(port!.conflicts, [
        { address: "10.0.0.10", holder: "ipvl0", claimants: ["ipvl1"] },
      ]);
      assert.ok(await reaches("lan", "10.0.0.10"));
      await ip("ns0", "addr flush dev ipvl0");
      assert.ok(await reaches("lan", "10.0.0.10"));
      assert.deepEqual((await ports())[0]!.conflicts, []);
    });

    test("that a slave of another master has are its own, too", async () => {
      await ip("host", "link add spare type veth peer name far");
      await shell("host", "ip link add link spare name ipvl9 type ipvlan mode l2");
      await shell("host", `ip addr add ${ADDRESS.ns0.v4}/24 dev ipvl9`);
      assert.deepEqual(
        (await ports()).flatMap(({ conflicts }) => conflicts),
        [],
      );
      await ip("host", "link del spare");
    });

    test("that the master has are told as a conflict with it", async () => {
      await ip("ns0", `addr add ${ADDRESS.host.v4}/24 dev ipvl0`);
      assert.deepEqual((await ports())[0]!.conflicts, [
        { address: ADDRESS.host.v4, holder: "eth0", claimants: ["ipvl0"] },
      ]);
    });

    test("include a link-local one by its device id, and never the one all would share", async () => {
      const addresses = await until(
        async () => addressesOf("ipvl0"),
        (all) => all.some((one) => one.startsWith("fe80")),
      );
      assert.ok(addresses.includes("fe80::200:0:100:2/64"), addresses.join());
      assert.equal(await ip("ns0", "-6 -br addr show scope link to fe80::ff:fe00:2"), "");
    });
  });

  describe("a slave", () => {
    test("that is down owns nothing, and everything again when it is up", async () => {
      await ip("ns0", "link set ipvl0 down");
      assert.ok(!(await reaches("ns1", ADDRESS.ns0.v4, SILENCE_MS)));
      await ip("ns0", "link set ipvl0 up");
      assert.ok(await reaches("ns1", ADDRESS.ns0.v4));
    });

    test("moved to another namespace works there, with its own link-local address", async () => {
      await shell("host", `${SYSTEM_IP} netns add ns2`);
      await ip("ns0", "link set ipvl0 netns ns2");
      await ip("ns2", "addr add 10.0.0.78/24 dev ipvl0");
      await ip("ns2", "link set ipvl0 up");
      assert.ok(await reaches("ns1", "10.0.0.78"));
      await until(
        async () => ip("ns2", "-6 -br addr show dev ipvl0 scope link"),
        (shown) => shown.includes("fe80::200:0:100:2") && !shown.includes("ff:fe"),
      );
      await shell("host", `${SYSTEM_IP} netns del ns2`);
    });

    test("is known by its new name when plain `ip` renames it", async () => {
      await ip("ns0", "link set ipvl0 name web0");
      await until(names, (all) => all.includes("web0"));
      assert.ok(await reaches("ns1", ADDRESS.ns0.v4));
    });

    test("deleted by plain `ip` is gone; the last one takes the port and all that belongs to it", async () => {
      await ip("ns0", "link del ipvl0");
      assert.deepEqual(await until(names, (all) => all.length === 1), ["ipvl1"]);
      await ip("ns1", "link del ipvl1");
      await until(ports, (all) => all.length === 0);
      assert.doesNotMatch(await ip("host", "link"), /ipvlup|s\d+\.\d+@/);
    });

    test("goes with its namespace", async () => {
      await shell("host", `${SYSTEM_IP} netns del ns0`);
      assert.deepEqual(await until(names, (all) => all.length === 1), ["ipvl1"]);
      await shell("host", `${SYSTEM_IP} netns add ns0`);
    });

    test("takes an MTU above the master's, and frames of that size reach its sibling", async () => {
      for (const [end, name] of SLAVES) await ip(end, `link set ${name} mtu 9000`);
      const whole = `ping -c 1 -W 1 -M do -s 8900 ${ADDRESS.ns1.v4} || true`;
      await until(
        () => shell("ns0", whole),
        (said) => said.includes(" 0% packet loss"),
      );
    });
  });

  describe("the master", () => {
    test("gives its MTU and MAC to the slaves", async () => {
      await ip("host", "link set eth0 mtu 1400 address 02:00:00:00:00:22");
      await until(
        async () => ip("ns0", "link show ipvl0"),
        (shown) => /mtu 1400/.test(shown) && /02:00:00:00:00:22/.test(shown),
      );
      await ip("lan", "neigh flush all");
      assert.ok(await reaches("ns0", ADDRESS.lan.v4));
      assert.ok(await reaches("lan", ADDRESS.ns1.v4));
      await ip("host", "link set eth0 mtu 1500 address 02:00:00:00:00:02");
      await until(
        async () => ip("ns0", "link show ipvl0"),
        (shown) => /mtu 1500/.test(shown) && /02:00:00:00:00:02/.test(shown),
      );
      await ip("lan", "neigh flush all"); // nobody tells the LAN of the change
    });

    for (const [how, end, device] of [
      ["is down", "host", "eth0"],
      ["has lost its carrier", "lan", "w0"],
    ] as const)
      test(`that ${how} takes the slaves' carrier, and gives it back`, async () => {
        await ip(end, `link set ${device} down`);
        await until(
          async () => ip("ns0", "link show ipvl0"),
          (shown) => /NO-CARRIER|LOWERLAYERDOWN/.test(shown),
        );
        await ip(end, `link set ${device} up`);
        await until(
          async () => ip("ns0", "link show ipvl0"),
          (shown) => /LOWER_UP/.test(shown),
        );
        assert.ok(await reaches("ns0", ADDRESS.lan.v4));
        assert.ok(await reaches("ns0", ADDRESS.ns1.v4));
      });

    test("takes its slaves along when it is deleted", async () => {
      await ip("host", "link add spare type veth peer name far");
      await shell("host", "ip link add link spare name ipvl9 type ipvlan mode l2");
      await ip("host", "link del spare");
      await until(names, (all) => !all.includes("ipvl9"));
      assert.doesNotMatch(await ip("host", "link"), /ipvl9/);
    });
  });

  describe("the daemon", () => {
    test("killed and started again finds ports, settings, slaves and addresses, and goes on", async () => {
      await shell("host", "ip -n ns0 link set ipvl0 type ipvlan mode l3s private");
      const before = (await ports()).map(told);
      process.kill(daemonPid(), "SIGKILL");
      await sleep(100);
      // Any command that makes something starts a daemon.
      await shell("host", "ip link add link eth0 name extra type ipvlan; ip link del extra");
      assert.deepEqual((await ports()).map(told), before);
      await shell("host", "ip -n ns0 link set ipvl0 type ipvlan mode l2 bridge");
      assert.ok(await reaches("ns0", ADDRESS.ns1.v4));
      assert.ok(await reaches("lan", ADDRESS.ns1.v4));
    });

    test("stopped leaves the slaves to the next one", async () => {
      await shell("host", "ipvlan daemon stop");
      assert.match(await ip("ns0", "link show ipvl0"), /ipvl0/);
      await shell("host", "ip link add link eth0 name extra type ipvlan; ip link del extra");
      assert.ok(await reaches("lan", ADDRESS.ns1.v4));
    });

    test("started again after its master has gone takes slaves, rules and tables away", async () => {
      await ip("host", "link add spare type veth peer name far");
      await ip("host", "link set spare up");
      await shell("host", "ip -n ns0 link del ipvl0; ip -n ns1 link del ipvl1");
      await shell("host", "ip link add link spare name ipvl9 type ipvlan mode l3s");
      process.kill(daemonPid(), "SIGKILL");
      await ip("host", "link del spare");
      await shell("host", "ip link add link eth0 name extra type ipvlan mode l2");
      assert.doesNotMatch(await ip("host", "link"), /ipvl9|spare/);
      assert.doesNotMatch(await ip("host", "rule"), /spare/);
      assert.deepEqual(await names(), ["extra"]);
    });

    test("stopped for good leaves no device, rule, table or file behind", async () => {
      await shell("host", "ipvlan daemon stop --remove");
      assert.doesNotMatch(await ip("host", "link"), /ipvl|s\d+\.\d+@/);
      assert.ok(!existsSync("/run/ipvlan") || readdirSync("/run/ipvlan").length === 0);
      await addSlaves("l2", "bridge"); // for the one after this test
    });
  });

  test("a slave that floods does not starve another's conversation", async () => {
    const flood = shell(
      "ns0",
      `timeout 3 node -e '
         const s = require("dgram").createSocket("udp4");
         const b = Buffer.alloc(18);
         const go = () => { for (let i = 0; i < 200; i++) s.send(b, 9, "10.0.0.1"); setImmediate(go); };
         go();' || true`,
    );
    await sleep(500);
    let answered = 0;
    for (let i = 0; i < 20; i++) if (await reaches("ns1", ADDRESS.lan.v4, SILENCE_MS)) answered++;
    await flood;
    assert.ok(answered >= 18, `${answered} of 20 answered`);
  });
});

const SLAVES = [
  ["ns0", "ipvl0"],
  ["ns1", "ipvl1"],
] as const;

const ip = (end: string, words: string): Promise<string> => shell(end, `${SYSTEM_IP} ${words}`);

const names = async (): Promise<string[]> =>
  (await ports()).flatMap(({ slaves }) => slaves.map(({ name }) => name));

const addressesOf = async (name: string): Promise<readonly string[]> =>
  (await ports()).flatMap(({ slaves }) => slaves).find((one) => one.name === name)?.addresses ?? [];

/** What must be the same after a restart. */
const told = ({ master, mode, flag, compat, slaves }: PortInfo) => ({
  master,
  mode,
  flag,
  compat,
  slaves: slaves.map(({ name, deviceId, addresses }) => ({
    name,
    deviceId,
    addresses: [...addresses].sort(),
  })),
});

const reaches = async (end: string, to: string, timeoutMs = ANSWER_MS): Promise<boolean> =>
  (await ping({ netns: end, to }, timeoutMs)) !== undefined;
