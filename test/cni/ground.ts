/**
 * Ground for tests of the CNI plugin as the process that a runtime starts: the host and its LAN (`scripts/lab.ts`),
 * IPAM plugins of Debian's and some that fail, and what is left of it all.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { BIN, buildLan } from "../../scripts/lab.ts";
import { clientOf, withDaemon } from "../../src/client/client.ts";
import type { EngineName } from "../../src/engine/engine.ts";
import { inSandbox, type Requirements } from "../in-sandbox.ts";

export const PLUGIN: string = fileURLToPath(new URL("../../cni/ipvlan", import.meta.url));
export const REFERENCE_FOLDER = "/usr/lib/cni";
/** IPAM plugins that do what no good one does. */
const FAKES_FOLDER = "/run/fakes";
const SYSTEM_PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

const HANGING = "/run/fakes.hanging";

/** Each does as told for ADD, and notes what else it is asked. */
const FAKES = {
  fails: `echo '{"code": 42, "msg": "no addresses today", "details": "ask tomorrow"}'; exit 1`,
  hangs: `echo $$ > ${HANGING}; sleep 1000`,
  talks: "echo this is no JSON",
  empty: "true",
  dies: "kill -9 $$",
  // Gives what no device takes.
  wrong: `echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.9/24"}], "routes": [{"dst": "8.8.8.0/24", "gw": "192.0.2.1"}]}'`,
  removes: `ip netns del $(basename "$CNI_NETNS"); echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.9/24"}]}'`,
};
export const ASKED = "/run/fakes.asked";

/** Of the IPAM plugin that hangs, and of its group of processes; 0: it has not been started. */
export const pidOfHanging = (): number =>
  existsSync(HANGING) ? Number(readFileSync(HANGING, "utf8")) : 0;

export const forgetHanging = (): void => rmSync(HANGING, { force: true });

/** As `inSandbox`, with the LAN, and a /var/lib that is empty and ends with it. */
export async function onCni(
  file: string,
  requirements: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  const needs = [`${REFERENCE_FOLDER}/host-local`, "ping", ...(requirements.needs ?? [])];
  await inSandbox(file, { ...requirements, needs }, async (engine) => {
    before(async () => {
      sh("mount -t tmpfs -o mode=755 tmpfs /var/lib");
      await buildLan();
      mkdirSync(FAKES_FOLDER);
      for (const [name, line] of Object.entries(FAKES)) {
        const script = `#!/bin/sh\ncat >/dev/null\nif [ "$CNI_COMMAND" = ADD ]; then ${line}\nelse echo "$CNI_COMMAND" >> ${ASKED}; fi\n`;
        writeFileSync(`${FAKES_FOLDER}/${name}`, script);
        chmodSync(`${FAKES_FOLDER}/${name}`, 0o755);
      }
    });
    after(() => sh(`${BIN}/ipvlan daemon stop --remove`));
    await define(engine);
  });
}

/** Runs a line of shell as the system has its programs; gives what it prints. */
export function sh(line: string): string {
  const env = { ...process.env, PATH: SYSTEM_PATH };
  const { status, stdout, stderr } = spawnSync("sh", ["-ec", line], { encoding: "utf8", env });
  if (status !== 0) throw new Error(`${line}: ${stderr}${stdout}`);
  return stdout;
}

const isDoneBy = (line: string): boolean => spawnSync("sh", ["-c", line]).status === 0;

export interface Answer {
  readonly status: number | null;
  readonly text: string;
  readonly stderr: string;
}

export interface Asked {
  readonly command: string;
  readonly container: string;
  /** An object is written as JSON. */
  readonly config: unknown;
  readonly netns?: string;
  readonly ifname?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What the plugin is started by. */
  readonly by?: readonly string[];
  readonly onPid?: (pid: number) => void;
}

