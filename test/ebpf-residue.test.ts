/**
 * What the eBPF engine leaves behind: nothing. Slaves by the thousand come and go, ports too, and the daemon neither
 * grows nor forgets anything in the kernel.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { BIN, netnsOf, shell } from "../scripts/lab.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import { needsBpf } from "./bpf.ts";
import { countOf, type Objects, objectsOf, remaining } from "./bpf-objects.ts";
import { addSlave, client, footprint } from "./crowd.ts";
import { daemonPid, ports, until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { buildLab, SYSTEM_IP } from "./slaves.ts";

/** A thousand by hand: SLAVES=1000. */
const SLAVES = Number(process.env.SLAVES ?? 100);
/** Ten thousand by hand: CYCLES=10000. */
const CYCLES = Number(process.env.CYCLES ?? 300);
/** Of slaves that come and go before it is counted: V8 compiles, and the kernel's events fill their buffers. */
const WARM_UP = 200;
const PORTS = 10;
/** Heap that is not collected yet. */
const GROWTH_MB = 40;

await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
  if (needsBpf !== false) return void test("what it leaves behind", { skip: needsBpf }, () => {});
  let clean = "";
  before(async () => {
    await buildLab();
    clean = await takeStock();
    await shell("host", "ip link add link eth0 name first netns ns0 type ipvlan mode l2"); // starts the daemon
  });

  test(`${SLAVES} slaves are made, get addresses, and are deleted: nothing of them is left`, async (t) => {
    const daemon = daemonPid();
    const before = await stockOfDaemon(daemon);
    const { fds } = footprint(daemon);
    const all = Array.from({ length: SLAVES }, (_, n) => n);
    let began = performance.now();
    const lap = (what: string) => {
      t.diagnostic(`${what}: ${Math.round(performance.now() - began)} ms`);
      began = performance.now();
    };
    await batch(
      `${BIN}/ip`,
      all.map((n) => `link add link eth0 name s${n} type ipvlan mode l2`),
    );
    lap("made");
    await batch(
      SYSTEM_IP,
      all.flatMap((n) => [
        `addr add 10.8.${n >> 8}.${n & 255}/32 dev s${n}`,
        `link set s${n} up`,
        `addr add fd08::${n.toString(16)}/128 dev s${n} nodad`,
      ]),
    );
    const [port] = await until(ports, ([one]) =>
      one!.slaves.every(({ name, addresses }) => name === "first" || addresses.length === 3),
    );
    assert.equal(port!.slaves.length, SLAVES + 1);
    lap("got addresses");
    await batch(
      `${BIN}/ip`,
      all.map((n) => `link del s${n}`),
    );
    lap("deleted");
    assert.deepEqual(await stockOfDaemon(daemon), before);
    await returnsTo(daemon, fds);
  });

  test(`a slave made and deleted ${CYCLES} times: the daemon does not grow`, async (t) => {
    const daemon = daemonPid();
    const cycle = async (count: number) => {
      for (let n = 0; n < count; n++) {
        await addSlave("comes", "ns1", { up: true });
        await client().deleteLink("/run/netns/ns1", "comes");
      }
    };
    await cycle(WARM_UP);
    const [stock, { rssMb, fds }] = [await stockOfDaemon(daemon), footprint(daemon)];
    const began = performance.now();
    await cycle(CYCLES);
    t.diagnostic(`${((performance.now() - began) / CYCLES).toFixed(1)} ms each`);
    const grown = footprint(daemon).rssMb - rssMb;
    t.diagnostic(`grown by ${grown.toFixed(1)} MB, from ${rssMb.toFixed(0)}`);
    assert.deepEqual(await stockOfDaemon(daemon), stock);
    await returnsTo(daemon, fds);
    assert.ok(grown < GROWTH_MB, `grown by ${grown} MB`);
  });

  test(`a port made and ended ${PORTS} times leaves no object in the kernel`, async () => {
    const daemon = daemonPid();
    const first = objectsOf(daemon);
    assert.equal(countOf(remaining(first)), countOf(first), "the test sees those that there are");
    await client().deleteLink("/run/netns/ns0", "first");
    const idle = footprint(daemon).fds;
    const seen: Objects[] = [first];
    for (let n = 0; n < PORTS; n++) {
      await addSlave("first", "ns0", { up: true });
      seen.push(objectsOf(daemon));
      await client().deleteLink("/run/netns/ns0", "first");
    }
    assert.ok(countOf(seen.at(-1)!) > 0);
    await returnsTo(daemon, idle);
    assert.equal(countOf(objectsOf(daemon)), 0);
    await until(
      async () => seen.map(remaining).reduce((sum, one) => sum + countOf(one), 0),
      (sum) => sum === 0,
    );
    await client().stop(true);
    await until(
      async () => existsSync(RUN) && readdirSync(RUN).length > 0,
      (isThere) => !isThere,
    );
    assert.equal(await takeStock(), clean);
  });
});

const RUN = "/run/ipvlan";

async function batch(program: string, lines: readonly string[]): Promise<void> {
  writeFileSync("/run/lines", lines.join("\n"));
  await shell("host", `${program} -batch /run/lines`);
}

/** No more descriptors than before, once the connections of who asked are closed. */
const returnsTo = (pid: number, fds: number): Promise<number> =>
  until(
    async () => footprint(pid).fds,
    (now) => now <= fds,
  );

/** What a port is beside its slaves: in the daemon, in its folder, and in the master's namespace. */
async function stockOfDaemon(pid: number): Promise<object> {
  const pins = `${daemonDirectory(netnsOf("host"))}/bpf`;
  return {
    objects: objectsOf(pid),
    pins: readdirSync(pins, { recursive: true }).sort(),
    host: await takeStock(),
  };
}

/** But for the link-local address that the master takes meanwhile, and the ids that the kernel gives namespaces for good. */
const takeStock = (): Promise<string> =>
  shell(
    "host",
    `ip() { ${SYSTEM_IP} "$@"; }
     { ip -br link | cut -d' ' -f1; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all
       tc qdisc show; nft list ruleset; cut -d' ' -f5 /proc/self/mountinfo; ip netns list | cut -d' ' -f1
       ls /proc/sys/net/ipv4/conf; } | grep -v fe80::ff:fe00:2`,
  );
