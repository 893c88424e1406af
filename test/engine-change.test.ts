/** `ipvlan port set eth0 engine …` while slaves talk: devices, addresses and connections live through it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ADDRESS, addLanRoutes, shell } from "../scripts/lab.ts";
import type { EngineName } from "../src/engine/engine.ts";
import { needsBpf } from "./bpf.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP, setPort, showPorts } from "./slaves.ts";
import { ANSWER_MS, Conversation, keepPinging } from "./talks.ts";

/** Who opens a connection to whom. */
const PAIRS = [
  ["ns0", "lan"],
  ["lan", "ns1"],
  ["ns1", "ns0"],
] as const;
/** There and back, and once more. */
const CHANGES: readonly EngineName[] = ["userspace", "ebpf", "userspace", "ebpf"];
const FIRST_PORT = 5000;

await inSandbox(import.meta.url, { engines: "ebpf" }, () => {
  before(async () => {
    await buildLab();
    await addSlaves("l2", "bridge");
    // It stays with its master, and is too small for IPv6.
    await shell("host", "ip link add link eth0 ipvl2 mtu 1000 type ipvlan");
    await addLanRoutes();
  });
  after(() => shell("host", "ipvlan daemon stop --remove"));

  describe("the engine of a port is changed", { skip: needsBpf }, () => {
    for (const mode of ["l2", "l3", "l3s"] as const)
      test(`${mode}: who talks goes on, and devices and addresses stay`, async () => {
        await setPort(mode, "bridge");
        const before = await devices();
        const isOver = new AbortController();
        const pings = PAIRS.map(([netns, to]) =>
          keepPinging({ netns, to: ADDRESS[to].v6 }, isOver.signal),
        );
        const talks = await Promise.all(
          PAIRS.map(([from, to], i) =>
            Conversation.start(from, to, ADDRESS[to].v4, FIRST_PORT + i),
          ),
        );
        const allGoOn = () => Promise.all(talks.map((talk) => talk.goesOn()));
        await allGoOn();
        for (const engine of CHANGES) {
          await shell("host", `ipvlan port set eth0 engine ${engine}`);
          assert.equal((await showPorts())[0]!.engine, engine);
          await allGoOn();
          assert.deepEqual(await devices(), before, engine);
        }
        assert.equal(await stackAtHostEnds(), "1\n1\n1\n", "the host has no IPv6 there");
        isOver.abort();
        for (const talk of talks) assert.equal(await talk.end(), "");
        for (const { answered, unanswered } of await Promise.all(pings)) {
          assert.equal(unanswered, 0, `no answer within ${ANSWER_MS} ms`);
          assert.ok(answered > CHANGES.length, `only ${answered} answers`);
        }
      });

    test("auto says which it took, and nothing of the other engine is left", async () => {
      await setPort("l2", "bridge");
      await shell("host", "ipvlan port set eth0 engine userspace");
      assert.doesNotMatch(await shell("host", `${SYSTEM_IP} -br link`), /^s\d+\.\d+/m);
      assert.doesNotMatch(await shell("host", "tc filter show dev eth0 ingress"), /receive/);
      await shell("host", "ipvlan port set eth0 engine auto");
      assert.match(await shell("host", "ipvlan status"), /engine ebpf \(this kernel takes/);
      assert.match(await shell("host", `${SYSTEM_IP} -br link`), /^s\d+\.\d+/m);
      assert.equal(await shell("host", "nft list ruleset"), "");
    });
  });
});

const stackAtHostEnds = (): Promise<string> =>
  shell("host", "cat /proc/sys/net/ipv6/conf/s*.*/disable_ipv6");

/** The slaves with all that is set on them, and their addresses and routes; in this order. */
async function devices(): Promise<unknown[]> {
  const shown = [];
  for (const [end, name] of [
    ["ns0", "ipvl0"],
    ["ns1", "ipvl1"],
    ["host", "ipvl2"],
  ] as const) {
    const addresses = JSON.parse(await shell(end, `${SYSTEM_IP} -d -j addr show dev ${name}`));
    const routes = await shell(end, `${SYSTEM_IP} route; ${SYSTEM_IP} -6 route`);
    shown.push([addresses.map(lasting), routes]);
  }
  return shown;
}

/** Without what tells of the host end: its index changes. */
const lasting = ({ link_index, link_netnsid, link, ...others }: Record<string, unknown>) => others;
