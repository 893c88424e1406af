/**
 * Grounds of other people's programs that carry frames in user space, as their documents say to use them: a switch
 * with three plugs (vde2), and the network that rootless containers get (slirp4netns), which leads to the LAN only.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { shell, spawnAt } from "../scripts/lab.ts";
import {
  addNamespaces,
  bringUp,
  ENDS,
  type Ground,
  NotHereError,
  netnsOf,
  pathTo,
  SYSTEM_IP,
  system,
  waitFor,
  wire,
} from "./ground.ts";

export async function vde(name: string): Promise<Ground> {
  expectPrograms(["vde_switch", "vde_plug2tap"]);
  await addNamespaces(name, ENDS);
  const socket = `/run/${name}`; // the sandbox's own
  const carriers = [start("host", ["vde_switch", "-s", socket])];
  try {
    await waitFor("vde_switch", async () => existsSync(`${socket}/ctl`) || undefined);
    for (const end of ENDS) {
      const netns = netnsOf({ name }, end);
      const plug = start(netns, ["vde_plug2tap", "-s", socket, "e0"]);
      carriers.push(plug);
      await deviceOf("vde_plug2tap", plug, netns);
      await system(bringUp(name, end));
    }
  } catch (error) {
    endAll(carriers);
    throw error;
  }
  return { name, carriers };
}

export async function slirp(name: string): Promise<Ground> {
  expectPrograms(["slirp4netns"]);
  await addNamespaces(name, ["host", "ns0", "lan"]);
  await system(wire(name));
  const ns0 = netnsOf({ name }, "ns0");
  const words = ["slirp4netns", "--configure", `--mtu=${MTU}`, "--netns-type=path"];
  const carrier = start(netnsOf({ name }, "host"), [...words, pathTo(ns0), "e0"]);
  try {
    await deviceOf("slirp4netns", carrier, ns0);
  } catch (error) {
    carrier.kill();
    throw error;
  }
  return { name, carriers: [carrier] };
}
/** As podman has it. */
const MTU = 65520;

const start = (place: string, words: readonly string[]): ChildProcess => {
  const child = spawnAt(place, words);
  for (const log of [child.stdout, child.stderr]) log.resume();
  return child;
};

const endAll = (carriers: readonly ChildProcess[]): void => {
  for (const carrier of carriers) carrier.kill();
};

/** Until the program has made its device. */
async function deviceOf(program: string, process: ChildProcess, netns: string): Promise<void> {
  await waitFor(program, async () => {
    if (process.exitCode !== null)
      throw new NotHereError(`${program} does not start: may we use /dev/net/tun?`);
    const found = await shell(netns, `${SYSTEM_IP} -br link show e0 2>&1 || true`);
    return found.startsWith("e0") || undefined;
  });
}

function expectPrograms(programs: readonly string[]): void {
  for (const program of programs)
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)
      throw new NotHereError(`${program} is not installed`);
}
