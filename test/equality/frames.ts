/** Frames to decide on: those of the recording, and as many more as are wanted that are random or made of those. */
import * as eth from "../../src/wire/ethernet.ts";
import type { Recording } from "../parity/recording.ts";
import type { Random } from "../random.ts";

/** What decisions look for in a frame. */
export interface Known {
  /** The master's first. */
  readonly macs: readonly Uint8Array[];
  readonly addresses4: readonly Uint8Array[];
  readonly addresses6: readonly Uint8Array[];
}

/** Each frame that was sent or seen, once. */
export function recordedFrames({ cases }: Recording): Uint8Array[] {
  const all = cases.flatMap((c) => [
    ...(c.frame ? [c.frame] : []),
    ...[...c.frames.values()].flat().map(({ bytes }) => bytes),
  ]);
  const byText = new Map(all.map((bytes) => [Buffer.from(bytes).toString("hex"), bytes]));
  return [...byText.values()];
}

const TYPES = [0x0800, 0x0806, 0x86dd, 0x8808, 0x8100, 0x88a8, 0x88cc];
/** Values at which a header's fields change their meaning: versions, lengths, protocols, types. */
const CORNERS = [
  0, 1, 4, 5, 6, 0x0f, 0x11, 0x3a, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0x87, 0x88, 0xe0,
  0xfe, 0xff,
];
/** Where IPv4, ARP and IPv6 have addresses, without a tag and behind one. */
const PLACES4 = [26, 30, 28, 38].flatMap((at) => [at, at + 4]);
const PLACES6 = [22, 38, 62].flatMap((at) => [at, at + 4]);
/** Solicited nodes' group. */
const SOLICITED = Uint8Array.of(0x33, 0x33, 0xff, 0, 0, 2);
const LENGTH_MAX = 200;
const HEADERS = 90;

/** Endless, the same for the same `random`. */
export class FrameMaker {
  readonly #random: Random;
  readonly #base: readonly Uint8Array[];
  readonly #known: Known;

  constructor(random: Random, recorded: readonly Uint8Array[], known: Known) {
    this.#random = random;
    this.#base = recorded.filter(({ length }) => length <= LENGTH_MAX);
    this.#known = known;
  }

  next(): Uint8Array {
    const r = this.#random;
    let frame = r.oneIn(10) ? this.#noise() : Buffer.from(r.pick(this.#base));
    for (let n = r.below(4); n > 0; n--) this.#change(frame);
    if (r.oneIn(4)) this.#put(frame, r.pick([0, 6]), r.pick(this.#known.macs));
    if (r.oneIn(6)) this.#put(frame, r.pick(PLACES4), r.pick(this.#known.addresses4));
    if (r.oneIn(6)) this.#put(frame, r.pick(PLACES6), r.pick(this.#known.addresses6));
    if (r.oneIn(8)) this.#probe(frame);
    if (r.oneIn(12)) frame = this.#tagged(frame);
    if (r.oneIn(4)) return frame.subarray(0, r.below(frame.length + 1));
    return frame;
  }

  #noise(): Buffer {
    const r = this.#random;
    const frame = Buffer.alloc(eth.HEADER + r.below(120));
    for (let i = 0; i < frame.length; i++) frame[i] = r.below(256);
    if (!r.oneIn(4)) frame.writeUInt16BE(r.pick(TYPES), 12);
    return frame;
  }

  #change(frame: Buffer): void {
    const r = this.#random;
    const at = r.below(Math.min(frame.length, HEADERS));
    if (at < frame.length)
      frame[at] = r.oneIn(2) ? r.pick(CORNERS) : frame[at]! ^ (1 << r.below(8));
  }

  #put(frame: Buffer, at: number, bytes: Uint8Array): void {
    if (at + bytes.length <= frame.length) frame.set(bytes, at);
  }

  /** A probe for an IPv6 address: from none, a solicitation; often one that a slave sends. */
  #probe(frame: Buffer): void {
    if (frame.length < 78) return;
    if (this.#random.oneIn(2)) {
      this.#put(frame, 0, SOLICITED);
      this.#put(frame, 6, this.#known.macs[0]!);
    }
    frame.writeUInt16BE(0x86dd, 12);
    frame[14] = 0x60;
    frame[20] = 58;
    frame.fill(0, 22, 38);
    frame[54] = 135;
    this.#put(frame, 62, this.#random.pick(this.#known.addresses6));
  }

  #tagged(frame: Buffer): Buffer {
    const r = this.#random;
    const tag = Buffer.from([
      ...r.pick([
        [0x81, 0x00],
        [0x88, 0xa8],
      ]),
      r.below(256),
      r.below(256),
    ]);
    return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
  }
}
