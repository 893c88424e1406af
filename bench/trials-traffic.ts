/** Frames on their way, beside a plain veth. */
import type { RealColumn } from "./columns.ts";
import type { End, Ground } from "./ground.ts";
import { ENGINES } from "./ground-ipvlan.ts";
import type { Grounds } from "./grounds.ts";
import type { Row, Take, Target, Trial } from "./rounds.ts";
import { pingPong, type Traffic, tcp, udp } from "./traffic.ts";

const L2: readonly RealColumn[] = ["macvlan", "bridge", "ebpf", "userspace", "vde2"];
/** slirp4netns leads out, not in, and not to others like it. */
const L2_OUT: readonly RealColumn[] = [...L2, "slirp4netns"];

const WAYS = {
  "slave to slave": ["ns0", "ns1", L2],
  "slave to LAN": ["ns0", "lan", L2_OUT],
  "LAN to slave": ["lan", "ns0", L2],
} as const satisfies Record<string, readonly [End, End, readonly RealColumn[]]>;
type Way = keyof typeof WAYS;

export function trafficTrials(grounds: Grounds, seconds: number): Trial[] {
  return [
    ...(Object.keys(WAYS) as Way[]).flatMap((way) =>
      [1, 4].map((connections) =>
        trial(`tcp: ${way}, ${connections} ${connections === 1 ? "stream" : "streams"}`, {
          ...alongTheWay(way, tcp(connections)),
          rows: [throughput({ ofTheBetter: 0.95 }, { atLeast: 0.9 })],
        }),
      ),
    ),
    trial("l3: TCP, slave to LAN", {
      takes: Object.fromEntries([
        ["veth", take(() => grounds.veth(), tcp(1), "ns0", "lan")],
        ...ENGINES.map((engine) => [engine, take(() => grounds.l3(engine), tcp(1), "ns0", "lan")]),
      ]),
      columns: ENGINES,
      rows: [throughput({ atLeast: 0.95 }, { atLeast: 0.8 })],
    }),
    ...(["slave to slave", "slave to LAN"] as const).flatMap((way) => [
      trial(`udp: 18 bytes, ${way}`, {
        ...alongTheWay(way, udp),
        rows: [throughput({ atLeast: 1 }, { atLeast: 0.8 })],
      }),
      trial(`ping-pong: ${way}`, {
        ...alongTheWay(way, pingPong),
        rows: [
          {
            ...latency({ ebpf: { atMost: 1.05 }, userspace: { atMost: 2.3 } }),
            suffix: ", median",
          },
          { ...latency({}), suffix: ", 99th percentile" },
        ],
      }),
    ]),
  ];

  function alongTheWay(way: Way, traffic: Traffic): Pick<Asked, "takes" | "columns"> {
    const [from, to, columns] = WAYS[way];
    const on = (ground: () => Promise<Ground>): Take => take(ground, traffic, from, to);
    const takes: Record<string, Take> = { veth: on(() => grounds.veth()) };
    for (const column of columns) takes[column] = on(() => grounds.pair(column));
    return { takes, columns };
  }

  function take(ground: () => Promise<Ground>, traffic: Traffic, from: End, to: End): Take {
    return async () => traffic(await ground(), from, to, seconds);
  }
}

type RowKind = Pick<Row, "group" | "better" | "targets"> & { readonly suffix?: string };

interface Asked {
  readonly takes: Trial["takes"];
  readonly columns: readonly RealColumn[];
  /** Of the takes' figures, in their order. */
  readonly rows: readonly RowKind[];
}

const throughput = (ebpf: Target, userspace: Target): RowKind => ({
  group: "throughput",
  better: "more",
  targets: { ebpf, userspace },
});

const latency = (targets: Row["targets"]): RowKind => ({
  group: "latency",
  better: "less",
  targets,
});

const trial = (name: string, { takes, columns, rows }: Asked): Trial => ({
  name,
  takes,
  rows: rows.map(({ suffix = "", ...kind }, index) => ({
    ...kind,
    name: name + suffix,
    to: "plain veth",
    ratios: Object.fromEntries(
      columns.map((column) => [column, { of: [column, index], to: ["veth", index] }]),
    ),
  })),
});
