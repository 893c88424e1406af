/**
 * Where the bench's frames travel: two slaves and a LAN, each ground in namespaces of its own, with the same addresses
 * on all of them.
 *
 *     GROUND-ns0 ─┐
 *                 ├─ eth0 in GROUND-host ── GROUND-lan            plain veth: ns0 ── ns1, ns0 ── lan
 *     GROUND-ns1 ─┘
 */
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { ADDRESS, PREFIX, shell, spawnAt } from "../scripts/lab.ts";
import { type Client, clientOf, withDaemon } from "../src/cli/client.ts";
import type { Mode } from "../src/driver/settings.ts";

const SLAVES = ["ns0", "ns1"] as const;
const ENDS = ["ns0", "ns1", "lan"] as const;
export type End = (typeof ENDS)[number];

export interface Ground {
  readonly name: string;
  /** Of our slaves. */
  readonly daemon?: ChildProcess;
}

export const netnsOf = (ground: Ground, end: End | "host" | "crowd"): string =>
  `${ground.name}-${end}`;
export const addressOf = (end: End): string => ADDRESS[end].v4;

/** Not our command, which stands before it on PATH. */
export const SYSTEM_IP = "/usr/sbin/ip";

/** Each is made when it is first asked for. */
export class Grounds {
  readonly hasMacvlan: boolean;
  readonly #slaves: number;
  readonly #made: Map<string, Promise<Ground>> = new Map();

  /** `slaves`: on the ground that has many. */
  static async open(slaves: number): Promise<Grounds> {
    const probe = "link add probe0 type veth; link add link probe0 probe1 type macvlan";
    const hasMacvlan = await system(probe.split("; ")).then(
      () => true,
      () => false,
    );
    return new Grounds(slaves, hasMacvlan);
  }

  private constructor(slaves: number, hasMacvlan: boolean) {
    this.#slaves = slaves;
    this.hasMacvlan = hasMacvlan;
  }

  veth(): Promise<Ground> {
    return this.#get("veth", plainVeth);
  }
  macvlan(): Promise<Ground> {
    return this.#get("macvlan", kernelMacvlan);
  }
  l2(): Promise<Ground> {
    return this.#get("l2", (ground) => ipvlan(ground, "l2", 1));
  }
  l3(): Promise<Ground> {
    return this.#get("l3", (ground) => ipvlan(ground, "l3", 0));
  }
  many(): Promise<Ground> {
    return this.#get("many", (ground) => ipvlan(ground, "l2", this.#slaves));
  }

  async close(): Promise<void> {
    for (const made of this.#made.values()) (await made).daemon?.kill();
  }

  #get(name: string, make: (ground: Ground) => Promise<Ground>): Promise<Ground> {
    const made = this.#made.get(name) ?? make({ name });
    this.#made.set(name, made);
    return made;
  }
}

async function plainVeth(ground: Ground): Promise<Ground> {
  const [ns0, ns1, lan] = ENDS.map((end) => netnsOf(ground, end));
  await system([
    ...ENDS.map((end) => `netns add ${netnsOf(ground, end)}`),
    `-n ${ns0} link add e0 type veth peer name e0 netns ${ns1}`,
    `-n ${ns0} link add e1 type veth peer name e0 netns ${lan}`,
    ...ENDS.flatMap((end) => bringUp(ground, end)),
    `-n ${ns0} link set e1 up`,
    `-n ${ns0} route add ${addressOf("lan")} dev e1`,
  ]);
  return ground;
}

async function kernelMacvlan(ground: Ground): Promise<Ground> {
  const host = netnsOf(ground, "host");
  await system([
    ...wire(ground),
    ...SLAVES.flatMap((end) => [
      `-n ${host} link add ${end} link eth0 type macvlan mode bridge`,
      `-n ${host} link set ${end} netns ${netnsOf(ground, end)} name e0`,
      ...bringUp(ground, end),
    ]),
  ]);
  return ground;
}

/** `crowd`: slaves besides the two, all in one more namespace. */
async function ipvlan(ground: Ground, mode: Mode, crowd: number): Promise<Ground> {
  const host = netnsOf(ground, "host");
  await system([...wire(ground), `netns add ${netnsOf(ground, "crowd")}`]);
  const daemon = spawnAt(host, ["ipvlan", "daemon", "run"]);
  for (const log of [daemon.stdout, daemon.stderr]) log.resume();
  const client = await answering(host);
  const add = (name: string, target: string) =>
    client.createLink({
      netns: pathTo(host),
      master: "eth0",
      name,
      mode,
      target: pathTo(target),
      up: true,
    });
  for (let n = 1; n <= crowd; n++) await add(`e${n}`, netnsOf(ground, "crowd"));
  for (const end of SLAVES) await add("e0", netnsOf(ground, end));
  await system([
    ...SLAVES.flatMap((end) => bringUp(ground, end)),
    // In L3 nobody on the wire answers for a slave's address.
    ...(mode === "l2" ? [] : SLAVES.map((end) => routeTo(ground, end))),
  ]);
  return { ...ground, daemon };
}

/** The namespaces, and the wire from the master to the LAN. */
function wire(ground: Ground): string[] {
  const [host, lan] = [netnsOf(ground, "host"), netnsOf(ground, "lan")];
  return [
    ...(["host", ...ENDS] as const).map((end) => `netns add ${netnsOf(ground, end)}`),
    `-n ${host} link add eth0 type veth peer name e0 netns ${lan}`,
    `-n ${host} addr add ${ADDRESS.host.v4}/${PREFIX.v4} dev eth0`,
    `-n ${host} link set eth0 up`,
    ...bringUp(ground, "lan"),
  ];
}

function bringUp(ground: Ground, end: End): string[] {
  const netns = netnsOf(ground, end);
  return [
    `-n ${netns} addr add ${addressOf(end)}/${PREFIX.v4} dev e0`,
    `-n ${netns} link set e0 up`,
  ];
}

const routeTo = (ground: Ground, end: End): string =>
  `-n ${netnsOf(ground, "lan")} route add ${addressOf(end)} via ${ADDRESS.host.v4}`;

const pathTo = (netns: string): string => `/run/netns/${netns}`;

const system = (lines: readonly string[]): Promise<string> =>
  shell("host", lines.map((line) => `${SYSTEM_IP} ${line}`).join("\n"));

async function answering(host: string): Promise<Client> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline) {
    const client = clientOf(pathTo(host));
    if ((await withDaemon(client.ports(pathTo(host)))) !== undefined) return client;
    await sleep(POLL_MS);
  }
  throw new Error("the daemon did not start");
}
const START_MS = 10_000;
const POLL_MS = 20;
