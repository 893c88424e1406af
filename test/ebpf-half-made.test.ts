/**
 * The daemon is killed at each step of making a slave, a port, of changing the engine and of ending a port: the next
 * daemon finishes what was begun or undoes it, and nothing half made stays, in the master's namespace neither.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { ADDRESS, BIN, netnsOf, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { startDaemon } from "../src/client/start-daemon.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import { queryTcx } from "../src/linux/bpf/links.ts";
import * as sys from "../src/linux/sys.ts";
import { needsBpf } from "./bpf.ts";
import { addSlave, batch, client, ports } from "./crowd.ts";
import { daemonPid, until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { buildLab, SYSTEM_IP } from "./slaves.ts";

/** Of each deed; by hand all of them: STEPS=1000. */
const STEPS = Number(process.env.STEPS ?? 2);
const ANSWER_MS = 3000;
const FILE = "/run/kill-at";
const COUNT = `${FILE}.count`;
const ENV = { KILL_AT: FILE, NODE_OPTIONS: `--import=${new URL("./kill-at.js", import.meta.url)}` };

interface Deed {
  readonly what: string;
  /** Slaves that there are before. */
  readonly before: readonly string[];
  readonly act: () => Promise<unknown>;
  /** Slaves that there may be afterwards, one list or the other. */
  readonly outcomes: readonly (readonly string[])[];
}

const [A, B] = ["i0", "i1"];
const deeds: readonly Deed[] = [
  { what: "making a port", before: [], act: () => add(A), outcomes: [[], [A]] },
  { what: "making a slave", before: [A], act: () => add(B), outcomes: [[A], [A, B]] },
  { what: "deleting a slave", before: [A, B], act: () => remove(B), outcomes: [[A], [A, B]] },
  { what: "ending a port", before: [A], act: () => remove(A), outcomes: [[], [A]] },
  {
    what: "a change to userspace",
    before: [A, B],
    act: () => setEngine("userspace"),
    outcomes: [[A, B]],
  },
  { what: "a change of mode", before: [A, B], act: () => setMode("l3s"), outcomes: [[A, B]] },
];

await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
  if (needsBpf !== false) return void test("half made", { skip: needsBpf }, () => {});
  let clean = "";
  before(async () => {
    await buildLab();
    clean = await residue();
  });
  after(() => shell("host", "ipvlan daemon stop --remove"));

  for (const deed of deeds)
    test(`killed at the steps of ${deed.what}`, async (t) => {
      const count = await stepsOf(deed);
      const steps = stepsToTake(count);
      t.diagnostic(`of ${count} steps: ${steps.join(" ")}`);
      for (const step of steps) {
        await prepare(deed);
        await arm(step);
        const pid = daemonPid();
        // A last step that comes after the answer may not have come yet.
        await deed.act().then(
          () => process.kill(pid, "SIGKILL"),
          () => undefined,
        );
        await until(
          async () => existsSync(`/proc/${pid}`),
          (lives) => !lives,
        );
        await start();
        await assertWhole(deed, step);
      }
      await clear();
    });

  /** What there is now is one of the outcomes, and works; then it ends, and nothing is left. */
  async function assertWhole({ before, outcomes, what }: Deed, step: number): Promise<void> {
    const told = (await ports()).flatMap((port) => port.slaves.map(({ name }) => name)).sort();
    const where = `${what}, step ${step}`;
    assert.ok(
      outcomes.some((one) => one.join() === told.join()),
      `${where}: ${told}`,
    );
    for (const name of [A, B]) {
      const there = await shell(
        `ns${name === A ? 0 : 1}`,
        `${SYSTEM_IP} -br link show dev ${name} 2>&1 || true`,
      );
      assert.equal(!/does not exist/.test(there), told.includes(name), `${where}: ${there}`);
    }
    if (told.length === 2 && before.length === 2)
      assert.notEqual(
        await ping({ netns: "ns0", to: ADDRESS.ns1.v4 }, ANSWER_MS),
        undefined,
        where,
      );
    await clear();
    // A link whose pin is gone ends a moment later. Kernel: bpf_link_put().
    const left = await until(residue, (now) => now === clean).catch(residue);
    assert.equal(left, clean, where);
  }
});

