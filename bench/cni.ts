/** How long a runtime waits for ADD of a CNI plugin, where the daemon runs and the port is there. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Ground, NotHereError, netnsOf, pathTo, runDirectoryOf } from "./ground.ts";

const run = promisify(execFile);

const OURS = fileURLToPath(new URL("../cni/ipvlan", import.meta.url));
/** Where Debian has the reference's plugins. */
const FOLDER = "/usr/lib/cni";
const ADDRESS = "10.0.0.77/24";

const NAMED = { name: "bench", master: "eth0" };
/** The addresses are those of the plugin before it. */
const CHAINED = {
  ...NAMED,
  cniVersion: "1.1.0",
  prevResult: { cniVersion: "1.1.0", interfaces: [{ name: "eth0" }], ips: [{ address: ADDRESS }] },
};
const STATIC = {
  ...NAMED,
  cniVersion: "1.0.0",
  ipam: { type: "static", addresses: [{ address: ADDRESS }] },
};

/** Milliseconds of ADD without an IPAM plugin. */
export const addChained = (ground: Ground): Promise<number> => addOurs(ground, CHAINED);

/** Milliseconds of ADD with the reference's IPAM plugin `static`. */
export const addStatic = (ground: Ground): Promise<number> =>
  addOurs(ground, demanded("static", STATIC));

/** The same of the reference's plugin for the kernel's macvlan. */
export const addMacvlan = (ground: Ground): Promise<number> =>
  add(ground, [`${FOLDER}/macvlan`], demanded("macvlan", STATIC));

/** Milliseconds of a Node that does nothing. */
export async function startNode(): Promise<number> {
  const start = performance.now();
  await run(process.execPath, ["-e", "0"]);
  return performance.now() - start;
}

async function addOurs(ground: Ground, config: object): Promise<number> {
  // What the plugin lays out there ends with the sandbox.
  await run("sh", ["-c", "mountpoint -q /var/lib || mount -t tmpfs -o mode=755 tmpfs /var/lib"]);
  return add(ground, [process.execPath, OURS], config);
}

function demanded(plugin: string, config: object): object {
  if (existsSync(`${FOLDER}/${plugin}`)) return config;
  throw new NotHereError(`${FOLDER}/${plugin} is not installed`);
}

async function add(ground: Ground, plugin: readonly string[], config: object): Promise<number> {
  const start = performance.now();
  await ask(ground, "ADD", plugin, config);
  const took = performance.now() - start;
  await ask(ground, "DEL", plugin, config);
  return took;
}

async function ask(
  ground: Ground,
  command: string,
  plugin: readonly string[],
  config: object,
): Promise<void> {
  const { PATH, HOME } = process.env;
  const env = {
    PATH,
    HOME,
    IPVLAN_RUN: runDirectoryOf(ground),
    CNI_COMMAND: command,
    CNI_CONTAINERID: "bench",
    CNI_NETNS: pathTo(netnsOf(ground, "crowd")),
    CNI_IFNAME: "n0",
    CNI_PATH: FOLDER,
  };
  const host = `--net=${pathTo(netnsOf(ground, "host"))}`;
  const asked = run("nsenter", [host, ...plugin], { env });
  asked.child.stdin!.end(JSON.stringify(config));
  await asked;
}
