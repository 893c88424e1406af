/** What others do on the host, and failures in the middle, leave a port whole and the host as it was. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { ADDRESS, addLanRoutes, deleteLanRoutes, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { findSysctl } from "../src/linux/sysctl.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP, setPort, showPorts } from "./slaves.ts";

const ANSWER_MS = 2000;

await inSandbox(import.meta.url, { engines: "both", usually: "userspace" }, (engine) => {
  before(async () => {
    await buildLab();
    await addLanRoutes();
  });
  beforeEach(() => addSlaves("l3s", "bridge"));
  afterEach(() => shell("host", "ipvlan daemon stop --remove"));
  after(deleteLanRoutes);

  test("l3s: a renamed master forwards for its slaves only, and not at all once they are gone", async () => {
    await ip("link set eth0 down; ip link set eth0 name wan; ip link set wan up");
    await answers("lan", ADDRESS.ns0.v4);
    assert.match(await ip("rule"), /iif wan blackhole/);
    assert.doesNotMatch(await ip("rule"), /iif eth0/);
    await shell("host", "ipvlan daemon stop --remove");
    assert.equal(findSysctl("ipv4/conf/wan/forwarding"), "0");
    assert.notEqual(findSysctl("ipv6/conf/wan/force_forwarding"), "1");
    await ip("link set wan down; ip link set wan name eth0; ip link set eth0 up");
    await ip("addr replace fd00::2/64 dev eth0 nodad"); // went with the device
    await addSlaves("l2", "bridge"); // for the one after this test
  });

  test("l3s: rules that people wrote stay, though they look like ours", async () => {
    await ip("rule add pref 100 iif eth0 lookup 50; ip rule add pref 101 iif eth0 blackhole");
    await setPort("l2", "bridge");
    const rules = await ip("rule");
    assert.match(rules, /100:\s+from all iif eth0 lookup 50/);
    assert.match(rules, /101:\s+from all iif eth0 blackhole/);
    await ip("rule del pref 100; ip rule del pref 101");
  });

  test("a change of mode that fails changes nothing", async () => {
    await setPort("l2", "bridge");
    await shell("host", "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
    await assert.rejects(setPort("l3s", "private"));
    await shell("host", "umount /proc/sys");
    const [port] = await showPorts();
    const consumption = engine === "ebpf" ? "tc" : "nftables";
    assert.deepEqual([port!.mode, port!.flag, port!.consumption], ["l2", "bridge", consumption]);
    assert.doesNotMatch(await ip("rule"), /ipvlup/);
    await answers("ns0", ADDRESS.ns1.v4);
    await setPort("l3s", "bridge");
    await answers("lan", ADDRESS.ns1.v4);
  });

  test("a daemon killed in the middle of writing does not cost the slaves", async () => {
    process.kill(daemonPid(), "SIGKILL");
    const [dir] = readdirSync("/run/ipvlan");
    const saved = readdirSync(`/run/ipvlan/${dir}`).find((name) => name.startsWith("sysctls-"));
    truncateSync(`/run/ipvlan/${dir}/${saved}`);
    await shell("host", "ip link add link eth0 name extra type ipvlan; ip link del extra");
    const [port] = await showPorts();
    assert.deepEqual(port!.slaves.map(({ name }) => name).sort(), ["ipvl0", "ipvl1"]);
    assert.equal(port!.mode, "l3s");
    await answers("lan", ADDRESS.ns0.v4);
  });

  test("a host where new devices have no IPv6 carries the slaves' IPv4 and IPv6", async () => {
    await shell("host", "ipvlan daemon stop --remove");
    await disableIpv6(1);
    await addSlaves("l3s", "bridge");
    await answers("lan", ADDRESS.ns0.v4);
    await answers("lan", ADDRESS.ns0.v6);
    await disableIpv6(0);
  });

  test("our pair deleted by somebody: the port still goes with its last slave", async () => {
    await setPort("l2", "bridge");
    await ip("link del $(ls /sys/class/net | grep ipvlup || echo ipvlup2)");
    await shell("host", "ip -n ns0 link del ipvl0; ip -n ns1 link del ipvl1");
    assert.deepEqual(await showPorts(), []);
    await addSlaves("l2", "bridge");
    await answers("ns0", ADDRESS.ns1.v4);
  });
});

const ip = (words: string): Promise<string> =>
  shell("host", `ip() { ${SYSTEM_IP} "$@"; }; ip ${words}`);

async function answers(end: string, to: string): Promise<void> {
  assert.notEqual(await ping({ netns: end, to }, ANSWER_MS), undefined, `${end} -> ${to}`);
}

const disableIpv6 = (value: 0 | 1): Promise<string> =>
  shell("host", `echo ${value} > /proc/sys/net/ipv6/conf/default/disable_ipv6`);

function daemonPid(): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    if (readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("daemon\0run\0")) return Number(pid);
  throw new Error("no daemon runs");
}
