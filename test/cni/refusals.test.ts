/** What the CNI plugin refuses, in the specification's words, and that nothing is left of it. */
import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { afterEach, before, test } from "node:test";
import {
  type Answer,
  ASKED,
  addContainer,
  ask,
  configOf,
  devicesIn,
  LOCAL,
  leftovers,
  onCni,
  pidOfHanging,
  refuse,
  sh,
  succeed,
} from "./ground.ts";

const ADD = { command: "ADD", container: "a" };
/** Of the environment, which the plugin cannot do without. */
const VARIABLES = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];

/** There is one user only in the sandbox of somebody who is not root. */
const needsUsers = /\s4294967295\s/.test(readFileSync("/proc/self/uid_map", "utf8"))
  ? false
  : "needs root: calls the plugin as another user";

await onCni(import.meta.url, { needs: ["setpriv"] }, () => {
  /** It takes half a minute, so it is waited for last. */
  let hanging: Promise<Answer>;

  before(() => {
    addContainer("a", "slow");
    const config = configOf({ ipam: { type: "hangs" } });
    hanging = ask({ command: "ADD", container: "slow", config });
  });
  afterEach(async () => {
    const left = await leftovers();
    assert.deepEqual(
      left.filter((one) => !one.includes("slow")),
      [],
    );
    assert.deepEqual(devicesIn("a"), []);
  });

  test("text that is no configuration", async () => {
    for (const [config, code] of [
      ["", 6],
      ["no JSON", 6],
      ["{", 6],
      ['{"name": "net"', 6],
      ["\u0000\u0001", 6],
      ["[]", 6],
      ["null", 7],
      ['"net"', 6],
      ["{}", 7],
      [{ name: 7 }, 6],
      [{ name: "" }, 7],
      [{ name: "net/../../etc" }, 7],
      [{ name: "ne\u0000t" }, 7],
      [{ name: "näm" }, 7],
      [{ name: "net\n" }, 7],
      [configOf({ cniVersion: 1 }), 6],
      [configOf({ cniVersion: "2.0.0" }), 1],
    ] as const)
      assert.equal((await refuse({ ...ADD, config })).code, code, JSON.stringify(config));
  });

  test("values that are not what they should be", async () => {
    for (const more of [
      { master: 7 },
      { master: "nosuch0" },
      { master: "lo" },
      { master: "e".repeat(300) },
      { master: "../eth0" },
      { mode: "L2" },
      { mode: "bridge" },
      { mode: {} },
      { flag: "secret" },
      { engine: "steam" },
      { mtu: "1500" },
      { mtu: 1.5 },
      { mtu: 1e300 },
      { mtu: 67 },
      { mtu: 70_000 },
      { linkInContainer: "yes" },
      { ipam: "host-local" },
      { ipam: { type: ["host-local"] } },
      { ipam: { type: "nosuch" } },
      { ipam: { type: "../../bin/sh" } },
      { dns: { nameservers: "1.1.1.1" } },
      { prevResult: [] },
      { prevResult: { cniVersion: "0.1.0" } },
      { prevResult: { cniVersion: "1.0.0", interfaces: [{ name: 7 }] }, master: "" },
      { prevResult: { cniVersion: "1.0.0", ips: [{ address: "10.0.0.300/24" }] }, ipam: {} },
      { prevResult: { cniVersion: "1.0.0", ips: [null] }, ipam: {} },
      { "cni.dev/valid-attachments": [{ containerID: 7 }] },
    ])
      assert.notEqual((await refuse({ ...ADD, config: configOf(more) })).code, 0);
  });

  test("an environment that is not what it should be", async () => {
    for (const name of VARIABLES)
      assert.equal((await refuse({ ...ADD, config: configOf(), env: { [name]: "" } })).code, 4);
    for (const env of [
      { CNI_COMMAND: "add" },
      { CNI_CONTAINERID: "../a" },
      { CNI_IFNAME: "sixteen-letters-" },
      { CNI_IFNAME: "a/b" },
      { CNI_IFNAME: ".." },
    ])
      assert.equal((await refuse({ ...ADD, config: configOf(), env })).code, 4);
    for (const env of [{ CNI_IFNAME: "lo" }, { CNI_ARGS: "FOO" }, { CNI_ARGS: "FOO=BAR" }])
      assert.equal((await refuse({ ...ADD, config: configOf(), env })).code, 999);
  });

  test("a namespace that is not there, or is none", async () => {
    for (const netns of ["/run/netns/nosuch", "/etc/passwd", "/", "a", "/proc/1/ns/pid"])
      assert.equal((await refuse({ ...ADD, config: configOf(), netns })).code, 999, netns);
  });

  test("a namespace that vanishes while ADD is at work, with all that is in it", async () => {
    addContainer("gone");
    const config = configOf({ ipam: { type: "removes" } });
    await ask({ command: "ADD", container: "gone", config });
    await succeed({ command: "DEL", container: "gone", config, netns: "" });
  });

  test("keys that nobody knows are no reason", async () => {
    const config = configOf({ runtimeConfig: { ips: [] }, constructor: [[]], "": 0 });
    await succeed({ ...ADD, config });
    await succeed({ command: "DEL", container: "a", config });
  });

  test("another mode or flag than the master's slaves have", async () => {
    addContainer("other");
    await succeed({ command: "ADD", container: "other", config: configOf() });
    for (const more of [{ mode: "l3" }, { flag: "vepa" }])
      assert.match(
        (await refuse({ ...ADD, config: configOf(more) })).msg,
        /busy: eth0 is in mode l2/,
      );
    await succeed({ command: "DEL", container: "other", config: configOf() });
  });

  test("a pool without an address left", async () => {
    const range = { subnet: "10.0.0.0/24", rangeStart: "10.0.0.60", rangeEnd: "10.0.0.60" };
    const config = configOf({ ipam: { ...LOCAL, ranges: [[range]] } });
    addContainer("first");
    await succeed({ command: "ADD", container: "first", config });
    assert.match((await refuse({ ...ADD, config })).msg, /no IP addresses available/);
    await succeed({ command: "DEL", container: "first", config });
    await succeed({ ...ADD, config });
    await succeed({ command: "DEL", container: "a", config });
  });

  test("an IPAM plugin that fails: its error is told, and it hears of the end", async () => {
    const said = { code: 42, msg: "no addresses today", details: "ask tomorrow" };
    const expected: readonly (readonly [string, RegExp])[] = [
      ["fails", /^no addresses today$/],
      ["talks", /^IPAM plugin talks: invalid character/],
      ["empty", /missing IP config/],
      ["dies", /netplugin failed/],
      ["wrong", /^failed to add route '8\.8\.8\.0\/24 via 192\.0\.2\.1 dev eth0'/],
    ];
    for (const [type, pattern] of expected) {
      rmSync(ASKED, { force: true });
      const refusal = await refuse({ ...ADD, config: configOf({ ipam: { type } }) });
      if (type === "fails") assert.deepEqual(refusal, said);
      assert.match(refusal.msg, pattern);
      assert.equal(readFileSync(ASKED, "utf8"), "DEL\n", type);
      assert.deepEqual(devicesIn("a"), []);
    }
    await succeed({ ...ADD, config: configOf() });
    await succeed({ command: "DEL", container: "a", config: configOf() });
  });

  test("a host-local lease is given back if its address is not wanted", async () => {
    // A route that the kernel takes from nobody.
    const routes = [{ dst: "10.8.0.0/16", gw: "192.0.2.1" }];
    const refusal = await refuse({ ...ADD, config: configOf({ ipam: { ...LOCAL, routes } }) });
    assert.match(refusal.msg, /^failed to add route/);
  });

  test("somebody without rights", { skip: needsUsers }, async () => {
    chmodSync("/run/netns", 0o755);
    const by = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const [add, previous] = [configOf(), configOf({ prevResult: PREVIOUS })];
    for (const [command, config, env] of [
      ["ADD", add],
      ["ADD", add, { IPVLAN_RUN: "/run/no-daemon-yet" }],
      ["ADD", configOf({ linkInContainer: true })],
      ["CHECK", { ...previous, ipam: {} }],
      ["DEL", { ...add, ipam: {} }],
      ["STATUS", { ...add, ipam: {}, cniVersion: "1.1.0" }],
    ] as const)
      for (const HOME of ["/root", "/tmp"]) {
        const asked = { command, container: "a", config, by, env: { ...env, HOME } };
        assert.match((await refuse(asked)).msg, /operation not permitted$/i, command);
      }
    assert.equal(sh("find /tmp/.local -maxdepth 0 2>/dev/null || true"), "");
  });

  test("an IPAM plugin that hangs is ended with all that it started", async () => {
    const { status, text } = await hanging;
    assert.equal(status, 1, text);
    const said = { code: 999, msg: "IPAM plugin hangs has not answered in 30 s" };
    assert.deepEqual(JSON.parse(text), said);
    assert.throws(() => process.kill(-pidOfHanging(), 0), { code: "ESRCH" });
    assert.deepEqual(devicesIn("slow"), []);
    assert.deepEqual(await leftovers(), []);
  });
});

const PREVIOUS = {
  cniVersion: "1.0.0",
  interfaces: [{ name: "eth0", sandbox: "/run/netns/a" }],
  ips: [{ address: "10.0.0.50/24", interface: 0 }],
};
