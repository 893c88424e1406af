import assert from "node:assert/strict";
import test from "node:test";
import { findOptions } from "./options.ts";

const optionsOf = (line: string) => findOptions(line.split(" "))?.[0];
const restOf = (line: string) => findOptions(line.split(" "))?.[1];

test("options end where the object begins", () => {
  assert.deepEqual(restOf("-d -j link show"), ["link", "show"]);
  assert.deepEqual(restOf("-4 -s -s -f inet -rc 100 link"), ["link"]);
  assert.deepEqual(restOf("-d -- link"), ["link"]);
  assert.deepEqual(restOf("-echo -color=auto link"), ["link"]);
});

test("-n names the namespace, in all its spellings", () => {
  for (const name of ["-n", "-net", "-netns", "--netns"]) {
    assert.equal(optionsOf(`${name} ns0 link`)?.netns, "ns0");
  }
  assert.deepEqual(optionsOf("-n ns0 -d link")?.words, ["-n", "ns0", "-d"]);
});

test("what changes our output is noticed, however shortened", () => {
  assert.equal(optionsOf("-br link")?.brief, true);
  assert.equal(optionsOf("-j -p link")?.pretty, true);
  assert.equal(optionsOf("-json link")?.json, true);
  assert.equal(optionsOf("-s link")?.json, false);
});

test("-batch names a file and is left out of the words for the system's ip", () => {
  const { batch, force, words } = optionsOf("-n ns0 -b lines.txt -force -d") ?? {};
  assert.deepEqual(
    { batch, force, words },
    {
      batch: "lines.txt",
      force: true,
      words: ["-n", "ns0", "-force", "-d"],
    },
  );
});

test("-4, -6 and -family name the family, the last one counts", () => {
  for (const [line, family] of [
    ["-4 addr", "inet"],
    ["-f inet6 addr", "inet6"],
    ["-6 -0 addr", "link"],
    ["-d addr", undefined],
  ] as const)
    assert.equal(optionsOf(line)?.family, family, line);
});

test("a line with options that we do not know, or that end the matter, is the system's", () => {
  for (const line of ["-V", "-x link", "-n", "-help link", "-f"]) {
    assert.equal(optionsOf(line), undefined, line);
  }
});
