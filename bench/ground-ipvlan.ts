/** Grounds of our slaves, under the engine that is asked for. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { ADDRESS, spawnAt } from "../scripts/lab.ts";
import { type Client, clientIn, withDaemon } from "../src/client/client.ts";
import type { Mode } from "../src/driver/settings.ts";
import {
  addNamespaces,
  addressOf,
  bringUp,
  crowdNames,
  ENDS,
  type Ground,
  NotHereError,
  netnsOf,
  pathTo,
  runDirectoryOf,
  SLAVES,
  system,
  waitFor,
  wire,
} from "./ground.ts";

export const ENGINES = ["ebpf", "userspace"] as const;
export type Engine = (typeof ENGINES)[number];

export interface IpvlanOptions {
  readonly engine: Engine;
  readonly mode: Mode;
  /** Slaves besides the two. */
  readonly crowd: number;
}

export async function ipvlan(
  name: string,
  { engine, mode, crowd }: IpvlanOptions,
): Promise<Ground> {
  const host = netnsOf({ name }, "host");
  await addNamespaces(name, ["host", ...ENDS, "crowd"]);
  await system(wire(name));
  const environment = [`IPVLAN_ENGINE=${engine}`, `IPVLAN_RUN=${runDirectoryOf({ name })}`];
  const daemon = spawnAt(host, ["env", ...environment, "ipvlan", "daemon", "run"]);
  for (const log of [daemon.stdout, daemon.stderr]) log.resume();
  try {
    const client = await waitFor("the daemon", () => answering(name));
    const add = (device: string, place: "ns0" | "ns1" | "crowd") =>
      client.createLink({
        netns: pathTo(host),
        master: "eth0",
        name: device,
        mode,
        target: pathTo(netnsOf({ name }, place)),
        up: true,
      });
    await add("e0", "ns0");
    await expectEngine(client, host, engine);
    await add("e0", "ns1");
    for (const device of crowdNames(crowd)) await add(device, "crowd");
  } catch (error) {
    daemon.kill();
    throw error;
  }
  await system([
    ...SLAVES.flatMap((end) => bringUp(name, end)),
    // In L3 nobody on the wire answers for a slave's address.
    ...(mode === "l2" ? [] : SLAVES.map((end) => routeTo(name, end))),
  ]);
  return { name, carriers: [daemon] };
}

async function answering(name: string): Promise<Client | undefined> {
  const host = pathTo(netnsOf({ name }, "host"));
  const client = clientIn(join(runDirectoryOf({ name }), String(statSync(host).ino)));
  return (await withDaemon(client.ports(host))) && client;
}

/** A machine may not allow an engine; its figures must not go by the other's name. */
async function expectEngine(client: Client, host: string, wanted: Engine): Promise<void> {
  const [port] = await client.ports(pathTo(host));
  if (port?.engine !== wanted)
    throw new NotHereError(`engine ${wanted}: it is ${port?.engine}, ${port?.engineReason}`);
}

const routeTo = (name: string, end: (typeof SLAVES)[number]): string =>
  `-n ${netnsOf({ name }, "lan")} route add ${addressOf(end)} via ${ADDRESS.host.v4}`;
