/**
 * One master, two daemons: the host's, which follows its master into the namespace `box`, and the one that serves `box`.
 * The second is refused, whatever way it is asked, and breaks nothing of the first's.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ADDRESS, BIN, shell, spawnAt } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { clientOf } from "../src/client/client.ts";
import { queryTcx } from "../src/linux/bpf/links.ts";
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { needsBpf } from "./bpf.ts";
import { type } from "./control/ground.ts";
import { ports } from "./crowd.ts";
import { until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";

const ANSWER_MS = 3000;
const BUSY = "Another daemon has slaves on eth0";
const box = "/run/netns/box";

await inSandbox(import.meta.url, {}, () => {
  const skip = needsBpf;
  before(async () => {
    await buildLab();
    await shell("host", `${SYSTEM_IP} netns add box`);
    await addSlaves("l2", "bridge");
    await shell(
      "host",
      `${SYSTEM_IP} link set eth0 netns box; ${SYSTEM_IP} -n box link set eth0 up`,
    );
    await until(ports, ([port]) => port?.slaves.length === 2);
    const daemon = spawnAt("box", [`${BIN}/ipvlan`, "daemon", "run"]);
    let log = "";
    for await (const piece of daemon.stderr.iterator({ destroyOnReturn: false })) {
      log += piece;
      if (log.includes("daemon started")) break;
    }
  });
  after(() => shell("host", "ipvlan -n box daemon stop --remove; ipvlan daemon stop --remove"));

  test("the daemon of the namespace refuses a master that another has", { skip }, async () => {
    const request = { netns: box, master: "eth0", name: "second", target: box };
    await assert.rejects(clientOf(box).createLink(request), { code: "EBUSY", extack: BUSY });
    assert.deepEqual(await clientOf(box).ports(box), []);
    await answers();
  });

  test("a command finds the one that has it, from inside and by -n", { skip }, async () => {
    for (const [end, words] of [
      ["box", "ip"],
      ["host", "ip -n box"],
    ] as const) {
      const added = await type(end, `${words} link add link eth0 name third type ipvlan mode l2`);
      assert.deepEqual([added.status, added.stderr], [0, ""]);
      assert.deepEqual((await ports())[0]!.slaves.map(({ name }) => name).sort(), [
        "ipvl0",
        "ipvl1",
        "third",
      ]);
      assert.deepEqual(await clientOf(box).ports(box), []);
      await type(end, `${words} link del third`);
    }
    await answers();
  });

  test("nothing of the refused one hangs at the master", { skip }, () => {
    const hooked = withNetns("box", () => queryTcx(sys.ifIndex("eth0"), "ingress"));
    assert.equal(hooked.length, 1);
  });
});

async function answers(): Promise<void> {
  const time = await ping({ netns: "ns0", to: ADDRESS.ns1.v4 }, ANSWER_MS);
  assert.notEqual(time, undefined);
}
