/**
 * Ground for tests with a real dockerd: a sandbox that looks to it like a host of its own, on the lab's network
 * (`scripts/lab.ts`). It reads and writes where it always does, but what this machine has there is not seen, and all of
 * it ends with the sandbox.
 *
 *     await onDocker(import.meta.url, () => {
 *       test("...", async () => { await shell("host", `docker run --rm ${IMAGE} true`); });
 *     });
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BIN, buildLan, shell } from "../../scripts/lab.ts";
import type { EngineName } from "../../src/engine/engine.ts";
import { inSandbox, type Requirements } from "../in-sandbox.ts";

export const IMAGE = "busybox";

const APPLETS = ["sh", "cat", "ip", "ls", "nc", "ping", "sleep", "true", "nslookup", "wget"];
/** Below /etc and /var/lib, which have a layer in memory. */
const EMPTY = ["/etc/docker", "/var/lib/docker", "/var/lib/ipvlan"];

/** dockerd leaves the host's packet filter alone. */
const DOCKERD = [
  "dockerd --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none",
  "--userland-proxy=false --exec-opt native.cgroupdriver=cgroupfs",
]
  .join(" ")
  .split(" ");

/** As `inSandbox`, with dockerd and the driver running; where they cannot, the tests are skipped, and it is said why. */
export async function onDocker(
  file: string,
  requirements: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  const needs = ["dockerd", "docker", "runc", "busybox", "ping", ...(requirements.needs ?? [])];
  await inSandbox(file, { ...requirements, needs }, async (engine) => {
    const refusal = refusalOfMachine();
    if (refusal !== undefined) {
      test("with dockerd", { skip: refusal }, () => {});
      return;
    }
    after(endGround);
    await shell("host", ground);
    await buildLan();
    await shell("host", `test ! -x /usr/bin/docker || ln -s /usr/bin/docker ${BIN}/docker`); // dockerd's own
    await shell("host", "ip route add default via 10.0.0.1; ip -6 route add default via fd00::1");
    await driver.start();
    await dockerd.start();
    await shell("host", `docker import --change 'ENV PATH=/bin' /run/rootfs.tar ${IMAGE}`);
    await define(engine);
  });
}

function refusalOfMachine(): string | undefined {
  const [, outside, count] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  if (outside !== "0" || count !== "4294967295") return "needs root: containers have cgroups";
  if (spawnSync("sh", ["-c", "ldd $(command -v busybox)"]).status === 0)
    return "needs a busybox that is linked statically: busybox-static";
  const { status, stderr } = spawnSync("sh", ["-c", TRY_OVERLAY], { encoding: "utf8" });
  return status === 0 ? undefined : `needs overlayfs: ${stderr.trim()}`;
}
const TRY_OVERLAY = `mkdir -p /run/try /run/try.work
  mount -t overlay -o lowerdir=/etc,upperdir=/run/try,workdir=/run/try.work overlay /mnt && umount /mnt`;

/** /sys was mounted anew for the sandbox's network, and so hides the cgroups: they are fetched from below. */
const ground = `
  mkdir -p /run/cgroups
  umount /sys && mount --rbind /sys/fs/cgroup /run/cgroups && mount -t sysfs sysfs /sys
  mount --rbind /run/cgroups /sys/fs/cgroup
  for folder in etc var/lib; do
    mkdir -p /run/layers/$folder /run/layers/$folder.work
    mount -t overlay -o lowerdir=/$folder,upperdir=/run/layers/$folder,workdir=/run/layers/$folder.work overlay /$folder
  done
  for folder in ${EMPTY.join(" ")}; do
    mkdir -p $folder
    mount -t tmpfs -o mode=755 tmpfs $folder
  done
  mkdir -p /run/rootfs/bin /run/rootfs/etc /run/rootfs/tmp
  cp $(command -v busybox) /run/rootfs/bin/busybox
  for name in ${APPLETS.join(" ")}; do ln -s busybox /run/rootfs/bin/$name; done
  echo root:x:0:0::/:/bin/sh > /run/rootfs/etc/passwd
  tar -C /run/rootfs -cf /run/rootfs.tar .`;

