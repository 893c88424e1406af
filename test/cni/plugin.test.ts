/** The CNI plugin as a runtime meets it: containers that talk, CHECK, DEL, forms of results, many at once. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Capture } from "../capture.ts";
import { allAsked } from "../in-sandbox.ts";
import {
  ASKED,
  addContainer,
  ask,
  configOf,
  devicesIn,
  forgetHanging,
  LOCAL_BOTH,
  leftovers,
  onCni,
  pidOfHanging,
  reaches,
  refuse,
  removeContainer,
  sh,
  slaves,
  succeed,
} from "./ground.ts";

/** Containers at once. */
const CROWD = allAsked ? 100 : 40;

await onCni(import.meta.url, { needs: ["dumpcap", "tshark"] }, () => {
  before(() => addContainer("a", "b"));
  afterEach(async () => {
    assert.deepEqual(await leftovers(), []);
    assert.deepEqual([...devicesIn("a"), ...devicesIn("b")], []);
  });

  for (const mode of ["l2", "l3", "l3s"])
    test(`${mode}: containers reach each other and the LAN by both families`, async () => {
      const config = configOf({ mode, ipam: LOCAL_BOTH });
      const ips = [];
      for (const container of ["a", "b"])
        ips.push((await succeed({ command: "ADD", container, config })).ips.map(bare));
      const [ofA, ofB] = ips;
      // In L3 nobody on the wire answers for a container's address.
      if (mode !== "l2")
        for (const [four, six] of ips)
          sh(`ip -n lan route add ${four} via 10.0.0.2; ip -n lan route add ${six} via fd00::2`);
      for (const to of [...ofB!, "10.0.0.1", "fd00::1"])
        assert.ok(reaches("a", to), `a does not reach ${to}`);
      assert.ok(reaches("lan", ofA![0]!) && reaches("lan", ofA![1]!), "the LAN does not reach a");
      for (const container of ["a", "b"]) await succeed({ command: "DEL", container, config });
    });

  test("l2: the LAN hears at once who has an address, and IPv6 may be used when ADD is through", async () => {
    const capture = await Capture.start("lan", "w0", "/run/cni.pcap");
    const config = configOf({ ipam: LOCAL_BOTH });
    const { ips } = await succeed({ command: "ADD", container: "a", config });
    assert.equal(sh("ip -n a -6 address show tentative"), "");
    await sleep(200);
    await capture.stop();
    const heard = (filter: string) => sh(`tshark -n -r /run/cni.pcap -Y '${filter}' 2>/dev/null`);
    const [four, six] = ips.map(bare);
    const mac = sh("cat /sys/class/net/eth0/address").trim();
    const arp = `arp.src.proto_ipv4 == ${four} && arp.dst.proto_ipv4 == ${four} && arp.src.hw_mac == ${mac}`;
    assert.notEqual(heard(`eth.dst == ff:ff:ff:ff:ff:ff && ${arp}`), "");
    const na = `icmpv6.type == 136 && icmpv6.nd.na.target_address == ${six} && icmpv6.nd.na.flag.s == 0`;
    assert.notEqual(heard(`${na} && ipv6.dst == ff02::1 && icmpv6.opt.linkaddr == ${mac}`), "");
    await succeed({ command: "DEL", container: "a", config });
  });

  test("CHECK: fine after ADD, refused when an address, a route or the interface is gone", async () => {
    const config = configOf();
    const prevResult = await succeed({ command: "ADD", container: "a", config });
    const check = { command: "CHECK", container: "a", config: { ...config, prevResult } };
    await succeed(check);
    sh("ip -n a route del default");
    assert.match((await refuse(check)).msg, /^Expected Route 0\.0\.0\.0\/0 not found/);
    sh("ip -n a route add default via 10.0.0.1");
    sh(`ip -n a address del ${prevResult.ips[0]!.address} dev eth0`);
    assert.match((await refuse(check)).msg, /^Failed to match addr 10\.0\.0\./);
    await succeed({ command: "DEL", container: "a", config });
    assert.notEqual((await refuse(check)).msg, "");
  });

  test("DEL: may come again, without namespace, without what ADD said, and when the container is gone", async () => {
    const config = configOf();
    addContainer("c");
    for (const container of ["a", "c"]) await succeed({ command: "ADD", container, config });
    removeContainer("c");
    const del = { command: "DEL", container: "c", config };
    for (const more of [{}, {}, { netns: "" }]) await succeed({ ...del, ...more });
    assert.equal((await slaves()).length, 1);
    for (const netns of ["", "/run/netns/a", ""])
      await succeed({ command: "DEL", container: "a", config, netns });
  });

  test("DEL: takes what ADD of the same network, container and interface made, and nothing else", async () => {
    const [config, other] = [configOf(), configOf({}, "other")];
    sh("ip -n b link add eth0 type veth peer name eth1");
    await succeed({ command: "ADD", container: "a", config });
    await succeed({ command: "ADD", container: "a", config: other, ifname: "eth1" });
    await succeed({ command: "DEL", container: "b", config });
    await succeed({ command: "DEL", container: "a", config: other });
    assert.deepEqual(devicesIn("a").sort(), ["eth0", "eth1"]);
    assert.deepEqual(devicesIn("b").sort(), ["eth0", "eth1"]);
    sh("ip -n b link del eth0");
    await succeed({ command: "DEL", container: "a", config });
    assert.deepEqual(devicesIn("a"), ["eth1"]);
    await succeed({ command: "DEL", container: "a", config: other, ifname: "eth1" });
  });

  test("DEL: what the IPAM plugin refuses is told, but the slave goes; the next DEL takes the lease", async () => {
    const config = configOf();
    const { ips } = await succeed({ command: "ADD", container: "a", config });
    const del = { command: "DEL", container: "a" };
    const { msg } = await refuse({ ...del, config: configOf({ ipam: { type: "nosuch" } }) });
    assert.match(msg, /^failed to find plugin "nosuch"/);
    assert.deepEqual(devicesIn("a"), []);
    assert.deepEqual(await leftovers(), [`net/${bare(ips[0]!)}`]);
    await succeed({ ...del, config });
  });

  test("two ADDs at once for one container: one does, the other is refused and takes nothing away", async () => {
    const config = configOf({ ipam: static4("10.0.0.77/24") });
    const both = [1, 2].map(() => ask({ command: "ADD", container: "a", config }));
    const answers = await Promise.all(both);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [0, 1]);
    assert.deepEqual(devicesIn("a"), ["eth0"]);
    assert.ok(reaches("a", "10.0.0.1"));
    await succeed({ command: "DEL", container: "a", config });
  });

  test(`${CROWD} containers come and go at once`, async (t) => {
    const names = Array.from({ length: CROWD }, (_, i) => `crowd${i}`);
    addContainer(...names);
    const config = configOf();
    const began = performance.now();
    await Promise.all(
      names.map(async (container) => {
        await succeed({ command: "ADD", container, config });
        await succeed({ command: "DEL", container, config });
      }),
    );
    t.diagnostic(`${((performance.now() - began) / CROWD).toFixed()} ms each`);
    removeContainer(...names);
  });

  test("linkInContainer: the master is the container's", async () => {
    sh(`ip link add m0 netns a type veth peer name m1 netns b
        ip -n a link set m0 up; ip -n b link set m1 up; ip -n b address add 10.9.0.1/24 dev m1`);
    const ipam = static4("10.9.0.2/24");
    const config = configOf({ linkInContainer: true, master: "m0", ipam });
    const prevResult = await succeed({ command: "ADD", container: "a", config });
    assert.ok(reaches("a", "10.9.0.1"));
    await succeed({ command: "CHECK", container: "a", config: { ...config, prevResult } });
    await succeed({ command: "DEL", container: "a", config });
    sh("ip -n a link del m0");
  });

  test("results have the form of their version", async () => {
    const address = "10.0.0.77/24";
    const ipam = { ...static4(address), routes: [{ dst: "10.1.0.0/16", gw: "10.0.0.1" }] };
    const mac = sh("cat /sys/class/net/eth0/address").trim();
    const routes = ipam.routes;
    const interfaces = [{ name: "eth0", mac, sandbox: "/run/netns/a" }];
    const newer = (version: object, device: object = {}) => ({
      interfaces: [{ ...interfaces[0], ...device }],
      ips: [{ ...version, interface: 0, address }],
      routes,
      dns: {},
    });
    const forms = {
      "0.1.0": { ip4: { ip: address, routes }, dns: {} },
      "0.2.0": { ip4: { ip: address, routes }, dns: {} },
      "0.3.0": newer({ version: "4" }),
      "0.3.1": newer({ version: "4" }),
      "0.4.0": newer({ version: "4" }),
      "1.0.0": newer({}),
    };
    for (const [cniVersion, form] of Object.entries(forms)) {
      const config = configOf({ cniVersion, ipam });
      const result = await succeed({ command: "ADD", container: "a", config });
      assert.deepEqual(result, { cniVersion, ...form });
      await succeed({ command: "DEL", container: "a", config });
    }
    // The IPAM plugins here do not know 1.1.0: the addresses are of the plugin before us.
    const ips = [{ address }];
    const prevResult = { cniVersion: "1.1.0", interfaces: [{ name: "eth0" }], ips, routes };
    const config = configOf({ cniVersion: "1.1.0", master: "", ipam: {}, prevResult });
    const result = await succeed({ command: "ADD", container: "a", config });
    assert.deepEqual(result, { cniVersion: "1.1.0", ...newer({}, { mtu: 1500 }) });
    await succeed({ command: "DEL", container: "a", config });
  });

  test("GC: takes what the runtime does not know, and what was killed in the middle", async () => {
    const ipam = {};
    const chained = (address: string) => ({
      ...{ cniVersion: "1.1.0", name: "net", type: "ipvlan", ipam },
      prevResult: { cniVersion: "1.1.0", interfaces: [{ name: "eth0" }], ips: [{ address }] },
    });
    await succeed({ command: "ADD", container: "a", config: chained("10.0.0.77/24") });
    await killInTheMiddle("b");
    const attachments = [{ containerID: "a", ifname: "eth0" }];
    const gc = (valid: object[]) => ({
      ...{ command: "GC", container: "", netns: "", ifname: "" },
      config: { ...configOf({ cniVersion: "1.1.0", ipam }), "cni.dev/valid-attachments": valid },
    });
    await succeed(gc(attachments));
    assert.deepEqual(await slaves(), ["cni/net/a/eth0"]);
    assert.deepEqual(devicesIn("b"), []);
    await succeed(gc([]));
  });

  test("GC: the IPAM plugin hears of it, and what it refuses is told", async () => {
    const gc = (type: string) => ({
      ...{ command: "GC", container: "", netns: "", ifname: "" },
      config: configOf({ cniVersion: "1.1.0", ipam: { type } }),
    });
    await succeed(gc("empty"));
    assert.equal(readFileSync(ASKED, "utf8"), "GC\n");
    assert.match((await refuse(gc("nosuch"))).msg, /^failed to find plugin "nosuch"/);
  });

  test("killed in the middle of ADD: DEL takes what it has made", async () => {
    await killInTheMiddle("b");
    assert.deepEqual(devicesIn("b"), ["eth0"]);
    await succeed({
      command: "DEL",
      container: "b",
      config: configOf({ ipam: { type: "hangs" } }),
    });
  });
});

const bare = ({ address }: { readonly address: string }): string => address.split("/")[0]!;

const static4 = (address: string) => ({ type: "static", addresses: [{ address }] });

/** Ends the plugin by SIGKILL when it has made the slave and waits for its IPAM plugin. */
async function killInTheMiddle(container: string): Promise<void> {
  forgetHanging();
  let plugin = 0;
  const adding = ask({
    command: "ADD",
    container,
    config: configOf({ ipam: { type: "hangs" } }),
    onPid: (pid) => {
      plugin = pid;
    },
  });
  for (let left = 500; pidOfHanging() === 0; left--) {
    assert.ok(left > 0, "ADD does not come to its IPAM plugin");
    await sleep(10);
  }
  process.kill(plugin, "SIGKILL");
  process.kill(-pidOfHanging(), "SIGKILL");
  assert.equal((await adding).status, null);
}
