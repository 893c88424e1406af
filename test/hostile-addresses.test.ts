/**
 * Slaves whose addresses, devices and namespaces come and go by the thousand: the port knows what is so afterwards, the
 * others do not wait for it, and nothing is left behind.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ADDRESS, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { ADDRESSES_PER_SLAVE_MAX } from "../src/daemon/slave-table.ts";
import { CLAIMS_PER_SLAVE_MAX } from "../src/driver/claims.ts";
import { addAddress, dumpAddresses } from "../src/linux/netlink/address.ts";
import { getLink } from "../src/linux/netlink/link.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { withNetns } from "../src/linux/netns.ts";
import { formatPrefix } from "../src/wire/address.ts";
import {
  addSlave,
  batch,
  complaints,
  daemonPid,
  deleteNetns,
  footprint,
  gather,
  links,
  makeNetns,
  nameOf,
  ports,
} from "./crowd.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";
import { Tap } from "./tap.ts";
import { frame, ip } from "./topology.ts";

const CROWD = 4;

await inSandbox(import.meta.url, { needs: ["nft"], engines: "both", usually: "ebpf" }, () => {
  before(async () => {
    await buildLab();
    await addSlaves("l2", "bridge");
    await gather(1, CROWD);
  });
  after(() => shell("host", "ipvlan daemon stop --remove"));

  test("an address gets its first frame within milliseconds of the kernel's word", async () => {
    const [slave, lan] = [new Tap(nameOf(1), nameOf(1), { joins: false }), new Tap("lan", "w0")];
    const times: number[] = [];
    for (let n = 1; n <= LATENCIES; n++) times.push(await firstFrame(lan, slave, n));
    for (const tap of [slave, lan]) tap.close();
    times.sort((a, b) => a - b);
    const [p50, p99] = [times[LATENCIES * 0.5]!, times[LATENCIES * 0.99]!];
    console.log(`first frame after ${p50.toFixed(2)} ms (median), ${p99.toFixed(2)} ms (p99)`);
    assert.ok(p50 <= 5 && p99 <= 100, times.map((t) => t.toFixed(1)).join());
  });

  test("20,000 addresses that come and go at once: the port has those that the slaves have", async () => {
    await Promise.all(CROWDED.map((n) => batch(nameOf(n), addAndDelete(n, 5000))));
    await sameAddresses();
    await reachesEachOther();
  });

  test("so many events at once that the kernel drops some: the same, though more come while it catches up", async () => {
    const pid = daemonPid();
    process.kill(pid, "SIGSTOP");
    await Promise.all(CROWDED.map((n) => batch(nameOf(n), addAndDelete(n, 5000, 10 << 8))));
    const more = CROWDED.map((n) => batch(nameOf(n), addAndDelete(n, 2000, 30 << 8)));
    process.kill(pid, "SIGCONT");
    await Promise.all(more);
    await sameAddresses();
    await reachesEachOther();
  });

  test("more addresses than one slave may have: the rest is refused and told, and the others go on", async () => {
    const name = nameOf(CROWD);
    const wanted = ADDRESSES_PER_SLAVE_MAX + 1000;
    await batch(
      name,
      addresses(CROWD, wanted, 100).map((one) => `addr add ${one}`),
    );
    await until(
      () => findSlave(name),
      ({ addresses: { length }, refused = 0 }) =>
        length === ADDRESSES_PER_SLAVE_MAX && length + refused >= wanted,
    );
    await reachesEachOther();
    await shell(name, `${SYSTEM_IP} link set ${name} down; ${SYSTEM_IP} link set ${name} up`);
    await reachesEachOther();
    await shell(name, `${SYSTEM_IP} link del ${name}`);
    await until(links, (all) => all.every((one) => one.name !== name));
  });

  test("one that claims what others have, more than it may: they keep it, and a claim of somebody else is still heard", async () => {
    const count = CLAIMS_PER_SLAVE_MAX + 500;
    const lines = addresses(2, count, 60).map((one) => `addr add ${one}`);
    await batch(nameOf(2), lines);
    await batch(
      nameOf(3),
      lines.map((line) => line.replace(nameOf(2), nameOf(3))),
    );
    await shell("ns1", `${SYSTEM_IP} addr add ${addresses(2, 1, 60)[0]!.split(" ")[0]} dev ipvl1`);
    const [port] = await until(ports, ([one]) => one!.conflicts.length >= CLAIMS_PER_SLAVE_MAX);
    assert.equal(port!.conflicts.length, CLAIMS_PER_SLAVE_MAX);
    assert.ok(port!.conflicts.every(({ holder }) => holder === nameOf(2)));
    assert.deepEqual(port!.conflicts[0]!.claimants, [nameOf(3), "ipvl1"]);
    for (const [end, device] of [
      [nameOf(2), nameOf(2)],
      [nameOf(3), nameOf(3)],
    ] as const)
      await shell(end, `${SYSTEM_IP} -4 addr flush dev ${device}`);
    await shell("ns1", `${SYSTEM_IP} addr del ${addresses(2, 1, 60)[0]!.split(" ")[0]} dev ipvl1`);
    await until(ports, ([one]) => one!.conflicts.length === 0);
  });

  test("500 namespaces with a slave in each, made and removed: nothing is left of them", async () => {
    const pid = daemonPid();
    const before = await traces();
    const { fds, threads } = await until(
      async () => footprint(pid),
      (seen) => seen.fds === footprint(pid).fds,
    );
    const rss: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await comeAndGo(round);
      rss.push(footprint(pid).rssMb);
    }
    const after = await until(
      async () => footprint(pid),
      (seen) => seen.fds <= fds,
    );
    assert.equal(after.threads, threads);
    assert.equal(await until(traces, (seen) => seen === before), before);
    const [, second, ...later] = rss;
    assert.ok(later.at(-1)! < second! + GROWTH_MB, `MB after each round: ${rss.map(Math.round)}`);
    await sameAddresses();
    await reachesEachOther();
  });

  test("the daemon has nothing to complain of", () => assert.deepEqual(complaints(), []));
});

const ROUNDS = 10;
/** Less than one round's rings and tables. */
const GROWTH_MB = 24;
const PER_ROUND = 50;
const CROWDED = Array.from({ length: CROWD }, (_, i) => i + 1);
const PATIENCE_MS = 20_000;

