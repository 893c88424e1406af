/**
 * The network around the HOWTO's example, made in a sandbox: the host is the sandbox itself, beyond its eth0
 * lies a LAN with a router.
 *
 *     lan: w0   02:00:00:00:00:01  10.0.0.1/24   fd00::1/64     (a namespace)
 *      |  veth
 *     host: eth0 02:00:00:00:00:02  10.0.0.2/24   fd00::2/64
 *      |-- ns0: ipvl0               10.0.0.10/24  fd00::10/64    (made by whoever uses this)
 *      `-- ns1: ipvl1               10.0.0.11/24  fd00::11/64
 */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { accessSync, chmodSync, constants, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { insideSandbox } from "./sandbox.ts";

const run = promisify(execFile);

export type End = "lan" | "host" | "ns0" | "ns1";
export const ENDS: readonly End[] = ["lan", "host", "ns0", "ns1"];
export type Family = "v4" | "v6";
export const FAMILIES: readonly Family[] = ["v4", "v6"];

export const ADDRESS: Readonly<Record<End, Readonly<Record<Family, string>>>> = {
  lan: { v4: "10.0.0.1", v6: "fd00::1" },
  host: { v4: "10.0.0.2", v6: "fd00::2" },
  ns0: { v4: "10.0.0.10", v6: "fd00::10" },
  ns1: { v4: "10.0.0.11", v6: "fd00::11" },
};
export const PREFIX: Readonly<Record<Family, number>> = { v4: 24, v6: 64 };

/** Where our command is called `ip`. */
export const BIN = "/run/howto/bin";
const COMMAND = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

/** As `withNetns` takes it. */
export const netnsOf = (end: string): string => (end === "host" ? "/proc/self/ns/net" : end);

/** Administrators' programs are not on everybody's PATH. */
const SYSTEM_PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
/** Our command takes the place of the system's `ip`. */
const PATH = `${BIN}:${SYSTEM_PATH}`;

/**
 * Runs a line of shell at one of the ends and gives its output; `ip` is our command there. A line that fails
 * throws what it said.
 */
export async function shell(
  end: string,
  line: string,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const [program, ...args] = at(end, ["sh", "-ec", line]);
  const options = { env: { ...process.env, PATH, ...env }, maxBuffer: 1 << 26 };
  const { stdout, stderr } = await run(program, args, options);
  return stdout + stderr;
}

/** Starts a program at one of the ends; whoever starts it reads what it says, and ends it. */
export function spawnAt(end: string, words: readonly string[]): ChildProcessWithoutNullStreams {
  const [program, ...args] = at(end, words);
  return spawn(program, args, { env: { ...process.env, PATH } });
}

/** The words that run a command at an end. */
function at(end: string, words: readonly string[]): [string, ...string[]] {
  const [program, ...args] = words;
  return end === "host"
    ? [program!, ...args]
    : ["nsenter", `--net=/run/netns/${end}`, program!, ...args];
}

/** The host with its master, and the LAN. Only in a sandbox: it is the sandbox's own network that gets an eth0. */
export async function buildLan(): Promise<void> {
  if (!insideSandbox()) throw new Error("a lab is built in a sandbox only");
  linkCommand();
  await shell(
    "host",
    `ip netns add lan
     ip link add eth0 address 02:00:00:00:00:02 type veth peer name w0 address 02:00:00:00:00:01 netns lan
     ip addr add 10.0.0.2/24 dev eth0
     ip addr add fd00::2/64 dev eth0 nodad
     ip link set eth0 up
     ip -n lan addr add 10.0.0.1/24 dev w0
     ip -n lan addr add fd00::1/64 dev w0 nodad
     ip -n lan link set lo up
     ip -n lan link set w0 up`,
    { PATH: SYSTEM_PATH },
  );
}

/** In L3 nobody on the wire answers for a slave's address, so the LAN needs routes to them by way of the master's. */
export async function addLanRoutes(): Promise<void> {
  await shell("lan", lanRoutes("add"), { PATH: SYSTEM_PATH });
}

export async function deleteLanRoutes(): Promise<void> {
  await shell("lan", lanRoutes("del"), { PATH: SYSTEM_PATH });
}

const lanRoutes = (verb: "add" | "del"): string =>
  (["ns0", "ns1"] as const)
    .flatMap((end) => [
      `ip -4 route ${verb} ${ADDRESS[end].v4}/32 via ${ADDRESS.host.v4}`,
      `ip -6 route ${verb} ${ADDRESS[end].v6}/128 via ${ADDRESS.host.v6}`,
    ])
    .join("\n");

/** Waits until no IPv6 address of the slaves is under duplicate detection any more; before that they do not answer. */
export async function waitForAddresses(ends: readonly End[]): Promise<void> {
  for (const end of ends) {
    const deadline = performance.now() + DAD_MS;
    while ((await shell(end, "ip -6 addr show tentative")) !== "" && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
/** A random delay of up to a second, then a probe of one. RFC 4862 §5.4. */
const DAD_MS = 4000;

/** Once is enough. */
export function linkCommand(): void {
  if (existsSync(`${BIN}/ip`)) return;
  makeExecutable(COMMAND);
  mkdirSync(BIN, { recursive: true });
  symlinkSync(COMMAND, `${BIN}/ip`);
  symlinkSync(COMMAND, `${BIN}/ipvlan`);
  // Programs by `#!/usr/bin/env node` shall find the Node that runs us.
  symlinkSync(process.execPath, `${BIN}/node`);
}

/** The compiler leaves programs without their permission to run. */
function makeExecutable(path: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755);
  }
}
