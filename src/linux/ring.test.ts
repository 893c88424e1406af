import assert from "node:assert/strict";
import { test } from "node:test";
import { cables, frame, noise, superFrame } from "../../test/cables.ts";
import { allocatedPerRound } from "../../test/heap.ts";
import { inScratchAsync, needsNamespaces } from "../../test/scratch-netns.ts";
import * as eth from "../wire/ethernet.ts";
import { Frame, put16 } from "../wire/frame.ts";
import { getLink, setLink } from "./netlink/link.ts";
import { type PacketRing, SLOT_LARGE, SLOT_SMALL, SLOTS } from "./ring.ts";
import { EPOLLIN, poll } from "./sys.ts";
import { VNET_HEADER } from "./vnet.ts";

const skip = needsNamespaces;
const WAIT_MS = 2000;
/** Far more than a frame takes. */
const SILENCE_MS = 30;

/** Of one round. */
const FRAMES = 100;
/** An address is a number above 2^31, which V8 puts on the heap to hand it to libc: 16 bytes, and some for measuring. */
const ADDRESS_BOX = 32;

const hex = (f: Frame): string => Buffer.from(f.view()).toString("hex");
const all = (frames: readonly Frame[]): string[] => frames.map(hex);

/** Looks at so many frames. */
function look(ring: PacketRing, count: number, see: (f: Frame) => void): void {
  const f = new Frame();
  for (let n = 0; n < count; n++) {
    while (!ring.next(f)) assert.ok(poll(ring.fd, EPOLLIN, WAIT_MS), `only ${n} frames came`);
    see(f);
    ring.release();
  }
}

function receive(ring: PacketRing, count: number): string[] {
  const frames: string[] = [];
  look(ring, count, (f) => frames.push(hex(f)));
  return frames;
}

const isSilent = (ring: PacketRing): boolean => !poll(ring.fd, EPOLLIN, SILENCE_MS);

test(
  "frames arrive whole and in order, over the ring's end and again",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    for (let round = 0; round < 4; round++) {
      const frames = Array.from({ length: 100 }, (_, i) => noise(60 + i, round));
      send("a", ...frames);
      assert.deepEqual(receive(rings.b, 100), all(frames));
    }
    assert.ok(isSilent(rings.b));
  }),
);

for (const slot of [SLOT_SMALL, SLOT_LARGE])
  test(
    `a frame of any length arrives whole, whether a slot of ${slot} bytes holds it or not`,
    { skip },
    inScratchAsync(async (scratch) => {
      const { rings, send } = await cables(scratch, slot);
      const around = Array.from({ length: 100 }, (_, i) => slot - 100 + i);
      const frames = [14, 15, 60, 1514, ...around, 9014].map((length) => noise(length));
      send("a", ...frames);
      assert.deepEqual(receive(rings.b, frames.length), all(frames));
    }),
  );

for (const [what, type] of [
  ["802.1Q", eth.ETH_P_8021Q],
  ["802.1ad", eth.ETH_P_8021AD],
] as const)
  test(
    `a frame with a tag of ${what} arrives with its tag, and one with two with both`,
    { skip },
    inScratchAsync(async (scratch) => {
      const { rings, send } = await cables(scratch);
      const frames = [noise(60), noise(60), noise(4000)];
      for (const f of frames) eth.pushTag(f, type, 0x600a);
      put16(frames[1]!, 16, eth.ETH_P_8021Q);
      const sent = frames.map((f) => frame(f.view()));
      send("a", ...sent);
      assert.deepEqual(receive(rings.b, frames.length), all(sent));
    }),
  );

test(
  "a super-frame arrives in one piece, with what is still to be done to it",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    const sent = superFrame();
    send("a", sent);
    look(rings.b, 1, (f) => {
      assert.equal(hex(f), hex(sent));
      assert.deepEqual(undone(f), undone(sent));
    });
  }),
);

