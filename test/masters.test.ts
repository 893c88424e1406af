/** A master that leaves: for another namespace its slaves stay with it, wherever they are; with its namespace they go. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import { ADDRESS, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import type { PortInfo } from "../src/daemon/control.ts";
import { daemonPid, ports, until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";

const ANSWER_MS = 3000;

await inSandbox(import.meta.url, { needs: ["nft"], engines: "both", usually: "ebpf" }, () => {
  before(async () => {
    await buildLab();
    await shell("host", `${SYSTEM_IP} netns add far`);
    // In l3s nobody answers for a slave's address: the LAN has to know the way.
    await ip("lan", `route add ${ADDRESS.ns0.v4}/31 via ${ADDRESS.host.v4}`);
  });

  for (const mode of ["l2", "l3s"] as const)
    describe(`${mode}: a master that moves`, () => {
      beforeEach(() => addSlaves(mode, "bridge"));
      afterEach(async () => {
        await shell("host", "ipvlan daemon stop --remove");
        assert.equal(
          await shell("host", `nft list ruleset; ${SYSTEM_IP} rule | grep iif || true`),
          "",
        );
        assert.equal(
          await shell("far", `nft list ruleset; ${SYSTEM_IP} rule | grep iif || true`),
          "",
        );
      });

      test("keeps its slaves, and carries their frames from where it is", async () => {
        await moveTo("far");
        await bringUp("far");
        await reaches("ns0", ADDRESS.ns1.v4);
        await reaches("ns0", ADDRESS.lan.v4);
        assert.doesNotMatch(await ip("host", "link"), /ipvlup|s\d+\.\d+@/);
        await moveTo("host");
        await bringUp("host");
        await reaches("ns0", ADDRESS.lan.v4);
      });

      test("and is another device there may get another number and name", async () => {
        const { index } = await master("host");
        await ip("far", `link add taken index ${index} type bridge`);
        await ip("host", "link set eth0 netns far name wan0");
        await bringUp("far", "wan0");
        const port = await until(
          async () => (await ports())[0],
          (seen) => seen?.master === "wan0",
        );
        assert.notEqual(port!.ifindex, index);
        await reaches("ns1", ADDRESS.lan.v4);
        await ip("far", "link del taken");
        await ip("far", "link set wan0 netns 1 name eth0");
        await bringUp("host");
      });

      test("while no daemon runs is found by the next one", async () => {
        process.kill(daemonPid(), "SIGKILL");
        await moveTo("far");
        await bringUp("far");
        await shell("host", "ipvlan daemon run >/dev/null 2>/run/second.log &");
        await reaches("ns0", ADDRESS.lan.v4);
        await moveTo("host");
        await bringUp("host");
        await reaches("ns1", ADDRESS.lan.v4);
        assert.doesNotMatch(
          readFileSync("/run/second.log", "utf8"),
          /"level":"(warn|error|fatal)"/,
        );
      });
    });

  test("a namespace that is deleted takes its master's slaves along, and its daemon ends", async () => {
    await shell(
      "host",
      `${SYSTEM_IP} netns add box
       ${SYSTEM_IP} -n box link add eth0 type veth peer name far
       ${SYSTEM_IP} netns exec box ip link add link eth0 ipvl0 netns ns0 type ipvlan mode l2`,
    );
    assert.match(await ip("ns0", "-br link"), /ipvl0/);
    await ip("host", "netns del box");
    await until(
      () => ip("ns0", "-br link"),
      (shown) => !/ipvl0/.test(shown),
    );
    await until(
      async () => existsSync("/run/ipvlan") && readdirSync("/run/ipvlan"),
      (left) => left === false || left.length === 0,
    );
  });

  for (const [how, line] of [
    ["inside a namespace", "netns exec box ip link"],
    ["for a namespace", "-n box link"],
  ])
    test(`a daemon that a command started ${how} may be killed: the slaves stay for the next one`, async () => {
      await shell(
        "host",
        `${SYSTEM_IP} netns add box; ${SYSTEM_IP} -n box link add eth0 type veth peer name far`,
      );
      await shell("host", `ip ${line} add link eth0 ipvl0 netns ns0 type ipvlan mode l2`);
      process.kill(daemonPid(), "SIGKILL");
      assert.match(await ip("ns0", "-br link"), /ipvl0/);
      await shell("host", "ipvlan -n box daemon run >/dev/null 2>/run/second.log &");
      const [port] = await until(
        async () =>
          JSON.parse(await shell("host", "ipvlan -n box port show -j 2>/dev/null")) as PortInfo[],
        (all) => all.length > 0,
      );
      assert.deepEqual(
        port?.slaves.map(({ name }) => name),
        ["ipvl0"],
      );
      await shell("host", `ipvlan -n box daemon stop --remove; ${SYSTEM_IP} netns del box`);
    });

  test("so does one where a master went", async () => {
    await addSlaves("l2", "bridge");
    await shell("host", `${SYSTEM_IP} netns add brief`);
    await ip("host", "link add spare type veth peer name other");
    await shell("host", "ip link add link spare ipvl2 netns ns0 type ipvlan");
    await ip("host", "link set spare netns brief");
    await until(ports, (all) =>
      all.some(({ master, slaves }) => master === "spare" && slaves.length === 1),
    );
    const [eth0] = (await ports()).filter(({ master }) => master === "eth0");
    assert.equal(eth0?.slaves.length, 2, "the other port is as it was");
    await ip("host", "netns del brief");
    await until(
      () => ip("ns0", "-br link"),
      (shown) => !/ipvl2/.test(shown),
    );
    assert.equal((await ports()).length, 1);
    await shell("host", "ipvlan daemon stop --remove");
  });

  test("a slave of the master's name is not taken for it", async () => {
    await addSlaves("l2", "bridge");
    await ip("ns0", "link set ipvl0 down");
    await ip("ns0", "link set ipvl0 name eth0");
    await ip("host", "link del eth0");
    await until(
      () => ip("ns0", "-br link"),
      (shown) => !/eth0/.test(shown),
    );
    assert.deepEqual(await ports(), []);
    await shell("host", "ipvlan daemon stop --remove");
    assert.deepEqual(readdirSync("/run/ipvlan"), []);
  });
});

function ip(end: string, words: string): Promise<string> {
  return shell(end, `${SYSTEM_IP} ${words}`);
}

const moveTo = (end: string): Promise<string> =>
  end === "host" ? ip("far", "link set eth0 netns 1") : ip("host", `link set eth0 netns ${end}`);

/** A device that moves is down afterwards, and without addresses. */
async function bringUp(end: string, name = "eth0"): Promise<void> {
  const { v4, v6 } = ADDRESS.host;
  await ip(end, `link set ${name} up`);
  await ip(end, `addr add ${v4}/24 dev ${name}`);
  await ip(end, `addr add ${v6}/64 dev ${name} nodad`);
}

async function master(end: string): Promise<{ index: number }> {
  const [link] = JSON.parse(await ip(end, "-j link show eth0")) as { ifindex: number }[];
  return { index: link!.ifindex };
}

async function reaches(end: string, to: string): Promise<void> {
  const answered = await until(
    () => ping({ netns: end, to }, ANSWER_MS),
    (time) => time !== undefined,
  );
  assert.ok(answered !== undefined);
}
