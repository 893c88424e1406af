/**
 * A group frame on a port with many slaves: everybody who takes it gets one copy, whoever sent it none; and a slave that
 * floods leaves others their share.
 *
 *     lan: w0
 *      |
 *     eth0 --- c1 … cN, all in the namespace `crowd`, where nothing is sent by itself
 *           |- down (crowd), which is down
 *           `- here, in the master's own namespace
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { netnsOf, shell, spawnAt } from "../scripts/lab.ts";
import type { LinkInfo } from "../src/daemon/control.ts";
import type { Flag } from "../src/driver/settings.ts";
import { needsBpf } from "./bpf.ts";
import { addSlave, client, links, makeNetns, ports } from "./crowd.ts";
import { until } from "./daemon.ts";
import { Ear } from "./ear.ts";
import { inSandbox } from "./in-sandbox.ts";
import { buildLab } from "./slaves.ts";
import { Tap } from "./tap.ts";
import { frame } from "./topology.ts";

/** By hand as many as the machine takes: SLAVES=2000. */
const SLAVES = Number(process.env.SLAVES ?? 300);
/** Not all requests to the daemon at once. */
const AT_A_TIME = 50;
/** Ours, of the range for experiments. */
const PROTOCOL = 0x88b5;
const ANOTHER = 0x88b6;
/** Longer than copies for all take, where others keep the machine busy. */
const PASS_MS = 1000;
const FLOODER = fileURLToPath(new URL("./flooder.js", import.meta.url));
const QUESTIONS = 40;
const QUESTION_MS = 25;

