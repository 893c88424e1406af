/** Who reaches whom on real devices, against what Linux's own driver did; and settings that change under traffic. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isAsPromised, type Outcome, pingAll, readColumns } from "../scripts/connectivity.ts";
import { ADDRESS, addLanRoutes, deleteLanRoutes, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import type { Flag, Mode } from "../src/driver/settings.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, deleteSlaves, forget, setPort, showPorts } from "./slaves.ts";
import { ANSWER_MS, keepPinging } from "./talks.ts";

await inSandbox(import.meta.url, { engines: "both", usually: "userspace" }, () => {
  before(buildLab);
  after(() => shell("host", "ipvlan daemon stop --remove"));

  describe("the HOWTO's examples", () => {
    const examples: readonly (readonly [string, string, Mode, Flag])[] = [
      ["a", "ip link add link eth0 name ipvl0 type ipvlan", "l3", "bridge"],
      ["b", "ip link add link eth0 name ipvl0 type ipvlan mode l2 bridge", "l2", "bridge"],
      ["c", "ip link add link eth0 name ipvlan type ipvlan mode l2 private", "l2", "private"],
      ["d", "ip link add link eth0 name ipvlan type ipvlan mode l2 vepa", "l2", "vepa"],
    ];
    for (const [letter, line, mode, flag] of examples) {
      test(`(${letter}) ${line}: ${mode} ${flag}`, async () => {
        await shell("host", line);
        const [port] = await showPorts();
        const name = port!.slaves[0]!.name;
        assert.deepEqual([port!.master, port!.mode, port!.flag], ["eth0", mode, flag]);
        assert.match(await shell("host", `ip -d link show ${name}`), new RegExp(`${name}@eth0`));
        await shell("host", `ip link del ${name}`);
        assert.deepEqual(await showPorts(), []);
      });
    }
  });

  for (const variant of ["plain", "routed"] as const) {
    describe(`${variant}: every end pings every other`, () => {
      const columns = readColumns().filter((column) => column.variant === variant);
      before(async () => {
        await addSlaves(columns[0]!.mode, columns[0]!.flag);
        if (variant === "routed") await addLanRoutes();
      });
      after(async () => {
        if (variant === "routed") await deleteLanRoutes();
        await deleteSlaves();
      });
      for (const column of columns) {
        test(`${column.mode} ${column.flag}`, async () => {
          await setPort(column.mode, column.flag);
          await forget();
          assert.deepEqual((await pingAll(column)).filter((o) => !isAsPromised(o)).map(tell), []);
        });
      }
    });
  }

  describe("a port that is changed under traffic", () => {
    before(async () => {
      await addSlaves("l2", "bridge");
      await addLanRoutes();
    });
    after(async () => {
      await deleteLanRoutes();
      await deleteSlaves();
    });
    const sibling = { netns: "ns0", to: ADDRESS.ns1.v4 };

    test("private, while slaves talk: they stop; bridge again: they go on", async () => {
      assert.notEqual(await ping(sibling, ANSWER_MS), undefined);
      await setPort("l2", "private");
      assert.equal(await ping(sibling, SILENCE_MS), undefined);
      await setPort("l2", "bridge");
      assert.notEqual(await ping(sibling, ANSWER_MS), undefined);
    });

    test("every change of mode: who may talk keeps talking", async () => {
      const isOver = new AbortController();
      const talks = [
        sibling,
        { netns: "ns1", to: ADDRESS.ns0.v6 },
        { netns: "ns0", to: ADDRESS.lan.v4 },
      ].map((talk) => keepPinging(talk, isOver.signal));
      for (const mode of ["l3", "l3s", "l2", "l3s", "l3", "l2"] as const)
        await setPort(mode, "bridge");
      isOver.abort();
      for (const { answered, unanswered } of await Promise.all(talks)) {
        assert.equal(unanswered, 0);
        assert.ok(answered >= 6, `only ${answered} answers`);
      }
    });

    test("from a slave's namespace the port can be changed, too", async () => {
      await shell("ns1", "ip link set dev ipvl1 type ipvlan mode l3 private");
      const [port] = await showPorts();
      assert.deepEqual([port!.mode, port!.flag], ["l3", "private"]);
    });
  });
});

const SILENCE_MS = 1000;

const tell = ({ from, to, family, promised }: Outcome): string =>
  `${from} -> ${to} ${family}: ${promised ? "no answer" : "an answer nobody promised"}`;
