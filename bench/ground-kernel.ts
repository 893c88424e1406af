/** Grounds of the kernel's own devices: a plain veth, slaves of its macvlan, ports of its bridge. */
import { ADDRESS, PREFIX } from "../scripts/lab.ts";
import {
  addNamespaces,
  addressOf,
  batch,
  bringUp,
  crowdNames,
  ENDS,
  type Ground,
  NotHereError,
  netnsOf,
  SLAVES,
  system,
  wire,
} from "./ground.ts";

/** What counts as 1: ns0 ── ns1 and ns0 ── lan, with nothing between them. */
export async function plainVeth(name: string): Promise<Ground> {
  const [ns0, ns1, lan] = ENDS.map((end) => netnsOf({ name }, end));
  await addNamespaces(name, ENDS);
  await system([
    `-n ${ns0} link add e0 type veth peer name e0 netns ${ns1}`,
    `-n ${ns0} link add e1 type veth peer name e0 netns ${lan}`,
    ...ENDS.flatMap((end) => bringUp(name, end)),
    `-n ${ns0} link set e1 up`,
    `-n ${ns0} route add ${addressOf("lan")} dev e1`,
  ]);
  return { name, carriers: [] };
}

export async function macvlan(name: string, crowd: number): Promise<Ground> {
  const [host, crowded] = [netnsOf({ name }, "host"), netnsOf({ name }, "crowd")];
  await addNamespaces(name, ["host", ...ENDS, "crowd"]);
  const add = (device: string): string => `link add ${device} link eth0 type macvlan mode bridge`;
  await system(wire(name));
  await orNotHere("macvlan", batch(host, [add("probe"), "link del probe"]));
  await batch(
    host,
    SLAVES.flatMap((end) => [add(end), `link set ${end} netns ${netnsOf({ name }, end)} name e0`]),
  );
  await system(SLAVES.flatMap((end) => bringUp(name, end)));
  const names = crowdNames(crowd);
  await batch(
    host,
    names.flatMap((device) => [add(device), `link set ${device} netns ${crowded}`]),
  );
  await batch(crowded, names.map(up));
  return { name, carriers: [] };
}

/** The bridge has the address that the master has elsewhere. */
export async function bridge(name: string, crowd: number): Promise<Ground> {
  const [host, crowded] = [netnsOf({ name }, "host"), netnsOf({ name }, "crowd")];
  await addNamespaces(name, ["host", ...ENDS, "crowd"]);
  await orNotHere("bridge", batch(host, ["link add br0 type bridge"]));
  await system(wire(name));
  const attached = (port: string): string[] => [`link set ${port} master br0`, up(port)];
  await batch(host, [
    `addr del ${ADDRESS.host.v4}/${PREFIX.v4} dev eth0`,
    `addr add ${ADDRESS.host.v4}/${PREFIX.v4} dev br0`,
    ...attached("eth0"),
    up("br0"),
    ...SLAVES.flatMap((end) => [
      `link add ${end} type veth peer name e0 netns ${netnsOf({ name }, end)}`,
      ...attached(end),
    ]),
  ]);
  await system(SLAVES.flatMap((end) => bringUp(name, end)));
  const names = crowdNames(crowd);
  await batch(
    host,
    names.flatMap((port) => [
      `link add ${port} type veth peer name ${port} netns ${crowded}`,
      ...attached(port),
    ]),
  );
  await batch(crowded, names.map(up));
  return { name, carriers: [] };
}

const up = (device: string): string => `link set ${device} up`;

async function orNotHere(kind: string, attempt: Promise<unknown>): Promise<void> {
  try {
    await attempt;
  } catch (error) {
    const [said] = /^(RTNETLINK|Error).*/m.exec((error as Error).message) ?? [];
    throw new NotHereError(`the kernel makes no ${kind} (${said})`);
  }
}