/** A daemon of the host's that is started, killed and started again. */
export class Service {
  readonly #words: readonly string[];
  readonly #answers: string;
  #process: ChildProcess | undefined;

  /** `answers`: a line of shell that succeeds when it serves. */
  constructor(words: readonly string[], answers: string) {
    this.#words = words;
    this.#answers = answers;
  }

  get log(): string {
    return `/run/${this.#words[0]}.log`;
  }

  async start(more: readonly string[] = []): Promise<void> {
    const log = openSync(this.log, "a");
    const [program, ...words] = [...this.#words, ...more];
    const env = { ...process.env, PATH: `${BIN}:${process.env.PATH}:/usr/sbin:/sbin` };
    this.#process = spawn(program!, words, { stdio: ["ignore", log, log], env, detached: true });
    closeSync(log);
    const deadline = performance.now() + START_MS;
    while (!(await this.#isAnswering())) {
      if (performance.now() > deadline || this.#process.exitCode !== null)
        throw new Error(
          `${program} does not start: ${readFileSync(this.log, "utf8").slice(-2000)}`,
        );
      await sleep(50);
    }
  }

  /** Returns when it has ended. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const { exitCode, signalCode } = this.#process!;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#process!, "exit");
    this.#process!.kill(signal);
    await ended;
  }

  #isAnswering(): Promise<boolean> {
    return shell("host", this.#answers).then(
      () => true,
      () => false,
    );
  }
}
const START_MS = 30_000;

export const dockerd: Service = new Service(DOCKERD, "docker version");
export const driver: Service = new Service(
  ["ipvlan", "docker", "run"],
  "test -S /run/docker/plugins/ipvl.sock",
);

async function endGround(): Promise<void> {
  await shell("host", "docker ps -aq | xargs -r docker rm -f");
  await dockerd.end();
  await driver.end();
  await shell("host", "ipvlan daemon stop --remove || true");
}

/** What a line of `docker` prints, and its refusal as an error that says what it said. */
export const docker = async (line: string): Promise<string> =>
  (await shell("host", `docker ${line}`)).trim();

/** What a line of `docker` says that is refused. */
export async function refusal(line: string): Promise<string> {
  const said = await docker(line).then(
    () => undefined,
    (error: { stderr: string }) => error.stderr,
  );
  assert.ok(said !== undefined, `docker ${line} was not refused`);
  return said
    .split("\n")
    .find((line) => /Error|docker: /.test(line))!
    .replace(/\.$/, "");
}

/** A container that stays. Its first process ends when it is told to. */
export const runAt = (name: string, words: string): Promise<string> =>
  docker(
    `run -d --name ${name} ${words} ${IMAGE} sh -c 'trap exit TERM; while :; do sleep 1; done'`,
  );

/** Whether a container has an answer to a ping. */
export const reaches = (container: string, to: string): Promise<boolean> =>
  docker(`exec ${container} ping -c 2 -W 1 ${to}`).then(
    () => true,
    () => false,
  );

/** Containers and networks; then nothing may be left of ours. */
export async function removeAll(): Promise<void> {
  await shell(
    "host",
    `docker ps -aq | xargs -r docker rm -f
     docker network ls -q --filter driver=ipvl | xargs -r docker network rm`,
  );
  assert.deepEqual(await leftovers(), []);
}

/** Devices, pins and files that are there only while there are networks or containers. */
export async function leftovers(): Promise<string[]> {
  const devices = "ls /sys/class/net | grep -E '^(di|dj|dk)-|^ipvlup|^eth0[.]|^s[0-9]+[.]' || true";
  const files =
    "find /var/lib/ipvlan -mindepth 1; find /run/ipvlan/*/bpf -mindepth 1 -type d 2>/dev/null || true";
  return (await shell("host", `${devices}\n${files}`)).split("\n").filter((line) => line !== "");
}
