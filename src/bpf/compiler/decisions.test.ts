/** The driver's decisions say the same in JavaScript and compiled, whatever the frame. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileEntry } from "../../../test/driver-program.ts";
import { frame, ip, mac, topology } from "../../../test/topology.ts";
import type { DecisionPort } from "../../driver/decide/machine.ts";
import * as decide from "../../driver/decide/receive.ts";
import { xmit } from "../../driver/decide/xmit.ts";
import { compats, flags, modes } from "../../driver/settings.ts";
import {
  ADDRESSES4,
  ADDRESSES6,
  SETTINGS,
  SETTINGS_BYTES,
  SETTINGS_MAC_HIGH,
  SETTINGS_MAC_LOW,
} from "../../engine/ebpf/machine.ts";
import { ip4ToNumber, macHigh, macLow } from "../../wire/address.ts";
import { Frame } from "../../wire/frame.ts";
import { ArrayMap, HashMap, word } from "../vm/maps.ts";
import { Vm } from "../vm/vm.ts";

const held = { 1: ["10.0.0.10", "fd00::10"], 2: ["10.0.0.11", "fd00::11"] };
const { addresses } = topology(`
  eth0   l2 bridge
  ipvl0  10.0.0.10 fd00::10
  ipvl1  10.0.0.11 fd00::11
`).port;

const addresses4 = new HashMap(4);
const addresses6 = new HashMap(16);
for (const [slave, words] of Object.entries(held))
  for (const bytes of words.map(ip)) {
    if (bytes.length === 4) addresses4.set(word(ip4ToNumber(bytes)), word(Number(slave)));
    else addresses6.set(bytes, word(Number(slave)));
  }

const port: fc.Arbitrary<DecisionPort> = fc.record({
  mode: fc.constantFrom(...Object.values(modes)),
  flag: fc.constantFrom(...Object.values(flags)),
  compat: fc.constantFrom(...Object.values(compats)),
  macHigh: fc.constant(macHigh(mac("own"))),
  macLow: fc.constant(macLow(mac("own"))),
  addresses: fc.constant(addresses),
});

function settingsOf(p: DecisionPort): ArrayMap {
  const bytes = new Uint8Array(SETTINGS_BYTES);
  bytes.set([p.mode, p.flag, p.compat]);
  bytes.set(word(p.macHigh), SETTINGS_MAC_HIGH);
  bytes.set(word(p.macLow), SETTINGS_MAC_LOW);
  return new ArrayMap([bytes]);
}

const packets = [
  ...["10.0.0.10>10.0.0.11", "10.0.0.10>10.0.0.1", "127.0.0.1>10.0.0.1", "10.0.0.10>239.1.1.1"],
  ...["fd00::10>fd00::11", "arp 10.0.0.10>10.0.0.11", "dad fd00::11", "dad fe80::ff:fe00:2"],
  ...["type 0x8808", "type 0x88cc"],
];
const ends = ["own>own", "own>w0", "w0>own", "own>all", "w0>all", "other>other"];
const likely = fc
  .tuple(
    fc.constantFrom(...ends),
    fc.constantFrom("", "vlan ", "qinq vlan "),
    fc.constantFrom(...packets),
  )
  .map(([e, tags, packet]) => frame(`${e} ${tags}${packet}`));
const nearly = fc
  .tuple(likely, fc.array(fc.tuple(fc.nat(85), fc.nat(255)), { maxLength: 4 }), fc.nat(86))
  .map(([f, changes, length]) => {
    for (const [at, value] of changes) f.bytes[f.start + at] = value;
    return f.set(f.bytes, f.start, Math.min(length, f.length));
  });
const anyBytes = fc.uint8Array({ maxLength: 100 }).map((bytes) => Frame.of(bytes));
const anyFrame = fc.oneof(likely, nearly, anyBytes);

for (const [entry, inJavaScript] of Object.entries({ xmit, ...decide })) {
  const program = compileEntry(entry as "xmit" | "receive" | "input");

  test(`${entry} decides the same in JavaScript and compiled`, () => {
    const same = fc.property(port, anyFrame, fc.nat(100), (p, f, linear) => {
      const maps = {
        [ADDRESSES4]: addresses4,
        [ADDRESSES6]: addresses6,
        [SETTINGS]: settingsOf(p),
      };
      const vm = new Vm(program, { maps });
      const compiled = vm.run(f.view(), { linear: Math.min(linear, f.length) });
      assert.equal(compiled, inJavaScript(p, f) >>> 0);
    });
    fc.assert(same, { numRuns: 3000 });
  });
}
