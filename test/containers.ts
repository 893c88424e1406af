/**
 * What tests with real container runtimes share: the sandbox looks to them like a host of its own. They read and write
 * where they always do, but what this machine has there is not seen, and all of it ends with the sandbox.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BIN, shell } from "../scripts/lab.ts";
import { insideSandbox } from "../scripts/sandbox.ts";
import type { EngineName } from "../src/engine/engine.ts";
import { isRoot, makeCgroups, removeCgroups } from "./cgroups.ts";
import { inSandbox, type Requirements } from "./in-sandbox.ts";

/** What runs containers here, whoever asks. */
export const CONTAINER_TOOLS: readonly string[] = ["runc", "busybox", "ping"];

const APPLETS = ["sh", "cat", "ip", "ls", "nc", "ping", "sleep", "true", "nslookup", "wget"];

/** Names the cgroups that are the host's: known outside, where they are removed, and inside. */
const CGROUP = "IPVLAN_TEST_CGROUP";

/** As `inSandbox`, with cgroups of the sandbox's own, which end with it, however it ends. */
export async function inHost(
  file: string,
  requirements: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  if (insideSandbox() || !isRoot()) return inSandbox(file, requirements, define);
  const name = `ipvlan-test-${process.pid}`;
  process.env[CGROUP] = name;
  try {
    makeCgroups(name);
    await inSandbox(file, requirements, define);
  } finally {
    await removeCgroups(name);
  }
}

/** Why containers cannot run here. */
export function containersRefusal(): string | undefined {
  if (!isRoot()) return "needs root: containers have cgroups";
  if (spawnSync("sh", ["-c", "ldd $(command -v busybox)"]).status === 0)
    return "needs a busybox that is linked statically: busybox-static";
  const { status, stderr } = spawnSync("sh", ["-c", TRY_OVERLAY], { encoding: "utf8" });
  return status === 0 ? undefined : `needs overlayfs: ${stderr.trim()}`;
}
const TRY_OVERLAY = `mkdir -p /run/try /run/try.work
  mount -t overlay -o lowerdir=/etc,upperdir=/run/try,workdir=/run/try.work overlay /mnt && umount /mnt`;

/**
 * A line of shell: the sandbox becomes a host of its own, with `/run/rootfs.tar` for an image. `empty`: folders that
 * are to have nothing in them. /sys was mounted anew for the sandbox's network, and so hides the cgroups: they are fetched
 * from below, and of each hierarchy only what is the host's.
 */
export const buildHost = (empty: readonly string[]): string => `
  mkdir -p /run/cgroups
  umount /sys
  if test -d /sys/fs/cgroup/$${CGROUP}; then mount --bind /sys/fs/cgroup/$${CGROUP} /run/cgroups
  else
    mount -t tmpfs tmpfs /run/cgroups
    find /sys/fs/cgroup -maxdepth 1 -type l -exec cp -P {} /run/cgroups ';'
    for own in /sys/fs/cgroup/*/$${CGROUP}; do
      hierarchy=/run/cgroups/$(basename $(dirname $own))
      mkdir $hierarchy
      mount --bind $own $hierarchy
    done
  fi
  umount -l /sys/fs/cgroup # runc reads all mounts, hidden ones too
  mount -t sysfs sysfs /sys
  mount --move /run/cgroups /sys/fs/cgroup
  for folder in etc opt usr/local var/lib; do
    mkdir -p /run/layers/$folder /run/layers/$folder.work
    mount -t overlay -o lowerdir=/$folder,upperdir=/run/layers/$folder,workdir=/run/layers/$folder.work overlay /$folder
  done
  for folder in ${empty.join(" ")}; do
    mkdir -p $folder
    mount -t tmpfs -o mode=755 tmpfs $folder
  done
  mkdir -p /run/rootfs/bin /run/rootfs/etc /run/rootfs/tmp
  cp $(command -v busybox) /run/rootfs/bin/busybox
  for name in ${APPLETS.join(" ")}; do ln -s busybox /run/rootfs/bin/$name; done
  echo root:x:0:0::/:/bin/sh > /run/rootfs/etc/passwd
  tar -C /run/rootfs -cf /run/rootfs.tar .`;

/**
 * A line of shell that lists what of ours must not outlive the last container: ports, ends of veth pairs, and pins, beside
 * which the kernel has files of its own, *.debug.
 */
export const LIST_OURS = `ipvlan port show 2>/dev/null # which says that no daemon runs
  PATH=/usr/sbin:/sbin:/usr/bin:/bin ip -br link show type veth | grep -v ^eth0@ || true
  find /run/ipvlan/*/bpf -mindepth 1 ! -name '*.debug' 2>/dev/null || true`;

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
    return `/run/${basename(this.#words[0]!)}.log`;
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