/** Asks the plugin as a runtime does. */
export function ask({ command, container, config, onPid, ...more }: Asked): Promise<Answer> {
  const { netns = `/run/netns/${container}`, ifname = "eth0", env = {}, by = [] } = more;
  const [program, ...words] = [...by, process.execPath, PLUGIN];
  const child = spawn(program!, words, {
    env: {
      PATH: SYSTEM_PATH,
      HOME: "/root",
      IPVLAN_ENGINE: process.env.IPVLAN_ENGINE,
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_NETNS: netns,
      CNI_IFNAME: ifname,
      CNI_PATH: `${REFERENCE_FOLDER}:${FAKES_FOLDER}`,
      ...env,
    },
  });
  onPid?.(child.pid!);
  child.stdin.on("error", () => {});
  child.stdin.end(typeof config === "string" ? config : JSON.stringify(config));
  let [text, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece) => {
    text += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece) => {
    stderr += piece;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, text, stderr }));
  });
}

export interface CniResult {
  readonly cniVersion: string;
  readonly interfaces?: readonly Record<string, unknown>[];
  readonly ips: readonly { readonly address: string }[];
  readonly [key: string]: unknown;
}

/** An ADD, or a command that prints nothing, that must do. */
export async function succeed(asked: Asked): Promise<CniResult> {
  const { status, text, stderr } = await ask(asked);
  assert.equal(status, 0, text + stderr);
  assert.equal(stderr, "");
  if (asked.command === "ADD") return JSON.parse(text) as CniResult;
  assert.equal(text, "");
  return {} as CniResult;
}

export interface Refusal {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** A command that must be refused as the specification has it: an error on stdout, and nothing of our insides. */
export async function refuse(asked: Asked): Promise<Refusal> {
  const { status, text, stderr } = await ask(asked);
  assert.equal(status, 1, text + stderr);
  const said = JSON.parse(text) as Refusal;
  assert.ok(Number.isInteger(said.code) && said.msg !== "", text);
  assert.doesNotMatch(text + stderr, /^\s+at |node:internal|\.js:\d|TypeError|undefined/m);
  return said;
}

/** A configuration with host-local; `more` goes beside its keys. */
export const configOf = (more: object = {}, name = "net"): Record<string, unknown> => ({
  cniVersion: "1.0.0",
  name,
  type: "ipvlan",
  master: "eth0",
  ipam: LOCAL,
  ...more,
});

type Json = Readonly<Record<string, unknown>>;

const RANGE4 = { rangeStart: "10.0.0.50", rangeEnd: "10.0.0.249", gateway: "10.0.0.1" };
const RANGE6 = { rangeStart: "fd00::50", rangeEnd: "fd00::ff", gateway: "fd00::1" };

export const LOCAL: Json = {
  type: "host-local",
  ranges: [[{ subnet: "10.0.0.0/24", ...RANGE4 }]],
  routes: [{ dst: "0.0.0.0/0" }],
};

/** Two families, in the LAN's subnets. */
export const LOCAL_BOTH: Json = {
  type: "host-local",
  ranges: [[{ subnet: "10.0.0.0/24", ...RANGE4 }], [{ subnet: "fd00::/64", ...RANGE6 }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};

export const addContainer = (...names: string[]): void => {
  sh(names.map((name) => `ip netns add ${name}`).join("\n"));
};

export const removeContainer = (...names: string[]): void => {
  sh(names.map((name) => `ip netns del ${name}`).join("\n"));
};

/** Names of the devices in a container, without lo. */
export const devicesIn = (container: string): string[] =>
  (JSON.parse(sh(`ip -n ${container} -j link`)) as { ifname: string }[])
    .map(({ ifname }) => ifname)
    .filter((name) => name !== "lo");

export const reaches = (container: string, to: string): boolean =>
  isDoneBy(`nsenter --net=/run/netns/${container} ping -c 1 -W 2 ${to}`);

/** Leases of host-local, and the labels of the host's slaves: what a container leaves if it is not cleaned up. */
export const leftovers = async (): Promise<string[]> => [...leases(), ...(await slaves())];

function leases(): string[] {
  const folder = "/var/lib/cni/networks";
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((path) => /\/[0-9a-f]*[.:][0-9a-f.:]+$/.test(path));
}

export async function slaves(): Promise<string[]> {
  const links = (await withDaemon(clientOf(HERE).links(HERE))) ?? [];
  return links.map(({ label = "made for nobody" }) => label);
}
const HERE = "/proc/self/ns/net";
