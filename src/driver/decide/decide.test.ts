/** What holds for every decision, whatever the bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { frame, mac, topology } from "../../../test/topology.ts";
import { macHigh, macLow } from "../../wire/address.ts";
import * as eth from "../../wire/ethernet.ts";
import { Frame } from "../../wire/frame.ts";
import { compats, flags, modes } from "../settings.ts";
import { reasons, SLAVES_MAX } from "../statistics.ts";
import { type DecisionPort, HOWTO, L2, NOBODY, PRIVATE, VEPA } from "./machine.ts";
import { input, receive } from "./receive.ts";
import * as v from "./verdict.ts";
import { xmit } from "./xmit.ts";

const { addresses } = topology(`
  eth0   l2 bridge
  ipvl0  10.0.0.10 fd00::10
  ipvl1  10.0.0.11 fd00::11
`).port;

const port: fc.Arbitrary<DecisionPort> = fc.record({
  mode: fc.constantFrom(...Object.values(modes)),
  flag: fc.constantFrom(...Object.values(flags)),
  compat: fc.constantFrom(...Object.values(compats)),
  macHigh: fc.constant(macHigh(mac("own"))),
  macLow: fc.constant(macLow(mac("own"))),
  addresses: fc.constant(addresses),
});

/** Bytes behind the MACs that decisions look at, so that random ones are not all "of no known type". */
const likely = fc.constantFrom(
  ...[
    "10.0.0.10>10.0.0.11",
    "fd00::10>fd00::11",
    "arp 10.0.0.10>10.0.0.11",
    "dad fd00::11",
  ].flatMap((words) => ["", "vlan", "qinq vlan"].map((tags) => `${tags} ${words}`)),
);
const ends = fc.constantFrom("own>own", "own>w0", "w0>own", "own>all", "other>other", "w0>all");

const likelyFrame = fc.tuple(ends, likely).map(([e, words]) => frame(`${e} ${words}`));

/** A likely frame with some bytes changed, and cut anywhere. */
const nearlyFrame = fc
  .tuple(likelyFrame, fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }), fc.nat(86))
  .map(([f, changes, length]) => {
    for (const [at, value] of changes) f.bytes[f.start + at] = value;
    return f.set(f.bytes, f.start, Math.min(length, f.length));
  });

const anyFrame = fc.oneof(
  nearlyFrame,
  likelyFrame,
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Frame.of(bytes)),
);

/** Runs a property often enough to meet every branch. */
const always = <T extends unknown[]>(property: fc.IProperty<T>): void =>
  fc.assert(property, { numRuns: 5000 });

function checkVerdict(verdict: v.Verdict, kinds: readonly number[]): void {
  const [kind, value] = [v.kind(verdict), v.value(verdict)];
  assert.ok(kinds.includes(kind), `kind ${kind}`);
  if (kind === v.DROP) assert.ok(reasons[value], `reason ${value}`);
  else if (kind === v.DELIVER) assert.ok(value >= 1 && value <= SLAVES_MAX, `slave ${value}`);
  else if (kind === v.FLOOD_IN) assert.ok(value <= SLAVES_MAX, `all but ${value}`);
  else assert.equal(value, 0);
}

test("any bytes from a slave meet a verdict of a known kind", () => {
  const kinds = [v.DROP, v.DELIVER, v.WIRE, v.STACK, v.ROUTE, v.FLOOD_OUT];
  always(fc.property(port, anyFrame, (p, f) => checkVerdict(xmit(p, f), kinds)));
});

test("any bytes from the wire meet a verdict of a known kind, and are never dropped", () => {
  const kinds = [v.DELIVER, v.STACK, v.FLOOD_IN];
  always(fc.property(port, anyFrame, (p, f) => checkVerdict(receive(p, f), kinds)));
  always(fc.property(port, anyFrame, (p, f) => checkVerdict(input(p, f), [v.DELIVER, v.STACK])));
});

test("a decision leaves the frame as it is", () => {
  const property = fc.property(port, anyFrame, (p, f) => {
    const { start, length, bytes } = f;
    const before = bytes.slice();
    xmit(p, f);
    receive(p, f);
    input(p, f);
    assert.deepEqual([f.start, f.length, f.bytes === bytes], [start, length, true]);
    assert.deepEqual(bytes, before);
  });
  always(property);
});

test("bytes around the frame make no difference", () => {
  const property = fc.property(port, anyFrame, fc.nat(255), (p, f, filler) => {
    const bytes = new Uint8Array(f.length + 80).fill(filler);
    bytes.set(f.view(), 40);
    const inside = new Frame().set(bytes, 40, f.length);
    const alone = Frame.of(f.view().slice());
    assert.equal(xmit(p, inside), xmit(p, alone));
    assert.equal(receive(p, inside), receive(p, alone));
  });
  always(property);
});

test("under private no slave's frame is delivered to a slave", () => {
  const property = fc.property(port, anyFrame, (p, f) => {
    const kind = v.kind(xmit({ ...p, flag: PRIVATE, compat: HOWTO }, f));
    assert.ok(kind !== v.DELIVER && kind !== v.FLOOD_OUT);
  });
  always(property);
});

test("under vepa the port does not switch between slaves", () => {
  const property = fc.property(port, anyFrame, (p, f) => {
    const kind = v.kind(xmit({ ...p, flag: VEPA, compat: HOWTO }, f));
    assert.ok(kind !== v.DELIVER && kind !== v.FLOOD_OUT && kind !== v.STACK);
  });
  always(property);
});

test("l2: no MAC but the master's leaves", () => {
  const property = fc.property(port, anyFrame, (p, f) => {
    const l2 = { ...p, mode: L2, compat: HOWTO };
    const kind = v.kind(xmit(l2, f));
    if (kind === v.WIRE || kind === v.FLOOD_OUT) assert.ok(eth.isFrom(f, l2.macHigh, l2.macLow));
  });
  always(property);
});

test("l3: nothing leaves but by the routes, and no group frame is flooded", () => {
  const property = fc.property(port, anyFrame, (p, f) => {
    const l3 = { ...p, mode: modes.l3 };
    assert.ok([v.DROP, v.DELIVER, v.ROUTE].includes(v.kind(xmit(l3, f))));
    assert.notEqual(v.kind(receive(l3, f)), v.FLOOD_IN);
  });
  always(property);
});

test("with nobody's addresses in the table nothing is delivered", () => {
  const nobody = { find4: () => NOBODY, find6: () => NOBODY };
  const property = fc.property(port, anyFrame, (p, f) => {
    const empty = { ...p, addresses: nobody };
    for (const decide of [xmit, receive, input])
      assert.notEqual(v.kind(decide(empty, f)), v.DELIVER);
  });
  always(property);
});