const at = (name: string): string => `ns${name === A ? 0 : 1}`;
const add = (name: string): Promise<unknown> => addSlave(name, at(name));
const remove = (name: string): Promise<unknown> =>
  client().deleteLink(`/run/netns/${at(name)}`, name);
const setEngine = (engine: "ebpf" | "userspace"): Promise<unknown> =>
  client().changePort({ netns: netnsOf("host"), master: "eth0", engine });
const setMode = (mode: "l2" | "l3s"): Promise<unknown> =>
  client().changeLink({ netns: "/run/netns/ns0", name: A, mode });

async function stepsOf(deed: Deed): Promise<number> {
  await start();
  await prepare(deed);
  await arm(Number.MAX_SAFE_INTEGER);
  await deed.act();
  const count = Number(readFileSync(COUNT, "utf8"));
  assert.ok(count > 1);
  await clear();
  return count;
}

/** Some, from the first to the last, others each time. */
function stepsToTake(count: number): number[] {
  if (count <= STEPS) return Array.from({ length: count }, (_, n) => n + 1);
  const width = count / STEPS;
  return Array.from({ length: STEPS }, (_, n) => 1 + Math.floor((n + Math.random()) * width));
}

async function prepare({ before }: Deed): Promise<void> {
  await clear();
  for (const name of before) {
    await add(name);
    await batch(at(name), [
      `addr add ${ADDRESS[at(name) as "ns0"].v4}/24 dev ${name}`,
      `link set ${name} up`,
    ]);
  }
}

/** No slave, no port. */
async function clear(): Promise<void> {
  for (const { slaves } of await ports()) for (const { name } of slaves) await remove(name);
}

async function arm(step: number): Promise<void> {
  await ports(); // what the kernel has told so far is done
  writeFileSync(COUNT, "");
  writeFileSync(FILE, String(step));
  process.kill(daemonPid(), "SIGUSR2");
  await until(
    async () => readFileSync(COUNT, "utf8"),
    (told) => told === "0",
  );
}

async function start(): Promise<void> {
  const netns = netnsOf("host");
  Object.assign(process.env, ENV);
  try {
    await startDaemon(daemonDirectory(netns), netns, [`${BIN}/ipvlan`, "daemon", "run"]);
  } finally {
    for (const name of Object.keys(ENV)) delete process.env[name];
  }
}

/** What must be as it was before: devices, rules, qdiscs, filters, programs, pins, and the daemon's files of ports. */
async function residue(): Promise<string> {
  const told = await shell(
    "host",
    `ip() { ${SYSTEM_IP} "$@"; }
     ip -br link; ip rule; ip -6 rule; ip -4 route show table all; tc qdisc show; nft list ruleset
     cat /proc/sys/net/ipv4/conf/eth0/forwarding /proc/sys/net/ipv6/conf/*/forwarding`,
  );
  const dir = daemonDirectory(netnsOf("host"));
  const ofPorts = existsSync(dir) ? readdirSync(dir).filter((name) => /-\d/.test(name)) : [];
  const pins = existsSync(`${dir}/bpf`)
    ? readdirSync(`${dir}/bpf`).filter((name) => /^\d+$/.test(name))
    : [];
  const hooked = queryTcx(sys.ifIndex("eth0"), "ingress");
  const inside = existsSync(`${dir}/netns`)
    ? await shell("host", `nsenter --net=${dir}/netns ${SYSTEM_IP} -br link | grep -v ^lo || true`)
    : "";
  return JSON.stringify([told.split("\n"), ofPorts, pins, hooked, inside], undefined, 1);
}
