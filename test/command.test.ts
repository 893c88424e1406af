/** The command on real devices, beyond what was recorded: answers that are true at once, and words at creation. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildLan, shell } from "../scripts/lab.ts";
import { buildGround, clearGround, type } from "./control/ground.ts";
import { daemonPid } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { SYSTEM_IP } from "./slaves.ts";

const TAKEN = "Error: Address already assigned to an ipvlan device.\n";

await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
  before(async () => {
    await buildLan(); // for the names of our command
    await shell("host", `${SYSTEM_IP} link del eth0; ${SYSTEM_IP} netns del lan`);
    await buildGround();
    await shell("host", "ip link add link eth0 i0 netns ns0 type ipvlan mode l2");
    await shell("host", "ip link add link eth0 i1 netns ns1 type ipvlan mode l2");
  });
  after(clearGround);

  test("who asks while a thousand addresses wait to be heard of hears of the last", async () => {
    const daemon = daemonPid();
    process.kill(daemon, "SIGSTOP");
    await shell(
      "ns0",
      `for i in $(seq 0 999); do
         echo addr add 10.1.$((i / 250)).$((i % 250))/32 dev i0
       done > /run/many
       ${SYSTEM_IP} -batch /run/many`,
    );
    const answer = type("ns1", "ip addr add 10.1.3.249/32 dev i1");
    await sleep(1000); // it has asked
    process.kill(daemon, "SIGCONT");
    assert.deepEqual(await answer, { status: 2, stdout: "", stderr: TAKEN });
  });

  test("a batch of ours sets what a slave may have, and stops at what it may not", async () => {
    await shell(
      "ns1",
      "printf 'addr add 10.2.0.1/24 dev i1\\naddr add 10.1.0.7/24 dev i1\\n' > /run/few",
    );
    const { status, stderr } = await type("ns1", "ip -batch /run/few");
    assert.deepEqual([status, stderr], [1, `${TAKEN}Command failed /run/few:2\n`]);
    assert.match(
      await shell("ns1", `${SYSTEM_IP} -o -4 addr show dev i1`),
      /^\d+: i1 +inet 10\.2\.0\.1/,
    );
  });

  test("what else is said at creation is set, here and in another namespace", async () => {
    const words = "alias two txqueuelen 7 group 5 allmulticast on up type ipvlan";
    await shell("host", `ip link add link eth0 i2 ${words}`);
    await shell("host", `ip link add link eth0 i3 netns ns2 ${words}`);
    for (const [ns, name] of [
      ["host", "i2"],
      ["ns2", "i3"],
    ] as const) {
      const shown = await shell(ns, `${SYSTEM_IP} link show ${name}`);
      assert.match(shown, /<[^>]*ALLMULTI,UP.* group 5 .*qlen 7\n(.*\n)*.*alias two/, shown);
    }
  });

  test("a word at creation that cannot be set takes the slave back", async () => {
    const answer = await type("host", "ip link add link eth0 i4 txqueuelen x type ipvlan");
    assert.deepEqual([answer.status, answer.stderr], [255, WRONG_LENGTH]);
    assert.equal((await type("host", `${SYSTEM_IP} link show i4`)).status, 1);
  });
});

const WRONG_LENGTH = 'Error: argument "x" is wrong: Invalid "txqueuelen" value\n\n';
