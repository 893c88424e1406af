import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { inScratch, needsNamespaces } from "../../test/scratch-netns.ts";
import { GROUPS_PER_SLAVE_MAX, type Groups } from "../driver/group-table.ts";
import { addVeth, getLink, setLink } from "../linux/netlink/link.ts";
import { withNetns } from "../linux/netns.ts";
import { formatMac } from "../wire/address.ts";
import { MembershipWatch, parseGroups, readGroups } from "./memberships.ts";

const ROUND_MS = 1000;
const PER_ROUND = 16;
/** Longer than the watch waits between two readings. */
const turn = () => sleep(25);

/** From a machine with Docker; four digits of an index leave no column. */
const REAL = `\
2    eth0            1     0     333300000001
2    eth0            1     0     01005e000001
12   docker0         1     0     01005e000001
12   docker0         2     0     01005e0000fb
12345 ipvl0           1     0     3333ff000010
12345 ipvl0           3     1     01005e7f0101
`;

describe("the groups of a device", () => {
  const parse = (text: string, ifindex: number) => inText(parseGroups(text, ifindex));

  test("are those in its lines, not of others whose index begins alike", () => {
    assert.deepEqual(parse(REAL, 12), ["01:00:5e:00:00:01", "01:00:5e:00:00:fb"]);
    assert.deepEqual(parse(REAL, 12345), ["33:33:ff:00:00:10", "01:00:5e:7f:01:01"]);
    assert.deepEqual(parse(REAL, 1), []);
    assert.deepEqual(parse("", 0), []);
  });

  test("are never other than MACs, whatever the text is", () => {
    const words = fc.oneof(fc.string(), fc.constantFrom("2", "\n", " ", "01005e000001", "zz"));
    fc.assert(
      fc.property(fc.array(words), (text) => {
        for (const group of list(parseGroups(text.join(" "), 2))) assert.equal(group.length, 6);
      }),
    );
  });

  test("are all of them, where they are more than a filter holds", () => {
    const line = (n: number) => `2 eth0 1 0 01005e${n.toString(16).padStart(6, "0")}\n`;
    const lines = Array.from({ length: GROUPS_PER_SLAVE_MAX + 1 }, (_, n) => line(n));
    assert.equal(parseGroups(lines.join(""), 2), "all");
    assert.equal(parse(lines.slice(1).join(""), 2).length, GROUPS_PER_SLAVE_MAX);
  });

  test(
    "are read in the namespace this thread is in",
    { skip: needsNamespaces },
    inScratch((scratch) => {
      const netns = scratch.namespace();
      const socket = scratch.socket(netns);
      const { index } = addVeth(socket, { name: "ipvl0", up: true, peer: { name: "far" } });
      setLink(socket, getLink(socket, "far")!.index, { up: true });
      const read = () => inText(readGroups(index));
      assert.ok(withNetns(netns, read).includes("01:00:5e:00:00:01"));
      assert.ok(!withNetns(scratch.namespace(), read).includes("01:00:5e:00:00:01"));
    }),
  );
});

describe("the watch", () => {
  test("reads soon, and once for many changes", async () => {
    const { read, watch } = watchOf([]);
    for (const id of [1, 2, 1, 1, 2]) watch.changed(id);
    assert.deepEqual(read, [], "not at once");
    await turn();
    assert.deepEqual(read, [1, 2]);
    watch.changed(1);
    await turn();
    assert.deepEqual(read, [1, 2, 1]);
    watch.close();
  });

  test("reads what changes while it reads, afterwards", async () => {
    const read: number[] = [];
    const watch = new MembershipWatch(
      () => [],
      (id) => {
        if (read.push(id) === 1) watch.changed(id);
      },
    );
    watch.changed(7);
    await turn();
    await turn();
    assert.deepEqual(read, [7, 7]);
    watch.close();
  });

  test("reads nothing more once it is closed", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const { read, watch } = watchOf([1, 2]);
    watch.changed(1);
    watch.close();
    t.mock.timers.tick(ROUND_MS);
    await turn();
    assert.deepEqual(read, []);
  });

  test("reads all slaves in turn, a few per round, also those that nothing is told of", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const ids = Array.from({ length: PER_ROUND + 4 }, (_, i) => i + 1);
    const { read, watch } = watchOf(ids);
    const rounds: number[][] = [];
    for (let n = 0; n < 3; n++) {
      t.mock.timers.tick(ROUND_MS);
      await turn();
      rounds.push(read.splice(0));
    }
    const [first, rest] = [ids.slice(0, PER_ROUND), ids.slice(PER_ROUND)];
    assert.deepEqual(rounds, [first, rest, first]);
    watch.close();
  });
});

function list(groups: Groups): readonly Uint8Array[] {
  assert.ok(groups !== "all");
  return groups;
}
const inText = (groups: Groups): string[] => list(groups).map(formatMac);

function watchOf(ids: readonly number[]): { read: number[]; watch: MembershipWatch } {
  const read: number[] = [];
  const watch = new MembershipWatch(
    () => ids,
    (id) => read.push(id),
  );
  return { read, watch };
}
