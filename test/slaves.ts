/**
 * The HOWTO's two slaves for tests, in the lab of `scripts/lab.ts`, ready at once: their IPv6 addresses skip
 * duplicate detection.
 */
import { ADDRESS, buildLan, PREFIX, shell } from "../scripts/lab.ts";
import type { Flag, Mode } from "../src/driver/settings.ts";

export async function buildLab(): Promise<void> {
  await buildLan();
  await shell("host", "ip netns add ns0; ip netns add ns1");
}

export async function addSlaves(mode: Mode, flag: Flag): Promise<void> {
  for (const [end, device] of SLAVES) {
    await shell("host", `ip link add link eth0 ${device} type ipvlan mode ${mode} ${flag}`);
    await shell("host", `ip link set dev ${device} netns ${end}`);
    await shell(
      end,
      `${SYSTEM_IP} link set lo up; ${SYSTEM_IP} -batch - <<END\n${upWith(end, device)}\nEND`,
    );
  }
}

/** Changes the port while it runs. */
export async function setPort(mode: Mode, flag: Flag): Promise<void> {
  await shell("host", `ip -n ns0 link set dev ipvl0 type ipvlan mode ${mode} ${flag}`);
}

/** Deletes what neighbours and paths every namespace has learnt, so that one test does not teach the next. */
export async function forget(): Promise<void> {
  for (const end of ["host", "lan", "ns0", "ns1"])
    await shell(
      end,
      `for f in 4 6; do ${SYSTEM_IP} -$f neigh flush all; ${SYSTEM_IP} -$f route flush cache; done`,
    );
}

export async function deleteSlaves(): Promise<void> {
  for (const [end, device] of SLAVES) await shell("host", `ip -n ${end} link del ${device}`);
}

export interface PortShown {
  readonly master: string;
  readonly mode: Mode;
  readonly flag: Flag;
  readonly engine: string;
  readonly consumption: string;
  readonly wayUp: string;
  readonly slaves: readonly { readonly name: string }[];
  readonly conflicts: readonly unknown[];
  readonly drops: Readonly<Record<string, number>>;
}

export const showPorts = async (): Promise<PortShown[]> =>
  JSON.parse(await shell("host", "ipvlan port show -j")) as PortShown[];

const SLAVES = [
  ["ns0", "ipvl0"],
  ["ns1", "ipvl1"],
] as const;

/** Not our command, for lines that are not about it: it starts ten times as fast. */
export const SYSTEM_IP = "/usr/sbin/ip";

function upWith(end: "ns0" | "ns1", device: string): string {
  const { v4, v6 } = ADDRESS[end];
  return [
    `link set ${device} up`,
    `addr add ${v4}/${PREFIX.v4} dev ${device}`,
    `addr add ${v6}/${PREFIX.v6} dev ${device} nodad`,
    `route add default via ${ADDRESS.lan.v4} dev ${device}`,
    `route add default via ${ADDRESS.lan.v6} dev ${device}`,
  ].join("\n");
}
