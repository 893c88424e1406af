/**
 * L3S and the firewall of the master's namespace: rules and connection tracking see what slaves send and receive, as
 * recorded of Linux's own driver, but in other hooks (D6 of the specification):
 *
 *     Linux    wire -> slave: PREROUTING, INPUT        slave -> wire: OUTPUT, POSTROUTING
 *     here     both: PREROUTING, FORWARD, POSTROUTING
 *
 * What slaves send to the host itself passes OUTPUT, POSTROUTING, PREROUTING and INPUT with Linux and with the userspace
 * engine, with the eBPF engine the last two.
 *
 * And when the last slave has gone, nothing of all that is left.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ADDRESS,
  addLanRoutes,
  ENDS,
  type End,
  FAMILIES,
  netnsOf,
  shell,
  waitForAddresses,
} from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { inSandbox } from "./in-sandbox.ts";
import {
  DNAT,
  endsOf,
  expectedSource,
  FLOWS,
  type Flow,
  PORT,
  RULES,
  SOURCE_PORT,
  TRACK,
} from "./netfilter-rules.ts";
import { addSlaves, buildLab, deleteSlaves, SYSTEM_IP } from "./slaves.ts";
import { UdpEnd } from "./udp.ts";

await inSandbox(import.meta.url, { needs: ["nft", "conntrack"], engines: "both" }, (engine) => {
  let untouched: readonly string[];
  before(async () => {
    await buildLab();
    await addLanRoutes();
    await waitForAddresses(["host"]);
    untouched = await snapshot();
  });
  after(() => shell("host", "ipvlan daemon stop --remove"));

  describe("l3s: a rule in the master's namespace", () => {
    let udp: Udp;
    before(async () => {
      await addSlaves("l3s", "bridge");
      udp = new Udp();
      for (const flow of FLOWS) await udp.deliver(flow); // from here on neighbours are known
    });
    after(async () => {
      udp.close();
      await deleteSlaves();
    });

    for (const rule of RULES)
      test(rule.recordedAs, async () => {
        await load(rule.nft);
        try {
          for (const flow of FLOWS)
            assert.equal(await udp.deliver(flow), expectedSource(rule, flow, engine), flow);
        } finally {
          await unload();
        }
      });

    test("dnat to a slave's address leads to the slave", async () => {
      await load(DNAT);
      try {
        const source = await udp.deliver("lan->host", "ns0");
        assert.equal(source, `${ADDRESS.lan.v4}:${SOURCE_PORT}`);
      } finally {
        await unload();
      }
    });
  });

  describe("l3s: connection tracking in the master's namespace", () => {
    before(async () => {
      await addSlaves("l3s", "bridge");
      await load(TRACK);
    });
    after(async () => {
      await unload();
      await deleteSlaves();
    });

    for (const [from, to] of [
      ["ns0", "lan"],
      ["lan", "ns0"],
    ] as const)
      for (const family of FAMILIES)
        test(`${from} to ${to} ${family}: both directions are one connection`, async () => {
          await shell("host", "conntrack -F 2>&1");
          const [asked, answered] = [ADDRESS[from][family], ADDRESS[to][family]];
          assert.notEqual(await ping({ netns: from, to: answered }, ANSWER_MS), undefined);
          const entries = await listConnections();
          const entry =
            entries.find((line) => line.includes(`src=${asked} dst=${answered} `)) ?? "";
          assert.match(entry, new RegExp(`src=${answered} dst=${asked} `));
          assert.doesNotMatch(entry, /UNREPLIED/);
        });

    test("slave to slave is none of its business", async () => {
      await shell("host", "conntrack -F 2>&1");
      assert.notEqual(await ping({ netns: "ns0", to: ADDRESS.ns1.v4 }, ANSWER_MS), undefined);
      const entries = await listConnections();
      assert.deepEqual(
        entries.filter((line) => line.includes(ADDRESS.ns1.v4)),
        [],
      );
    });
  });

  describe("when the last slave has gone, the master's namespace is as it was", () => {
    for (const mode of ["l2", "l3", "l3s"] as const)
      test(mode, async () => {
        await addSlaves(mode, "bridge");
        await Promise.all(
          ["ns0", "ns1"].map((netns) => ping({ netns, to: ADDRESS.lan.v4 }, ANSWER_MS)),
        );
        assert.notDeepEqual(changes(untouched, await snapshot()), []);
        await deleteSlaves();
        assert.deepEqual(changes(untouched, await snapshot()), []);
      });
  });
});

const ANSWER_MS = 4000;
/** Far more than a datagram takes. */
const PASS_MS = 150;

const load = (rules: string): Promise<string> => shell("host", `nft -f - <<END\n${rules}END`);
const unload = (): Promise<string> =>
  shell(
    "host",
    "nft delete table ip t 2>/dev/null || nft delete table netdev t 2>/dev/null || nft delete table inet t; conntrack -F 2>&1",
  );

const listConnections = async (): Promise<string[]> =>
  (await shell("host", "conntrack -L -f ipv4 2>/dev/null; conntrack -L -f ipv6 2>/dev/null")).split(
    "\n",
  );

/** Sends one datagram at a time, to see where it seems to come from. */
class Udp {
  readonly #senders = new Map(ENDS.map((end) => [end, new UdpEnd(netnsOf(end), SOURCE_PORT)]));
  readonly #receivers = new Map(ENDS.map((end) => [end, new UdpEnd(netnsOf(end), PORT)]));
  #sent = 0;

  /** Its source as seen where it goes to, or at another end; undefined: it did not arrive there. */
  async deliver(flow: Flow, at: End = endsOf(flow)[1]): Promise<string | undefined> {
    const [from, to] = endsOf(flow);
    const payload = `datagram ${this.#sent++}`;
    this.#senders.get(from)!.send(ADDRESS[to].v4, PORT, payload);
    await sleep(PASS_MS);
    return this.#receivers.get(at)!.findSource(payload);
  }

  close(): void {
    for (const end of [...this.#senders.values(), ...this.#receivers.values()]) end.close();
  }
}

/** All in the master's namespace that a port could leave behind. */
async function snapshot(): Promise<string[]> {
  const shown = await Promise.all(SHOW.map((line) => shell("host", line)));
  return shown.flatMap((text) => text.split("\n"));
}

const changes = (before: readonly string[], after: readonly string[]): string[] => [
  ...before.filter((line) => !after.includes(line)).map((line) => `missing: ${line}`),
  ...after.filter((line) => !before.includes(line)).map((line) => `new: ${line}`),
];

const SHOW: readonly string[] = [
  "grep -rs . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf || true", // not all can be read
  `${SYSTEM_IP} -o link`,
  `${SYSTEM_IP} -o addr`,
  `${SYSTEM_IP} -4 rule; ${SYSTEM_IP} -6 rule`,
  `${SYSTEM_IP} -4 route show table all; ${SYSTEM_IP} -6 route show table all`,
  "nft list ruleset",
  "tc qdisc show; tc filter show dev eth0 ingress",
];
