/**
 * Ground for tests with a real dockerd, which runs on a host of its own (`test/containers.ts`) on the lab's network
 * (`scripts/lab.ts`).
 *
 *     await onDocker(import.meta.url, () => {
 *       test("...", async () => { await shell("host", `docker run --rm ${IMAGE} true`); });
 *     });
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BIN, buildLan, shell } from "../../scripts/lab.ts";
import type { EngineName } from "../../src/engine/engine.ts";
import { buildHost, CONTAINER_TOOLS, containersRefusal, inHost, Service } from "../containers.ts";
import type { Requirements } from "../in-sandbox.ts";

export const IMAGE = "busybox";

/** Below what has a layer in memory. */
const EMPTY = ["/etc/docker", "/var/lib/docker", "/var/lib/ipvlan"];

/** dockerd leaves the host's packet filter alone. */
const DOCKERD = [
  "dockerd --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none",
  "--userland-proxy=false --exec-opt native.cgroupdriver=cgroupfs",
]
  .join(" ")
  .split(" ");

/** As `inHost`, with dockerd and the driver running; where they cannot, the tests are skipped, and it is said why. */
export async function onDocker(
  file: string,
  requirements: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  const needs = ["dockerd", "docker", ...CONTAINER_TOOLS, ...(requirements.needs ?? [])];
  await inHost(file, { ...requirements, needs }, async (engine) => {
    const refusal = containersRefusal();
    if (refusal !== undefined) {
      test("with dockerd", { skip: refusal }, () => {});
      return;
    }
    after(endGround);
    await shell("host", buildHost(EMPTY));
    await buildLan();
    await shell("host", `test ! -x /usr/bin/docker || ln -s /usr/bin/docker ${BIN}/docker`); // dockerd's own
    await shell("host", "ip route add default via 10.0.0.1; ip -6 route add default via fd00::1");
    await driver.start();
    await dockerd.start();
    await shell("host", `docker import --change 'ENV PATH=/bin' /run/rootfs.tar ${IMAGE}`);
    await define(engine);
  });
}

export const dockerd: Service = new Service(DOCKERD, "docker version");
export const driver: Service = new Service(
  ["ipvlan", "docker", "run"],
  "grep -q /run/docker/plugins/ipvl.sock /proc/net/unix", // a driver that was killed has left its file
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
