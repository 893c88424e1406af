/** Each of the three daemons ends, in order or killed, while containers talk: what goes on, what comes back, what is collected. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { afterEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { shell, spawnAt } from "../../scripts/lab.ts";
import { daemonPid, isDaemonOther } from "../daemon.ts";
import {
  docker,
  dockerd,
  driver,
  IMAGE,
  leftovers,
  onDocker,
  reaches,
  refusal,
  removeAll,
  runAt,
} from "./ground.ts";

const STATE = "/var/lib/ipvlan/docker/state.json";
/** Twice what the driver waits before it looks for orphans, and time for dockerd. */
const COLLECTED_MS = 90_000;
/** The driver looks two seconds after it has made a network. */
const LISTED_MS = 10_000;
const LIVE = "--live-restore";

await onDocker(import.meta.url, { engines: "both", usually: "ebpf" }, (engine) => {
  afterEach(removeAll);

  async function createAndRun(): Promise<void> {
    await docker("network create -d ipvl --subnet 10.0.0.0/24 --gateway 10.0.0.1 -o parent=eth0 n");
    await runAt("one", "--network n --ip 10.0.0.10");
    await runAt("two", "--network n --ip 10.0.0.11");
  }

  const runsAnother = () => docker(`run --rm --network n ${IMAGE} ping -c 1 -W 2 10.0.0.10`);

  test("the driver is killed: containers talk on, and the next driver knows their networks", async () => {
    await createAndRun();
    const pings = await Pings.start("10.0.0.10");
    await driver.end("SIGKILL");
    await sleep(500);
    await driver.start();
    await runsAnother();
    assert.equal(await pings.lost(), 0);
  });

  test("the driver stops in order: its socket is gone, containers talk on", async () => {
    await createAndRun();
    await driver.end();
    assert.ok(!existsSync("/run/docker/plugins/ipvl.sock"));
    assert.ok(await reaches("one", "10.0.0.11"));
    await driver.start();
  });

  test("the driver is away: dockerd waits for it, some 15 seconds, and then says so", async () => {
    await createAndRun();
    await driver.end();
    const waiting = runsAnother();
    await sleep(2000);
    await driver.start();
    await waiting;
    await driver.end();
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    const [known, unknown] = await Promise.all(
      [`run --rm --network n ${IMAGE} true`, "network create -d nobody m"].map(async (line) => ({
        said: await refusal(line),
        seconds: seconds(),
      })),
    );
    await driver.start();
    assert.match(
      known!.said,
      /dial unix \/run\/docker\/plugins\/ipvl\.sock: connect: no such file or/,
    );
    assert.match(unknown!.said, /plugin "nobody" not found/); // of one that it has never heard of
    for (const { seconds } of [known!, unknown!])
      assert.ok(seconds > 14, `dockerd has waited ${seconds} s`);
  });

  test("our daemon is killed: the driver starts the next one, and no eBPF port misses a frame", async () => {
    await createAndRun();
    const pings = await Pings.start("10.0.0.10");
    const before = daemonPid();
    process.kill(before, "SIGKILL");
    await eventually(async () => isDaemonOther(before));
    await eventually(() => reaches("one", "10.0.0.11"));
    const lost = await pings.lost();
    if (engine === "ebpf") assert.equal(lost, 0);
    await runsAnother();
  });

  test("dockerd is killed and keeps containers alive: not a frame is lost, and they are removed as ever", async () => {
    await dockerd.end();
    await dockerd.start([LIVE]);
    await createAndRun();
    const pings = await Pings.start("10.0.0.10");
    await dockerd.end("SIGKILL");
    await sleep(500);
    await dockerd.start([LIVE]);
    await runsAnother();
    assert.equal(await docker("inspect -f {{.State.Running}} one"), "true");
    assert.equal(await pings.lost(), 0);
    await removeAll();
    await dockerd.end();
    await dockerd.start();
  });

  test("dockerd stops and starts: its containers come back on their networks", async () => {
    await createAndRun();
    await docker("update --restart always one");
    await dockerd.end();
    await dockerd.start();
    await eventually(() => reaches("one", "10.0.0.1"));
    await runsAnother();
  });

  test("dockerd is killed with its containers: their endpoints are forgotten, the network is not", async () => {
    await createAndRun();
    await dockerd.end("SIGKILL");
    await dockerd.start();
    await docker("rm -f one two");
    await docker(`run --rm --network n ${IMAGE} ping -c 1 -W 2 10.0.0.1`);
    await eventually(
      async () => !(await shell("host", `cat ${STATE}`)).includes('"isJoined":true'),
    );
    assert.match(await shell("host", `cat ${STATE}`), /"parent":"eth0"/);
  });

  test("what is removed while the driver is down is collected when it is back", async () => {
    await docker("network create -d ipvl --subnet 10.50.0.0/24 n");
    const isListed = async () => (await shell("host", `cat ${STATE}`)).includes('"isListed":true');
    await eventually(isListed, LISTED_MS);
    await driver.end("SIGKILL");
    await docker("network rm n");
    await driver.start();
    await eventually(async () => (await leftovers()).length === 0);
  });
});

async function eventually(isSo: () => Promise<boolean>, ms = COLLECTED_MS): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, "it does not come to that");
    await sleep(100);
  }
}

/** Pings from the LAN, fifty a second. */
class Pings {
  readonly #ping: ReturnType<typeof spawnAt>;
  #text = "";

  private constructor(to: string) {
    this.#ping = spawnAt("lan", ["ping", "-i", "0.02", to]);
    this.#ping.stdout.setEncoding("utf8").on("data", (piece: string) => {
      this.#text += piece;
    });
  }

  /** Returns when there are answers. */
  static async start(to: string): Promise<Pings> {
    const pings = new Pings(to);
    await eventually(async () => pings.#numbers().length > 10);
    return pings;
  }

  /** Ends them; how many were not answered between the first answer and the last. */
  async lost(): Promise<number> {
    this.#ping.kill("SIGKILL");
    const numbers = this.#numbers();
    return numbers.at(-1)! - numbers[0]! + 1 - numbers.length;
  }

  #numbers(): number[] {
    return Array.from(this.#text.matchAll(/icmp_seq=(\d+) ttl/g), ([, number]) => Number(number));
  }
}
