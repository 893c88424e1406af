/** What holds for every header alike: damaged frames neither throw nor let anything be read behind their end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as arp from "./arp.ts";
import { dump } from "./dump.ts";
import * as eth from "./ethernet.ts";
import { Frame } from "./frame.ts";
import * as icmp from "./icmp.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import * as ndisc from "./ndisc.ts";
import * as pseudoHeader from "./pseudo-header.ts";
import * as tcp from "./tcp.ts";
import * as udp from "./udp.ts";

/** One of each kind, from test/kernel/verdicts.json. */
const RECORDED = [
  "02000000000202000000000108004500002912344000401114860a0000010a00000a15b31e6100150e1d6970766c616e2d6f7261636c65",
  "02000000000202000000000108004500002912344000400114960a0000010a00000a08004dff007700016970766c616e2d6f7261636c65",
  "ffffffffffff020000000001080600010800060400010200000000010a0000010000000000000a00000a",
  "02000000000202000000000186dd6000000000151140fd000000000000000000000000000001fd00000000000000000000000000001015b31e61001528156970766c616e2d6f7261636c65",
  "3333ff00000202000000000186dd6000000000203afffd000000000000000000000000000001ff0200000000000000000001ff00000287007d9700000000fd0000000000000000000000000000020101020000000001",
  "0200000000020200000000018100000a08004500002912344000401114860a0000010a00000a15b31e6100150e1d6970766c616e2d6f7261636c65",
];

/** A recorded frame, cut somewhere, with some bytes replaced: bad, but not so bad that every check sees it. */
const damaged = fc
  .record({
    hex: fc.constantFrom(...RECORDED),
    keep: fc.oneof(fc.constant(90), fc.nat(90)),
    hits: fc.array(fc.tuple(fc.nat(89), fc.nat(255)), { maxLength: 3 }),
  })
  .map(({ hex, keep, hits }) => {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex").subarray(0, keep));
    for (const [i, value] of hits) if (i < bytes.length) bytes[i] = value;
    return bytes;
  });
const anyBytes = fc.oneof(damaged, fc.uint8Array({ maxLength: 90 }));
const anyAt = fc.oneof(fc.constantFrom(14, 18, 34, 54), fc.nat(100));

type Accessor = (f: Frame, at: number) => unknown;

/** The exported functions over `(frame, at)`, or over the frame alone, that only read. */
const accessors = (header: object): [string, Accessor][] =>
  Object.entries(header).filter(
    ([name, value]) =>
      /^(function \w+)?\(f(, \w+)?\)/.test(String(value)) && !/^(fill|pop|set)/.test(name),
  );

const headers = { arp, eth, icmp, ipv4, ipv6, ndisc, pseudoHeader, tcp, udp };

test("no accessor throws or changes a byte, whatever the bytes and wherever it looks", () => {
  const all = Object.values(headers).flatMap(accessors);
  assert.ok(all.length > 50, `only ${all.length} accessors found`);
  fc.assert(
    fc.property(anyBytes, anyAt, (bytes, at) => {
      const before = Uint8Array.from(bytes);
      for (const [name, read] of all) {
        const value = read(Frame.of(bytes), at);
        assert.ok(["number", "boolean"].includes(typeof value), name);
      }
      assert.deepEqual(bytes, before);
    }),
  );
});

test("filling in a checksum of a damaged packet stays inside the frame", () => {
  const fills = [
    ...[ipv4.fillChecksum, icmp.fillChecksum4, icmp.fillChecksum6, udp.fillChecksum4],
    ...[udp.fillChecksum6, tcp.fillChecksum4, tcp.fillChecksum6],
  ];
  fc.assert(
    fc.property(anyBytes, anyAt, (bytes, at) => {
      for (const fill of fills) {
        const around = Uint8Array.of(...bytes, ...new Uint8Array(100).fill(0xee));
        fill(new Frame().set(around, 0, bytes.length), at);
        assert.ok(around.subarray(bytes.length).every((byte) => byte === 0xee));
      }
    }),
  );
});

/** What one header's accessors say, once of the frame as it is and once with more bytes behind it. */
const checked = { arp, icmp, ipv4, ipv6, tcp, udp };
for (const [name, header] of Object.entries(checked))
  test(`${name}: after check, nothing reads past the end`, () => {
    const reads = accessors(header).filter(([accessor]) => accessor !== "check");
    let passed = 0;
    fc.assert(
      fc.property(damaged, fc.constantFrom(14, 34, 54), (bytes, at) => {
        const f = Frame.of(bytes);
        if (!header.check(f, at)) return;
        passed++;
        const longer = Frame.of(Uint8Array.of(...bytes, ...new Uint8Array(50).fill(0xff)));
        for (const [accessor, read] of reads)
          assert.equal(read(f, at), read(longer, at), `${name}.${accessor}`);
      }),
      { numRuns: 2000 },
    );
    assert.ok(passed > 50, `only ${passed} frames came through check`);
  });

test("any bytes give one line of text", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      assert.match(dump(Frame.of(bytes)), /^[ -~]+$/);
    }),
  );
});
