import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { fold } from "../wire/checksum.ts";
import * as eth from "../wire/ethernet.ts";
import { Frame, put16, u16 } from "../wire/frame.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import { pseudoSum4, pseudoSum6 } from "../wire/pseudo-header.ts";
import * as udp from "../wire/udp.ts";
import { addressOf, memory } from "./sys.ts";
import * as vnet from "./vnet.ts";

const NEEDS_CSUM = 1;
const GSO_UDP_L4 = 5;
const UDP_CHECKSUM = 6;

/** Behind room for a tag, its vnet header in front of it. */
function frame(bytes: Uint8Array, header: Uint8Array = new Uint8Array(vnet.VNET_HEADER)): Frame {
  const before = vnet.TAG_ROOM + vnet.VNET_HEADER;
  const f = new Frame().set(new Uint8Array(before + bytes.length), before, bytes.length);
  f.bytes.set(header, vnet.TAG_ROOM);
  f.bytes.set(bytes, before);
  return f;
}

const headerOf = (f: Frame): Buffer =>
  Buffer.from(f.bytes.slice(f.start - vnet.VNET_HEADER, f.start));

const anyFrame = fc.uint8Array({ minLength: eth.HEADER, maxLength: 100 });
/** Offsets that stay below 2^16 when they move. */
const anyHeader = fc.tuple(
  fc.constantFrom(0, NEEDS_CSUM, 2, 3),
  fc.constantFrom(0, 1, 4, GSO_UDP_L4),
  fc.array(fc.nat(65_000), { minLength: 4, maxLength: 4 }),
);

function header([flags, gsoType, words]: [number, number, number[]]): Buffer {
  const bytes = Buffer.alloc(vnet.VNET_HEADER);
  bytes.set([flags, gsoType]);
  for (const [i, word] of words.entries()) bytes.writeUInt16LE(word, 2 + 2 * i);
  return bytes;
}

test("a tag goes back behind the MACs, and the rest of the frame stays as it is", () => {
  fc.assert(
    fc.property(anyFrame, fc.nat(0xffff), fc.nat(0xffff), (bytes, tpid, tci) => {
      const f = frame(bytes);
      vnet.restoreTag(f, tpid, tci);
      const tag = [tpid >> 8, tpid & 0xff, tci >> 8, tci & 0xff];
      assert.deepEqual([...f.view()], [...bytes.slice(0, 12), ...tag, ...bytes.slice(12)]);
    }),
  );
});

test("with the tag the vnet header moves: where the checksum starts, and what is header of a super-frame", () => {
  fc.assert(
    fc.property(anyFrame, anyHeader, (bytes, fields) => {
      const before = header(fields);
      const f = frame(bytes, before);
      vnet.restoreTag(f, eth.ETH_P_8021Q, 10);
      const [flags, gsoType, [hdrLen, gsoSize, csumStart, csumOffset]] = fields;
      const words = [
        hdrLen! + (gsoType === 0 ? 0 : eth.TAG),
        gsoSize!,
        csumStart! + (flags & NEEDS_CSUM ? eth.TAG : 0),
        csumOffset!,
      ];
      assert.deepEqual(headerOf(f), header([flags, gsoType, words]));
    }),
  );
});

test("only a frame with something to cut is a super-frame", () => {
  assert.equal(vnet.isSuperFrame(frame(new Uint8Array(60), header([1, 0, [0, 0, 34, 6]]))), false);
  assert.equal(
    vnet.isSuperFrame(frame(new Uint8Array(60), header([1, GSO_UDP_L4, [42, 9, 34, 6]]))),
    true,
  );
});

test("the vnet header's address leads to the header and the frame behind it", () => {
  const bytes = Uint8Array.from({ length: 60 }, (_, i) => i);
  const fields = header([1, 0, [1, 2, 3, 4]]);
  const f = frame(bytes, fields);
  const there = new Uint8Array(memory(vnet.headerAddress(f), vnet.VNET_HEADER + f.length));
  assert.deepEqual([...there], [...fields, ...bytes]);
  assert.equal(vnet.headerAddress(f), addressOf(f.bytes) + vnet.TAG_ROOM);
});

/** A UDP datagram as a stack hands it down: the pseudo header counted, the rest left to the device. */
function unfinished(family: 4 | 6, payload: Uint8Array): Frame {
  const length = udp.HEADER + payload.length;
  const headers = family === 4 ? ipv4.MIN_HEADER : ipv6.HEADER;
  const transportAt = eth.HEADER + headers;
  const words = [0, 0, transportAt, UDP_CHECKSUM];
  const f = frame(new Uint8Array(transportAt + length), header([NEEDS_CSUM, 0, words]));
  const at = eth.HEADER;
  if (family === 4)
    ipv4.write(f, at, { totalLength: headers + length, ttl: 64, protocol: 17, src: 1, dst: 2 });
  else {
    const [src, dst] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
    ipv6.write(f, at, { payloadLength: length, nextHeader: 17, hopLimit: 64, src, dst });
  }
  udp.write(f, transportAt, { srcPort: 5555, dstPort: 7777, length });
  f.view().set(payload, udp.payloadAt(transportAt));
  const sum = fold(family === 4 ? pseudoSum4(f, at) : pseudoSum6(f, at));
  put16(f, transportAt + UDP_CHECKSUM, sum);
  return f;
}

for (const family of [4, 6] as const)
  test(`IPv${family}: a checksum that was finished is the one counted over all`, () => {
    const payloads = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(payloads, (payload) => {
        const f = unfinished(family, payload);
        vnet.finishChecksum(f);
        const finished = Buffer.from(f.view());
        if (family === 4) udp.fillChecksum4(f, eth.HEADER);
        else udp.fillChecksum6(f, eth.HEADER);
        assert.deepEqual(finished, Buffer.from(f.view()));
        assert.equal(headerOf(f)[0], 0, "nothing is left to do");
      }),
    );
  });

test("a checksum that comes out as 0 is sent as ffff, since 0 would say that there is none", () => {
  const at = eth.HEADER + ipv4.MIN_HEADER + UDP_CHECKSUM;
  const zero = unfinished(4, Uint8Array.of(0, 0));
  vnet.finishChecksum(zero);
  const counted = u16(zero, at);
  const f = unfinished(4, Uint8Array.of(counted >> 8, counted & 0xff));
  vnet.finishChecksum(f);
  assert.equal(u16(f, at), 0xffff);
});

test("a finished frame is left alone", () => {
  fc.assert(
    fc.property(anyFrame, (bytes) => {
      const f = frame(bytes, header([2, 0, [0, 0, 34, 6]]));
      vnet.finishChecksum(f);
      assert.deepEqual([...f.view()], [...bytes]);
    }),
  );
});
