/** What the number of slaves on a port changes: for unicast, each beside itself with one; for floods, each copy. */
import { CROWDED, type Crowded, type Grounds } from "./grounds.ts";
import { floodOfCrowd, floodOfVeth } from "./programs.ts";
import type { Ratio, Row, Take, Target, Trial } from "./rounds.ts";
import { pingPong, type Traffic, udp } from "./traffic.ts";

/** 1, 10, 100 … and the most. */
export const crowdSizes = (most: number): number[] => [
  ...[1, 10, 100, 1000, 10_000].filter((size) => size < most),
  most,
];

const count = (size: number): string => size.toLocaleString("en");

export function slavesTrials(grounds: Grounds, seconds: number, most: number): Trial[] {
  const sizes = crowdSizes(most);
  return [
    unicast("UDP of 18 bytes", "more", udp, { atLeast: 0.95 }, { atLeast: 0.91 }),
    unicast("ping-pong, median", "less", pingPong, { atMost: 1.05 }, { atMost: 1.1 }),
    ...sizes.map(flood),
  ];

  function unicast(
    what: string,
    better: Row["better"],
    traffic: Traffic,
    ebpf: Target,
    userspace: Target,
  ): Trial {
    const takes: Record<string, Take> = {};
    for (const column of CROWDED)
      for (const size of sizes)
        takes[whoIs(column, size)] = async () =>
          traffic(await grounds.crowd(column, size), "ns0", "ns1", seconds);
    const [one, ...others] = sizes as [number, ...number[]];
    const ratio = (column: Crowded, size: number): Ratio => ({
      of: [whoIs(column, size), 0],
      to: [whoIs(column, one), 0],
    });
    return {
      name: `slaves: ${what}`,
      takes,
      rows: others.map((size) => ({
        name: `slaves: ${what}; others: ${count(size)}`,
        group: "slaves",
        to: "the same with one other",
        better,
        ratios: Object.fromEntries(CROWDED.map((column) => [column, ratio(column, size)])),
        targets: size === most ? { ebpf, userspace } : {},
      })),
    };
  }

  function flood(size: number): Trial {
    const takes: Record<string, Take> = {
      veth: async () => floodOfVeth(await grounds.veth(), seconds),
    };
    for (const column of CROWDED)
      takes[column] = async () => floodOfCrowd(await grounds.crowd(column, size), size, seconds);
    const ratio = (column: Crowded): Ratio => ({ of: [column, 0], to: ["veth", 0] });
    return {
      name: `flood: ${count(size)}`,
      takes,
      rows: [
        {
          name: `flood: time per copy; slaves besides: ${count(size)}`,
          group: "flood",
          to: "a frame on a plain veth",
          better: "less",
          ratios: Object.fromEntries(CROWDED.map((column) => [column, ratio(column)])),
          targets: {},
        },
      ],
    };
  }
}

const whoIs = (column: Crowded, size: number): string => `${column} beside ${count(size)}`;
