/**
 * The daemon is killed at random moments while slaves are made, changed, moved and deleted. Whatever was answered is
 * so after the next start; whatever was not is done or undone, never half; and in the end nothing is left.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BIN, netnsOf, shell } from "../scripts/lab.ts";
import { type Client, ControlFailure } from "../src/client/client.ts";
import { startDaemon } from "../src/client/start-daemon.ts";
import type { LinkInfo } from "../src/daemon/control.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import type { Mode } from "../src/driver/settings.ts";
import { dumpLinks, type Link } from "../src/linux/netlink/link.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { withNetns } from "../src/linux/netns.ts";
import { daemonPid, until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { buildLab, SYSTEM_IP } from "./slaves.ts";

/** On each engine. */
const KILLS = 50;
/** A daemon lives this long once it answers: too short for most of what is asked of it. */
const LIFE_MS = 120;
const NAMES = ["a", "b", "c", "d", "e", "f"];
const HOMES = ["host", "ns0", "ns1"];
const MODES: readonly Mode[] = ["l2", "l3", "l3s"];
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);

await inSandbox(import.meta.url, { needs: ["nft"], engines: "both", usually: "userspace" }, () => {
  before(buildLab);

  test(`killed ${KILLS} times during changes, it loses no slave and leaves none half made`, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const clean = await residue();
    const random = randomOf(SEED);
    /** Where each slave is that there must be; undefined: it may be or not. */
    const sure = new Map<string, string | undefined>();
    for (let kill = 0; kill < KILLS; kill++) {
      const client = await start();
      await assertWhole(client, sure);
      const changes = change(client, sure, random);
      await sleep(random() * LIFE_MS);
      process.kill(daemonPid(), "SIGKILL");
      await changes;
      await until(async () => isDead(), Boolean);
    }
    const client = await start();
    await assertWhole(client, sure);
    await client.stop(true);
    await until(
      async () => !existsSync("/run/ipvlan") || readdirSync("/run/ipvlan").length === 0,
      Boolean,
    );
    assert.equal(await residue(), clean);
  });
});

/** Asks for one change after the other until the daemon is gone, and keeps account of what was answered. */
async function change(
  client: Client,
  sure: Map<string, string | undefined>,
  random: () => number,
): Promise<void> {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  for (;;) {
    const name = pick(NAMES);
    const home = sure.get(name);
    const was = sure.has(name);
    const target = pick(HOMES);
    const mode = random() < 0.3 ? { mode: pick(MODES) } : {};
    try {
      if (!was) {
        sure.set(name, undefined);
        const netns = netnsOf("host");
        await client.createLink({ netns, master: "eth0", name, target: pathOf(target), ...mode });
        sure.set(name, target);
        continue;
      }
      if (home === undefined) return; // its fate is not known until the next start
      const choice = pick(["delete", "delete", "move", "change"]);
      if (choice === "delete") {
        sure.set(name, undefined);
        await client.deleteLink(pathOf(home), name);
        sure.delete(name);
      } else if (choice === "move") {
        await shell(home, `${SYSTEM_IP} link set ${name} netns ${target === "host" ? 1 : target}`);
        sure.set(name, target);
      } else {
        await client.changeLink({ netns: pathOf(home), name, ...mode });
      }
    } catch (error) {
      if (error instanceof ControlFailure) throw error;
      return;
    }
  }
}

/** What the daemon tells is what the kernel shows, no less than was answered, and no device is more than that. */
async function assertWhole(client: Client, sure: Map<string, string | undefined>): Promise<void> {
  const links = await client.links(netnsOf("host"));
  const homes = new Map(links.map((link) => [link.name, homeOf(link)]));
  for (const [name, home] of sure)
    if (home === undefined) {
      const found = homes.get(name);
      if (found === undefined) sure.delete(name);
      else sure.set(name, found);
    }
  assert.deepEqual(sorted(homes), sorted(sure));
  for (const home of HOMES) {
    const devices = devicesIn(pathOf(home)).filter(
      ({ kind, name }) => kind === "veth" && !/^(eth0|ipvlup\d+)$/.test(name) && !isHostEnd(name),
    );
    const told = links.filter((link) => homeOf(link) === home);
    assert.deepEqual(devices.map(({ name }) => name).sort(), told.map(({ name }) => name).sort());
    for (const { name, flags } of devices) {
      const { mode } = told.find((link) => link.name === name)!;
      assert.equal((flags & IFF_NOARP) !== 0, mode !== "l2", `${name} is of ${mode}`);
    }
  }
  const ours = [
    ...devicesIn(`${daemonDirectory(netnsOf("host"))}/netns`).filter(({ name }) => name !== "lo"),
    ...devicesIn(netnsOf("host")).filter(({ name }) => isHostEnd(name)),
  ];
  assert.equal(
    ours.length,
    links.length + (links.length > 0 ? 1 : 0),
    ours.map(({ name }) => name).join(),
  );
}

const IFF_NOARP = 0x80;

/** In the private namespace, or with the eBPF engine in the master's. */
const isHostEnd = (name: string): boolean => /^s\d+\.\d+$/.test(name);

function devicesIn(netns: string): Link[] {
  return withNetns(netns, () => {
    const socket = NetlinkSocket.open();
    try {
      return dumpLinks(socket);
    } finally {
      socket.close();
    }
  });
}

/** What must be in the host as it was before. */
const residue = (): Promise<string> =>
  shell(
    "host",
    `${SYSTEM_IP} -br link | cut -d' ' -f1; ${SYSTEM_IP} rule; ${SYSTEM_IP} -6 rule; nft list ruleset
     cat /proc/sys/net/ipv4/conf/eth0/forwarding /proc/sys/net/ipv6/conf/*/forwarding`,
  );

const start = (): Promise<Client> => {
  const netns = netnsOf("host");
  return startDaemon(daemonDirectory(netns), netns, [`${BIN}/ipvlan`, "daemon", "run"]);
};

function isDead(): boolean {
  try {
    daemonPid();
    return false;
  } catch {
    return true;
  }
}

const pathOf = (home: string): string => (home === "host" ? netnsOf(home) : `/run/netns/${home}`);
const homeOf = ({ here, netns }: LinkInfo): string =>
  here ? "host" : (netns?.split("/").at(-1) ?? "nowhere");
const sorted = (homes: ReadonlyMap<string, string | undefined>) => [...homes].sort();

/** mulberry32: the same numbers from the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