/** `count` addresses of the n-th slave's own, as `ip` takes them. */
const addresses = (n: number, count: number, first: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const at = (first << 8) + i;
    return `10.${100 + n}.${at >> 8}.${at & 0xff}/32 dev ${nameOf(n)}`;
  });

/** Half of the events add, half delete; one in ten stays. */
function addAndDelete(n: number, events: number, from = 0): string[] {
  const all = addresses(n, events / 2, from >> 8);
  return all.flatMap((one, i) => [
    `addr add ${one}`,
    ...(i >= 100 && i % 10 !== 0 ? [`addr del ${all[i - 100]}`] : []),
  ]);
}

const LATENCIES = 200;
/** The LAN sends this often: seldom enough to leave the daemon a processor. */
const BETWEEN_MS = 0.2;

/** Sleeps, and this thread with it. */
const pause = (ms: number): unknown =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Milliseconds from a new address to the first frame to it that the slave gets; the LAN sends one after the other. */
async function firstFrame(lan: Tap, slave: Tap, n: number): Promise<number> {
  const address = `10.99.0.${n}`;
  const bytes = frame(`w0>own 10.0.0.1>${address}`).view();
  slave.heard();
  const start = setAddress(nameOf(1), address);
  for (;;) {
    lan.send(bytes);
    pause(BETWEEN_MS);
    const time = performance.now() - start;
    if (slave.heard().some((heard) => Buffer.compare(heard, bytes) === 0)) return time;
    assert.ok(time < PATIENCE_MS, `${address} gets nothing`);
  }
}

/** As plain `ip` does it, in the namespace of the slave that is called the same; the time when the kernel had told. */
const setAddress = (name: string, address: string): number =>
  inNetlink(name, (socket) => {
    const { index } = getLink(socket, name)!;
    addAddress(socket, { ifindex: index, ip: ip(address), prefixLength: 32 });
    return performance.now();
  });

const addressesIn = (netns: string, ifindex: number): string[] =>
  inNetlink(netns, (socket) => dumpAddresses(socket, { ifindex }))
    .map((one) => formatPrefix({ ip: one.ip, length: one.prefixLength }))
    .sort();

const inNetlink = <T>(netns: string, section: (socket: NetlinkSocket) => T): T =>
  withNetns(netns, () => {
    const socket = NetlinkSocket.open();
    try {
      return section(socket);
    } finally {
      socket.close();
    }
  });

const findSlave = async (name: string) => (await links()).find((link) => link.name === name)!;

/** Every slave's addresses are those that its namespace tells. */
async function sameAddresses(): Promise<void> {
  const there = (await links()).map(({ name, netns, ifindex }) => [
    name,
    addressesIn(netns!, ifindex),
  ]);
  const known = async () =>
    (await links()).map(({ name, addresses }) => [name, [...addresses].sort()]);
  const expected = JSON.stringify(there);
  await until(known, (seen) => JSON.stringify(seen) === expected);
}

async function comeAndGo(round: number): Promise<void> {
  const names = Array.from({ length: PER_ROUND }, (_, i) => `t${round}-${i}`);
  for (const name of names) makeNetns(name);
  await Promise.all(
    names.map(async (name, i) => {
      await addSlave(name, name, { up: true });
      setAddress(name, `10.9.${round}.${i}`);
    }),
  );
  for (const name of names) deleteNetns(name);
  await until(links, (all) => all.every(({ name }) => !names.includes(name)));
}

/** What there is of ours in the private namespace, in the master's, and in files. */
const traces = (): Promise<string> =>
  shell(
    "host",
    `nsenter --net=$(echo /run/ipvlan/*/netns) sh -c '${SYSTEM_IP} -o link | cut -d: -f2; ${SYSTEM_IP} netns list-id' | sort
     ${SYSTEM_IP} -o link | cut -d: -f2
     ${SYSTEM_IP} rule; ${SYSTEM_IP} -6 rule
     nft -j list ruleset | tr , '\\n' | sort
     find /run/ipvlan /run/netns`,
  );

async function reachesEachOther(): Promise<void> {
  assert.ok((await ping({ netns: "ns0", to: ADDRESS.ns1.v4 }, 5000)) !== undefined);
  assert.ok((await ping({ netns: "ns1", to: ADDRESS.lan.v4 }, 5000)) !== undefined);
}

/** Looks again until it is as wanted; what it was in the end. */
async function until<T>(look: () => Promise<T>, wanted: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (wanted(seen)) return seen;
    assert.ok(performance.now() < deadline, `still ${JSON.stringify(seen).slice(0, 2000)}`);
    await sleep(50);
  }
}
