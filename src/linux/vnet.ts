/**
 * The vnet header: ten bytes before a frame (struct virtio_net_hdr) that say what of it is still to be done:
 * segments to cut, a checksum to finish. A frame goes out with the header it came in with, so what one device
 * left to the next is done by whoever does it best.
 *
 *     0 flags · 1 gso_type · 2 hdr_len · 4 gso_size · 6 csum_start · 8 csum_offset     (little endian words)
 */
import { checksum } from "../wire/checksum.ts";
import { type Frame, put16 } from "../wire/frame.ts";
import { addressOf } from "./sys.ts";

export const VNET_HEADER = 10;
const NEEDS_CSUM = 1;
const GSO_NONE = 0;
const GSO_TYPE = 1;
const HDR_LEN = 2;
const CSUM_START = 6;
const CSUM_OFFSET = 8;

/** Bytes of room that `restoreTag` needs before the vnet header. */
export const TAG_ROOM = 4;
/** Of the MACs, behind which a tag goes. */
const MACS = 12;

/** Address of the vnet header before a frame, for sending it from where it lies. */
export function headerAddress(f: Frame): number {
  let base = bases.get(f.bytes);
  if (base === undefined) {
    base = addressOf(f.bytes);
    bases.set(f.bytes, base);
  }
  return base + f.start - VNET_HEADER;
}
const bases = new WeakMap<Uint8Array, number>();

/** Whether the frame stands for several, still to be cut. */
export const isSuperFrame = (f: Frame): boolean =>
  f.bytes[f.start - VNET_HEADER + GSO_TYPE] !== GSO_NONE;

/** Finishes the checksum that the sender's stack left to its device, for a way out that has no vnet header. */
export function finishChecksum(f: Frame): void {
  const at = f.start - VNET_HEADER;
  const b = f.bytes;
  if ((b[at]! & NEEDS_CSUM) === 0) return;
  const start = little16(b, at + CSUM_START);
  const sum = checksum(f, start, f.length - start);
  put16(f, start + little16(b, at + CSUM_OFFSET), sum === 0 ? 0xffff : sum); // 0 means none: RFC 768
  b[at]! &= ~NEEDS_CSUM;
}

/** Moves vnet header and MACs down by four and writes the tag behind them; offsets in the header follow. */
export function restoreTag(f: Frame, tpid: number, tci: number): void {
  const header = f.start - VNET_HEADER;
  f.bytes.copyWithin(header - TAG_ROOM, header, header + VNET_HEADER + MACS);
  f.start -= TAG_ROOM;
  f.length += TAG_ROOM;
  put16(f, MACS, tpid);
  put16(f, MACS + 2, tci);
  const at = header - TAG_ROOM;
  if (f.bytes[at]! & NEEDS_CSUM) addLittle16(f.bytes, at + CSUM_START, TAG_ROOM);
  if (isSuperFrame(f)) addLittle16(f.bytes, at + HDR_LEN, TAG_ROOM);
}

const little16 = (b: Uint8Array, at: number): number => b[at]! + (b[at + 1]! << 8);

function addLittle16(b: Uint8Array, at: number, more: number): void {
  const sum = little16(b, at) + more;
  b[at] = sum;
  b[at + 1] = sum >> 8;
}
