/** The rows of the table: what is compared with what, and what the ratio should be. */
import type { Column, Comparison, Measure, Target } from "./comparison.ts";
import * as daemon from "./daemon.ts";
import { decisions } from "./decision.ts";
import type { End, Ground, Grounds } from "./grounds.ts";
import * as traffic from "./traffic.ts";

type Figure = (ground: Ground, from: End, to: End, seconds: number) => Promise<number>;

/** Megabytes that a daemon of a thousand slaves may keep. */
const MEMORY = 150;

export function comparisons(grounds: Grounds, seconds: number): Comparison[] {
  const udp = async (ground: Promise<Ground>): Promise<number> =>
    traffic.udp(await ground, "ns0", "ns1", seconds);
  return [
    ...frames(grounds, seconds),
    ...decisions(),
    {
      name: "command: link show, to ip's and a bare Node",
      to: async () => daemon.showTheSystems(await grounds.l2()),
      of: { ipvlan: async () => daemon.showOurs(await grounds.l2()) },
      target: { atMost: 3 },
    },
    {
      name: "many slaves: memory, to 150 MB",
      to: async () => MEMORY,
      of: { ipvlan: async () => daemon.memory(await grounds.many()) },
      target: { atMost: 1 },
    },
    {
      name: "many slaves: UDP, to UDP between two",
      to: () => udp(grounds.l2()),
      of: { ipvlan: () => udp(grounds.many()) },
      target: { atLeast: 0.91 },
    },
    {
      name: "many changes: UDP, to UDP without",
      to: () => udp(grounds.l2()),
      of: {
        ipvlan: async () => daemon.underChanges(await grounds.l2(), () => udp(grounds.l2())),
      },
      target: { atLeast: 0.9 },
    },
  ];
}

/** Frames on their way, compared with a plain veth. */
function frames(grounds: Grounds, seconds: number): Comparison[] {
  const row = (
    name: string,
    figure: Figure,
    [from, to]: readonly [End, End],
    target: Target,
  ): Comparison => {
    const on =
      (ground: () => Promise<Ground>): Measure =>
      async () =>
        figure(await ground(), from, to, seconds);
    const isL3 = name.startsWith("l3");
    const of: Partial<Record<Column, Measure>> = {
      ipvlan: on(() => (isL3 ? grounds.l3() : grounds.l2())),
    };
    if (grounds.hasMacvlan && !isL3) of.macvlan = on(() => grounds.macvlan());
    return { name, to: on(() => grounds.veth()), of, target };
  };
  return [
    row("tcp: slave to slave", traffic.tcp, ["ns0", "ns1"], { atLeast: 0.9 }),
    row("tcp: slave to LAN", traffic.tcp, ["ns0", "lan"], { atLeast: 0.9 }),
    row("tcp: LAN to slave", traffic.tcp, ["lan", "ns0"], { atLeast: 0.9 }),
    row("l3: TCP, slave to LAN", traffic.tcp, ["ns0", "lan"], { atLeast: 0.8 }),
    row("udp: 18 bytes, slave to slave", traffic.udp, ["ns0", "ns1"], { atLeast: 0.8 }),
    row("udp: 18 bytes, slave to LAN", traffic.udp, ["ns0", "lan"], { atLeast: 0.8 }),
    row("ping-pong: time, slave to slave", traffic.pingPong, ["ns0", "ns1"], { atMost: 2.3 }),
    row("ping-pong: time, slave to LAN", traffic.pingPong, ["ns0", "lan"], { atMost: 2.3 }),
  ];
}