test(
  "a super-frame with a tag is told where its checksum starts now",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    const tagged = superFrame();
    eth.pushTag(tagged, eth.ETH_P_8021Q, 10);
    const sent = frame(tagged.view(), "01013a00a80526001000");
    send("a", sent);
    look(rings.b, 1, (f) => {
      assert.equal(hex(f), hex(sent));
      assert.deepEqual(undone(f), undone(sent));
    });
  }),
);

/** The vnet header, but for how much of the frame is headers: the kernel says how much lies in one piece. */
function undone(f: Frame): number[] {
  const [flags, type, , , ...rest] = f.bytes.slice(f.start - VNET_HEADER, f.start);
  return [flags!, type!, ...rest];
}

test(
  "whatever arrived goes on from where it lies and arrives byte for byte",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    const tagged = noise(60);
    eth.pushTag(tagged, eth.ETH_P_8021Q, 10);
    const frames = [noise(60), noise(1514), frame(tagged.view()), noise(5000), superFrame()];
    send("a", ...frames);
    look(rings.b, frames.length, (f) => send("c", f));
    assert.deepEqual(receive(rings.d, frames.length), all(frames));
  }),
);

test(
  "what we send out of a device is not received from it",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    const f = noise(60);
    send("b", f);
    assert.deepEqual(receive(rings.a, 1), [hex(f)]);
    assert.ok(isSilent(rings.b));
  }),
);

test(
  "frames that found no slot are counted once, when one has found one again",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    const frames = Array.from({ length: SLOTS + 72 }, (_, i) => noise(60, i));
    send("a", ...frames);
    assert.deepEqual(receive(rings.b, SLOTS), all(frames.slice(0, SLOTS)));
    send("a", frames[0]!);
    assert.deepEqual(receive(rings.b, 1), [hex(frames[0]!)]);
    assert.equal(rings.b.takeLost(), 72);
    assert.equal(rings.b.takeLost(), 0);
  }),
);

test(
  "a large frame for which the socket had no room is lost, and counted",
  { skip },
  inScratchAsync(async (scratch) => {
    const { rings, send } = await cables(scratch);
    const count = 900; // of 30 KiB each
    for (let n = 0; n < count; n++) send("a", superFrame());
    send("a", noise(60));
    let arrived = 0;
    for (const f = new Frame(); f.length !== 60; arrived++) {
      assert.ok(rings.b.next(f));
      rings.b.release();
    }
    const lost = count + 1 - arrived;
    assert.ok(lost > 0);
    assert.equal(rings.b.takeLost(), lost);
    assert.equal(rings.b.takeLost(), 0);
  }),
);

test(
  "a device that goes down and comes up again is received from as before",
  { skip },
  inScratchAsync(async (scratch) => {
    const { socket, index, rings, send } = await cables(scratch);
    const b = index("b");
    setLink(socket, b, { up: false });
    assert.ok(!isSilent(rings.b), "it wakes once");
    assert.equal(rings.b.next(new Frame()), false);
    rings.b.clearError();
    assert.ok(isSilent(rings.b), "and then sleeps");
    setLink(socket, b, { up: true });
    while (getLink(socket, index("a"))!.operstate !== "UP");
    const f = noise(60);
    send("a", f);
    assert.deepEqual(receive(rings.b, 1), [hex(f)]);
  }),
);

for (const length of [60, 9014])
  test(
    `looking at frames of ${length} bytes and sending them on allocates no object`,
    { skip },
    inScratchAsync(async (scratch) => {
      const { rings, send } = await cables(scratch);
      const frames = Array.from({ length: FRAMES }, () => noise(length));
      const f = new Frame();
      let n = 0;
      const allocated = allocatedPerRound(
        () => send("a", ...frames),
        () => {
          for (; rings.b.next(f); n++) {
            rings.b.send(f);
            rings.b.release();
          }
        },
      );
      assert.ok(n > FRAMES);
      assert.ok(allocated / FRAMES < ADDRESS_BOX, `${allocated / FRAMES} bytes per frame`);
    }),
  );
