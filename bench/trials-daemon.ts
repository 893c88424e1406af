/** What daemon and command take besides the frames: slaves that come and go, addresses, changes, answers, memory. */
import * as cni from "./cni.ts";
import * as create from "./creation.ts";
import * as daemon from "./daemon.ts";
import { ENGINES, type Engine } from "./ground-ipvlan.ts";
import type { Grounds } from "./grounds.ts";
import { firstFrame } from "./programs.ts";
import type { Figure, Row, Take, Trial } from "./rounds.ts";
import { udp } from "./traffic.ts";

/** Megabytes that a daemon of a thousand slaves may keep. */
const MEMORY = 150;
/** Slaves that come and go by the command under both engines. */
const FEW = 100;
const ROUNDS_OF_MOST = 3;
/** Milliseconds that ADD of the CNI plugin may take besides two starts of Node. */
const CNI_MS = 100;
/** Addresses for one figure, in each second. */
const ADDRESSES_PER_S = 200;

export function daemonTrials(grounds: Grounds, seconds: number, most: number): Trial[] {
  const many = most.toLocaleString("en");
  return [
    creation(Math.min(most, FEW), ENGINES),
    ...(most > FEW ? [{ ...creation(most, ["ebpf"]), roundsMax: ROUNDS_OF_MOST }] : []),
    {
      name: "address: until it works",
      takes: byEngine(async (engine) =>
        firstFrame(await grounds.pair(engine), Math.ceil(ADDRESSES_PER_S * seconds)),
      ),
      rows: [
        row("address: until it works, median", "median of a netlink round trip", {
          ratios: ratios(
            (engine) => [engine, 0],
            (engine) => [engine, 2],
          ),
          targets: {},
        }),
        row("address: until it works, 99th percentile", "the same of a netlink round trip", {
          ratios: ratios(
            (engine) => [engine, 1],
            (engine) => [engine, 3],
          ),
          targets: { ebpf: { atMost: 50 } },
        }),
        row("address: until it works, 99th percentile", "median of a netlink round trip", {
          ratios: ratios(
            (engine) => [engine, 1],
            (engine) => [engine, 2],
          ),
          targets: {},
        }),
      ],
    },
    {
      name: "changes: UDP while 1,000 addresses a second come and go",
      takes: {
        ...byEngine(async (engine) => quietly(engine)),
        ...Object.fromEntries(
          ENGINES.map((engine): [string, Take] => [
            `${engine} under changes`,
            async () => daemon.underChanges(await grounds.crowd(engine, 1), () => quietly(engine)),
          ]),
        ),
      },
      rows: [
        {
          ...row("changes: UDP while 1,000 addresses a second come and go", "itself without", {
            ratios: ratios(
              (engine) => [`${engine} under changes`, 0],
              (engine) => [engine, 0],
            ),
            targets: { ebpf: { atLeast: 0.9 }, userspace: { atLeast: 0.9 } },
          }),
          better: "more",
        },
      ],
    },
    {
      name: "command: link show",
      takes: {
        ...byEngine(async (engine) => [await daemon.showOurs(await grounds.pair(engine))]),
        ...Object.fromEntries(
          ENGINES.map((engine): [string, Take] => [
            `ip beside ${engine}`,
            async () => [await daemon.showTheSystems(await grounds.pair(engine))],
          ]),
        ),
      },
      rows: [
        row("command: link show", "ip's and a Node that does nothing", {
          ratios: ratios(
            (engine) => [engine, 0],
            (engine) => [`ip beside ${engine}`, 0],
          ),
          targets: { ebpf: { atMost: 3 }, userspace: { atMost: 3 } },
        }),
      ],
    },
    {
      name: "cni: ADD",
      takes: {
        macvlan: async () => [await cni.addMacvlan(await grounds.pair("macvlan"))],
        node: async () => [2 * (await cni.startNode()) + CNI_MS],
        ...byEngine(async (engine) => {
          const ground = await grounds.pair(engine);
          return [await cni.addChained(ground), await cni.addStatic(ground)];
        }),
      },
      rows: [
        row("cni: ADD without IPAM", `two starts of Node and ${CNI_MS} ms`, {
          ratios: ratios((engine) => [engine, 0], ["node", 0]),
          targets: { ebpf: { atMost: 1 }, userspace: { atMost: 1 } },
        }),
        row("cni: ADD with IPAM static", "the reference's macvlan", {
          ratios: ratios((engine) => [engine, 1], ["macvlan", 0]),
          targets: {},
        }),
      ],
    },
    {
      name: `memory: ${many} slaves`,
      takes: {
        limit: async () => [MEMORY],
        ...byEngine(async (engine) => [daemon.memory(await grounds.crowd(engine, most))]),
      },
      rows: [
        row(`memory: ${many} slaves`, `${MEMORY} MB`, {
          ratios: ratios((engine) => [engine, 0], ["limit", 0]),
          targets: { ebpf: { atMost: 1 }, userspace: { atMost: 1 } },
        }),
      ],
    },
  ];

  /** `engines`: those for whom so many do not take minutes. */
  function creation(count: number, engines: readonly Engine[]): Trial {
    const slaves = `${count.toLocaleString("en")} slaves`;
    const takes: Record<string, Take> = {
      macvlan: async () => create.macvlans(await grounds.pair("macvlan"), count),
      veth: async () => create.veths(await grounds.pair("macvlan"), count),
    };
    for (const engine of engines)
      takes[engine] = async () => create.ours(await grounds.pair(engine), count);
    const compared = (verb: string, figure: number, to: string, targets: Row["targets"]): Row =>
      row(`${verb}: ${slaves}`, `as many ${to}s by ip -batch`, {
        ratios: ratios((engine) => [engine, figure], [to, figure]),
        targets,
      });
    return {
      name: `create: ${slaves}`,
      takes,
      rows: [
        compared("create", 0, "macvlan", { ebpf: { atMost: 2 } }),
        compared("create", 0, "veth", {}),
        compared("delete", 1, "macvlan", {}),
        compared("delete", 1, "veth", {}),
      ],
    };
  }

  async function quietly(engine: Engine): Promise<readonly number[]> {
    return udp(await grounds.crowd(engine, 1), "ns0", "ns1", seconds);
  }
}

const byEngine = (take: (engine: Engine) => Promise<readonly number[]>): Record<string, Take> =>
  Object.fromEntries(ENGINES.map((engine) => [engine, () => take(engine)]));

const ratios = (
  of: (engine: Engine) => Figure,
  to: Figure | ((engine: Engine) => Figure),
): Row["ratios"] =>
  Object.fromEntries(
    ENGINES.map((engine) => [
      engine,
      { of: of(engine), to: typeof to === "function" ? to(engine) : to },
    ]),
  );

const row = (name: string, to: string, rest: Pick<Row, "ratios" | "targets">): Row => ({
  name,
  group: "management",
  to,
  better: "less",
  ...rest,
});
