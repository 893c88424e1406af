/** Frames taken apart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { frame } from "../../test/topology.ts";
import { dissect } from "./dissect.ts";

const bytesOf = (words: string): Uint8Array => frame(words).view();
const layersOf = (words: string): string[] => dissect(bytesOf(words)).map(({ name }) => name);
const textOf = (words: string, name: string): string | undefined =>
  dissect(bytesOf(words))
    .flatMap(({ fields }) => fields)
    .find((field) => field.name === name)?.value;

/** Each byte is one field's. */
function assertWhole(bytes: Uint8Array): void {
  let at = 0;
  for (const field of dissect(bytes).flatMap(({ fields }) => fields)) {
    assert.equal(field.at, at, field.name);
    at += field.length;
  }
  assert.equal(at, bytes.length);
}

for (const [words, layers] of [
  ["own>all arp 10.0.0.10>10.0.0.1", ["Ethernet", "ARP"]],
  ["own>w0 dad fd00::10", ["Ethernet", "IPv6", "Neighbour discovery"]],
  ["own>w0 type 0x8808", ["Ethernet"]],
] as const)
  test(`${words}: ${layers.join(", ")}`, () => {
    assert.deepEqual(layersOf(words).slice(0, layers.length), layers);
    assertWhole(bytesOf(words));
  });

test("a tag stands between", () => {
  const words = "own>w0 vlan 10.0.0.10>10.0.0.11";
  assert.deepEqual(layersOf(words).slice(0, 3), ["Ethernet", "VLAN tag", "IPv4"]);
  assertWhole(bytesOf(words));
});

test("addresses are written as people write them", () => {
  assert.equal(textOf("own>all arp 10.0.0.10>10.0.0.1", "target address"), "10.0.0.1");
  assert.equal(textOf("own>w0 dad fd00::10", "target address"), "fd00::10");
});

test("any bytes: each is one field's", () => {
  const likely = fc
    .tuple(
      fc.constantFrom("own>w0", "own>all"),
      fc.constantFrom("", "vlan", "qinq vlan"),
      fc.constantFrom(
        "10.0.0.10>10.0.0.11",
        "fd00::10>fd00::11",
        "arp 10.0.0.10>10.0.0.11",
        "dad fd00::11",
      ),
      fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 }),
      fc.nat(100),
      fc.uint8Array({ maxLength: 60 }),
    )
    .map(([ends, tags, words, changes, length, more]) => {
      const bytes = Uint8Array.of(...bytesOf(`${ends} ${tags} ${words}`), ...more);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes.slice(0, length);
    });
  fc.assert(fc.property(fc.oneof(likely, fc.uint8Array({ maxLength: 120 })), assertWhole), {
    numRuns: 3000,
  });
});
