/**
 * The recording's topology, fresh for each case, in a sandbox: the host is the sandbox itself.
 *
 *     host: eth0 (02:00:00:00:00:02) <-> w0 (02:00:00:00:00:01), a veth pair;  ns0, ns1, ns2: empty
 *
 * And what must be as before when something was refused: devices everywhere, rules, ports.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { netnsOf, shell, spawnAt } from "../../scripts/lab.ts";
import { type Client, clientIn } from "../../src/client/client.ts";
import { daemonDirectory, runDirectory } from "../../src/daemon/run-directory.ts";
import { SYSTEM_IP } from "../slaves.ts";

export const NAMESPACES = ["ns0", "ns1", "ns2"] as const;

export async function buildGround(): Promise<void> {
  await shell(
    "host",
    `for ns in ${NAMESPACES.join(" ")}; do ${SYSTEM_IP} netns add $ns; done
     ${SYSTEM_IP} netns attach host $$
     ${SYSTEM_IP} link add eth0 address 02:00:00:00:00:02 type veth peer name w0 address 02:00:00:00:00:01
     ${SYSTEM_IP} link set eth0 up
     ${SYSTEM_IP} link set w0 up`,
  );
}

/** Ends the daemons, which have to leave nothing, and takes every device away. */
export async function clearGround(): Promise<void> {
  try {
    for (const directory of daemonDirectories()) {
      assert.doesNotMatch(
        readFileSync(`${directory}/daemon.log`, "utf8"),
        /Error|"level":"(error|fatal)"/,
      );
      await clientIn(directory).stop(true);
    }
    assert.ok(await becomes(() => daemonDirectories().length === 0), "a daemon leaves its folder");
    assert.equal(await shell("host", "nft list ruleset"), "", "a daemon leaves rules");
  } finally {
    holder?.kill("SIGKILL");
    holder = undefined;
    await shell(
      "host",
      `umount ${runDirectory()}/*/netns 2>/dev/null || true
       rm -rf ${runDirectory()}
       nft flush ruleset
       for ns in host ${NAMESPACES.join(" ")}; do ${SYSTEM_IP} netns del $ns 2>/dev/null || true; done
       for name in $(${SYSTEM_IP} -br link | cut -d' ' -f1 | cut -d@ -f1); do
         ${SYSTEM_IP} link del $name 2>/dev/null || true
       done`,
    );
  }
}

function daemonDirectories(): string[] {
  const directory = runDirectory();
  return existsSync(directory) ? readdirSync(directory).map((name) => `${directory}/${name}`) : [];
}

/** The daemon of the host's namespace. */
export const hostClient = (): Client => clientIn(daemonDirectory(netnsOf("host")));

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line, of words without blanks, in a namespace. */
export async function type(ns: string, line: string): Promise<Answer> {
  const words = line.split(" ");
  const child =
    ns === USER_NAMESPACE
      ? spawnAt("host", [...(await intoUserNamespace()), ...words])
      : spawnAt(ns, words);
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status: status ?? -1, ...said }));
  });
}

/** All that a refused command must not have changed. */
export async function takeStock(): Promise<string> {
  const stock = await shell(
    "host",
    `for ns in ${NAMESPACES.join(" ")}; do echo $ns; ${SYSTEM_IP} -n $ns -d link || true; done
     ${SYSTEM_IP} -d link; ${SYSTEM_IP} rule; ${SYSTEM_IP} -6 rule; nft list ruleset
     for netns in ${runDirectory()}/*/netns; do
       [ ! -e $netns ] || nsenter --net=$netns ${SYSTEM_IP} -d link show group default
     done`,
  );
  return stock.replace(/^1: lo:.*\n(^ .*\n)*/gm, ""); // a daemon's private namespace may be new, but empty
}

/** What the recording calls a network namespace that a user namespace of its own owns. */
const USER_NAMESPACE = "the user namespace's own";
const HOLDER = ["unshare", "--user", "--net", "--map-root-user", "sleep", "infinity"];
let holder: ChildProcess | undefined;

/** The words that lead there. It is made when it is first entered, and given the slave i0. */
async function intoUserNamespace(): Promise<string[]> {
  if (holder === undefined) {
    holder = spawnAt("host", HOLDER);
    const { pid } = holder;
    assert.ok(await becomes(() => readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n"));
    await shell("host", `ip link set i0 netns ${pid}`);
  }
  return ["nsenter", `--target=${holder.pid}`, "--user", "--net"];
}

const PATIENCE_MS = 10_000;

/** Whether it comes true soon: ports follow the kernel, they do not make it wait. */
export async function becomes(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}
