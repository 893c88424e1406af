import assert from "node:assert/strict";
import { test } from "node:test";
import { NotHereError } from "./ground.ts";
import { compare, isReached, type RowResult, type Take, type Trial } from "./rounds.ts";

const silent = (): void => {};

/** A trial whose takers give figures as told, round by round; `taken` notes who was asked when. */
function scripted(
  figures: Readonly<Record<string, readonly number[]>>,
  taken: string[] = [],
): Trial {
  const take =
    (who: string): Take =>
    async () => {
      taken.push(who);
      const figure = figures[who]![taken.filter((one) => one === who).length - 1]!;
      if (Number.isNaN(figure))
        throw new Error("Command failed: node\nError: it broke\n    at some line");
      return [figure];
    };
  return {
    name: "trial",
    takes: Object.fromEntries(Object.keys(figures).map((who) => [who, take(who)])),
    rows: [
      {
        name: "row",
        group: "throughput",
        to: "veth",
        better: "more",
        ratios: { ebpf: { of: ["ebpf", 0], to: ["veth", 0] } },
        targets: {},
      },
    ],
  };
}

test("figures are compared with those of their own round, however rounds differ", async () => {
  const trial = scripted({ veth: [10, 1000, 40], ebpf: [8, 1000, 30] });
  const { rows } = await compare([trial], 3, silent);
  assert.deepEqual(rows[0]!.ratios.ebpf, { min: 0.75, median: 0.8, max: 1, rounds: 3 });
});

test("who comes first changes from round to round", async () => {
  const taken: string[] = [];
  await compare([scripted({ veth: [1, 1], ebpf: [1, 1] }, taken)], 2, silent);
  assert.deepEqual(taken, ["veth", "ebpf", "ebpf", "veth"]);
});

test("what there is after each round is kept, should there be no next one", async () => {
  const kept: unknown[] = [];
  await compare([scripted({ veth: [1, 1], ebpf: [2, 4] })], 2, silent, ({ rows }, rounds) =>
    kept.push([rounds, rows[0]!.ratios.ebpf!.max]),
  );
  assert.deepEqual(kept, [
    [1, 2],
    [2, 4],
  ]);
});

test("what takes long is done in the first rounds only", async () => {
  const taken: string[] = [];
  const trial = { ...scripted({ veth: [1, 1], ebpf: [1, 1] }, taken), roundsMax: 1 };
  await compare([trial], 2, silent);
  assert.deepEqual(taken, ["veth", "ebpf"]);
});

test("what fails is told by name, and the other rounds count", async () => {
  const trial = scripted({ veth: [1, Number.NaN, 1], ebpf: [2, 7, 4] });
  const { rows, missing } = await compare([trial], 3, silent);
  assert.deepEqual(rows[0]!.ratios.ebpf, { min: 2, median: 3, max: 4, rounds: 2 });
  assert.deepEqual(missing, [
    { trial: "trial", who: "veth", round: 2, reason: "Error: it broke", notHere: false },
  ]);
});

test("who is not here is told apart from who fails", async () => {
  const trial = scripted({ veth: [1], ebpf: [1] });
  const absent = async () => {
    throw new NotHereError("not installed");
  };
  const { rows, missing } = await compare(
    [{ ...trial, takes: { ...trial.takes, ebpf: absent } }],
    1,
    silent,
  );
  assert.deepEqual(rows[0]!.ratios, {});
  assert.ok(missing[0]!.notHere);
});

test("a target is met by the median: at least, at most, or beside the better of veth and macvlan", () => {
  const spread = (median: number) => ({ min: 0, median, max: 9, rounds: 1 });
  const row = (target: RowResult["targets"]["ebpf"] & object, ebpf: number, macvlan?: number) =>
    isReached(
      {
        name: "row",
        group: "latency",
        to: "veth",
        better: "less",
        targets: { ebpf: target },
        ratios: {
          ebpf: spread(ebpf),
          ...(macvlan !== undefined && { macvlan: spread(macvlan) }),
        },
      },
      "ebpf",
    );
  assert.equal(row({ atLeast: 0.9 }, 0.9), true);
  assert.equal(row({ atLeast: 0.9 }, 0.89), false);
  assert.equal(row({ atMost: 1.05 }, 1.05), true);
  assert.equal(row({ atMost: 1.05 }, 1.06), false);
  assert.equal(row({ ofTheBetter: 0.95 }, 0.96, 0.5), true);
  assert.equal(row({ ofTheBetter: 0.95 }, 0.96, 1.2), false);
});