await inSandbox(import.meta.url, {}, () => {
  if (needsBpf !== false) return void test("a crowd", { skip: needsBpf }, () => {});
  let wire: Tap;
  let crowd: Ear;
  before(async () => {
    await buildLab();
    makeNetns("crowd");
    await shell("crowd", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    await shell("host", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    await shell("host", "ip link add link eth0 name here type ipvlan mode l2 bridge");
    await shell("host", "/usr/sbin/ip link set here up");
    await addSlave("down", "crowd");
    for (let n = 1; n <= SLAVES; n += AT_A_TIME)
      await Promise.all(
        Array.from({ length: Math.min(AT_A_TIME, SLAVES - n + 1) }, (_, i) =>
          addSlave(`c${n + i}`, "crowd", { up: true }),
        ),
      );
    await until(links, (all) => all.filter(({ up }) => up).length === SLAVES + 1);
    wire = new Tap("lan", "w0");
    crowd = new Ear("crowd", PROTOCOL);
  });
  after(async () => {
    wire.close();
    crowd.close();
    await shell("host", "ipvlan daemon stop --remove");
  });

  test(`from the wire: each of ${SLAVES + 1} slaves that are up gets one copy`, async () => {
    assert.deepEqual(await copiesOf(() => wire.send(broadcast("w0"))), {
      others: SLAVES + 1,
      sender: 0,
      twice: 0,
      heard: SLAVES,
      wire: 0,
    });
  });

  for (const [flag, others] of [
    ["bridge", SLAVES],
    ["private", 0],
    ["vepa", 0],
    ["bridge", SLAVES],
  ] as const)
    test(`${flag}: from a slave ${others} others get a copy, the wire one, the sender none`, async () => {
      await setFlag(flag);
      const c1 = new Tap("crowd", "c1", { hears: false });
      const seen = await copiesOf(() => c1.send(broadcast("own")));
      c1.close();
      assert.deepEqual(seen, {
        others,
        sender: 0,
        twice: 0,
        heard: Math.max(0, others - 1),
        wire: 1,
      });
    });

  for (const flag of ["private", "vepa"] as const)
    test(`${flag}: from the wire all get a copy`, async () => {
      await setFlag(flag);
      const { others, twice } = await copiesOf(() => wire.send(broadcast("w0")));
      assert.deepEqual([others, twice], [SLAVES + 1, 0]);
      await setFlag("bridge");
    });

  test("a slave that goes or comes changes nothing for the others", async () => {
    await client().deleteLink("/run/netns/crowd", "c7");
    assert.equal((await copiesOf(() => wire.send(broadcast("w0")))).others, SLAVES);
    await addSlave("c7", "crowd", { up: true });
    await until(links, (all) => all.filter(({ up }) => up).length === SLAVES + 1);
    assert.equal((await copiesOf(() => wire.send(broadcast("w0")))).others, SLAVES + 1);
  });

  test("a slave that floods loses what is over its share, others' questions arrive", async (t) => {
    const ear = new Ear("crowd", ANOTHER, "c3");
    const c2 = new Tap("crowd", "c2", { hears: false });
    const words = ["c1", `own>all type 0x${PROTOCOL.toString(16)}`];
    const flood = spawnAt("crowd", [process.execPath, FLOODER, ...words]);
    for await (const _ready of flood.stdout.iterator({ destroyOnReturn: false })) break;
    await sleep(QUESTION_MS * 4);
    for (let n = 0; n < QUESTIONS; n++) {
      c2.send(Buffer.from(frame(`own>all type 0x${ANOTHER.toString(16)}`).view()));
      await sleep(QUESTION_MS);
    }
    flood.kill("SIGKILL");
    await sleep(PASS_MS);
    const arrived = ear.count();
    ear.close();
    c2.close();
    const all = await links();
    const of = (name: string) => all.find((one) => one.name === name)!.statistics;
    t.diagnostic(
      `of ${of("c1").txPackets} broadcasts ${of("c1").backlog} were not copied; of ${QUESTIONS} questions ${arrived} arrived`,
    );
    assert.ok((of("c1").backlog ?? 0) > 0, "the flood is over its share");
    assert.equal(of("c2").backlog ?? 0, 0);
    assert.ok(arrived >= 0.9 * QUESTIONS, `${arrived} of ${QUESTIONS} arrive`);
    assert.ok(((await ports())[0]!.drops.backlog ?? 0) >= of("c1").backlog!);
  });

  /** What is counted and heard of a broadcast. */
  async function copiesOf(send: () => void): Promise<Copies> {
    const before = await links();
    crowd.count();
    wire.heard();
    send();
    await sleep(PASS_MS);
    const got = (await links()).map(({ deviceId, name, statistics }) => ({
      name,
      copies: statistics.multicast! - multicastOf(before, deviceId),
      sent:
        statistics.txPackets! -
        (before.find((one) => one.deviceId === deviceId)?.statistics.txPackets ?? 0),
    }));
    const isSender = ({ sent }: { sent: number }) => sent > 0;
    const sum = (of: typeof got) => of.reduce((all, { copies }) => all + copies, 0);
    return {
      others: sum(got.filter((one) => !isSender(one))),
      sender: sum(got.filter(isSender)),
      twice: got.filter(({ copies }) => copies > 1).length,
      heard: crowd.count(),
      wire: wire
        .heard()
        .filter((bytes) => bytes.readUInt16BE(12) === PROTOCOL && bytes[6 + 5] === 2).length,
    };
  }
});

interface Copies {
  /** By the slaves' counters: of those that did not send, and of who did. */
  readonly others: number;
  readonly sender: number;
  /** Slaves that got more than one. */
  readonly twice: number;
  /** By ear: in the crowd's namespace, and on the wire. */
  readonly heard: number;
  readonly wire: number;
}

const multicastOf = (all: readonly LinkInfo[], id: number): number =>
  all.find(({ deviceId }) => deviceId === id)?.statistics.multicast ?? 0;

const broadcast = (from: "own" | "w0"): Buffer =>
  Buffer.from(frame(`${from}>all type 0x${PROTOCOL.toString(16)}`).view());

const setFlag = async (flag: Flag): Promise<unknown> =>
  client().changeLink({ netns: netnsOf("host"), name: "here", flag });
