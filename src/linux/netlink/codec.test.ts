import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress } from "./address.ts";
import {
  type Attr,
  AttrWriter,
  attrs,
  decodeMessages,
  encodeMessage,
  NetlinkFormatError,
} from "./codec.ts";
import { NetlinkError, throwIfRefused } from "./error.ts";
import { parseLink } from "./link-info.ts";
import { parseNeighbour } from "./neighbour.ts";
import { parseRoute } from "./route.ts";
import { parseRule } from "./rule.ts";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

test("attributes are written as the kernel lays them out", () => {
  const bytes = new AttrWriter(Uint8Array.of(9, 9, 9, 9))
    .string(3, "eth0")
    .nest(18, (info) => info.u8(1, 0xab).be16(2, 0x1234).be32(3, 0x12345678))
    .u16(4, 0x1234)
    .u32(5, -1)
    .flag(6)
    .finish();
  assert.deepEqual(
    bytes,
    hex(`09090909
      0900 0300 65746830 00 000000
      1c00 1280
        0500 0100 ab 000000
        0600 0200 1234 0000
        0800 0300 12345678
      0600 0400 3412 0000
      0800 0500 ffffffff
      0400 0600`),
  );
});

test("what was written is read back, however deep it nests", () => {
  const bytes = new AttrWriter()
    .nest(1, (a) => a.nest(2, (b) => b.nest(3, (c) => c.string(4, "süd").u32(5, 7))))
    .finish();
  const inner = attrs(bytes).get(1)?.nested().get(2)?.nested().get(3)?.nested();
  assert.equal(inner?.get(4)?.string(), "süd");
  assert.equal(inner?.get(5)?.u32(), 7);
});

test("any bytes as attributes come back unchanged", () => {
  const list = fc.array(fc.tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 600 })));
  fc.assert(
    fc.property(list, (wanted) => {
      const w = new AttrWriter();
      for (const [type, value] of wanted) w.bytes(type, value);
      const read = [...attrs(w.finish())].map((a) => [a.type, a.bytes]);
      assert.deepEqual(read, wanted);
    }),
  );
});

test("of two attributes with one type the last counts", () => {
  assert.equal(attrs(new AttrWriter().u8(1, 5).u8(1, 6).finish()).get(1)?.u8(), 6);
});

test("an attribute that says it is longer than the message is an error", () => {
  assert.throws(() => attrs(hex("0900 0100 00000000")), NetlinkFormatError);
  assert.throws(() => attrs(hex("0300 0100")), NetlinkFormatError);
});

test("a value too short for what is asked of it is an error, a longer one is not", () => {
  const [a] = attrs(hex("0600 0100 1234 0000"));
  assert.throws(() => a?.u32(), NetlinkFormatError);
  assert.equal(a?.u16(), 0x3412);
  assert.equal(a?.u8(), 0x12);
});

test("an attribute beyond 64 KiB is refused when it is written", () => {
  assert.throws(() => new AttrWriter().bytes(1, new Uint8Array(0x10000)), RangeError);
});

test("a datagram is taken apart into the messages that were put in", () => {
  const fields = {
    type: fc.nat(0xffff),
    flags: fc.nat(0xffff),
    seq: fc.nat(0xffffffff),
    payload: fc.uint8Array({ maxLength: 50 }).map((b) => b.subarray(0, b.length & ~3)),
  };
  const message = fc.record(fields, { noNullPrototype: true });
  fc.assert(
    fc.property(fc.array(message), (messages) => {
      const datagram = new Uint8Array(Buffer.concat(messages.map(encodeMessage)));
      assert.deepEqual(decodeMessages(datagram), messages);
    }),
  );
});

test("a message starts where the one before it ends, rounded up to four bytes", () => {
  const odd = "11000000 1000 0000 01000000 00000000 aa 000000";
  const next = "10000000 0300 0000 02000000 00000000";
  const seen = decodeMessages(hex(odd + next)).map(({ seq, payload }) => [seq, payload.length]);
  assert.deepEqual(seen, [
    [1, 1],
    [2, 0],
  ]);
});

// Bytes that get past the first checks: fixed structure, then attributes as they come, then damage.
const attribute = fc.tuple(
  fc.oneof(fc.nat(64), fc.nat(0xffff)),
  fc.oneof(fc.uint8Array({ maxLength: 24 }), fc.uint8Array({ minLength: 72, maxLength: 80 })),
);
const likely = fc
  .record({
    fixed: fc.constantFrom(0, 4, 8, 12, 16, 20),
    list: fc.array(attribute),
    cut: fc.nat(8),
    hit: fc.tuple(fc.nat(400), fc.nat(255)),
  })
  .map(({ fixed, list, cut, hit: [at, value] }) => {
    const w = new AttrWriter(new Uint8Array(fixed));
    for (const [type, bytes] of list) w.bytes(type, bytes);
    const payload = w.finish();
    if (at < payload.length) payload[at] = value;
    return payload.subarray(0, Math.max(0, payload.length - cut));
  });
const anyBytes = fc.oneof(likely, fc.uint8Array({ maxLength: 200 }));

function readDeep(list: Iterable<Attr>, depth: number): void {
  for (const a of list) {
    a.string();
    if (depth > 0 && a.bytes.length % 4 === 0 && looksNested(a)) readDeep(a.nested(), depth - 1);
  }
}
const looksNested = (a: Attr): boolean =>
  a.bytes.length >= 4 && a.u16() >= 4 && a.u16() <= a.bytes.length;

const parsers: Record<string, (bytes: Uint8Array) => unknown> = {
  decodeMessages,
  "attrs, nested": (bytes) => readDeep(attrs(bytes), 8),
  parseLink,
  parseAddress,
  parseRoute,
  parseRule,
  parseNeighbour,
};

for (const [name, parse] of Object.entries(parsers)) {
  test(`${name}: any bytes are a value or a NetlinkFormatError`, () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        try {
          parse(bytes);
        } catch (error) {
          assert.ok(error instanceof NetlinkFormatError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test(`${name}: the largest datagram of the smallest parts takes no time to speak of`, () => {
    const bytes = new Uint8Array(1 << 16);
    const step = name === "decodeMessages" ? 16 : 4;
    for (let at = 0; at < bytes.length; at += step) bytes[at] = step;
    const start = performance.now();
    try {
      parse(bytes);
    } catch (error) {
      assert.ok(error instanceof NetlinkFormatError, String(error));
    }
    assert.ok(performance.now() - start < 1000);
  });
}

test("an acknowledgement of any bytes is silence, a refusal or a NetlinkFormatError", () => {
  fc.assert(
    fc.property(anyBytes, fc.constantFrom(2, 3), fc.nat(0xffff), (payload, type, flags) => {
      try {
        throwIfRefused({ type, flags, seq: 1, payload }, "try");
      } catch (error) {
        assert.ok(error instanceof NetlinkFormatError || error instanceof NetlinkError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("a refusal tells what was wanted, the reason, and the kernel's own words", () => {
  // -EEXIST; header of the request; NLMSGERR_ATTR_MSG
  const payload = hex(`efffffff 20000000 10000506 01000000 00000000
    0a00 0100 6f68206e6f00 0000`);
  const refused = { type: 2, flags: 0x300, seq: 1, payload };
  assert.throws(() => throwIfRefused(refused, "create veth h0"), {
    name: "NetlinkError",
    code: "EEXIST",
    errno: 17,
    doing: "create veth h0",
    extack: "oh no",
    message: "create veth h0: File exists: oh no",
  });
});
