/**
 * What a program can address: pieces of memory, each with an address of its own and far from the next, so that
 * whatever passes an end is caught. Little-endian, as the processors are whose programs these are.
 */
import type { Size } from "../instruction.ts";

/** A program did what the kernel's verifier would not have let it. */
export class VmFault extends Error {}

interface Piece {
  /** For who reads a fault. */
  readonly what: string;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const FIRST_ADDRESS = 0x1000_0000;
/** Addresses set aside for a piece; none is longer. */
const DISTANCE = 0x10_0000;

export class Memory {
  readonly #pieces: Piece[] = [];
  #next = FIRST_ADDRESS;

  /** Where these bytes are from now on. The same bytes have the same address. */
  add(what: string, bytes: Uint8Array): number {
    const { buffer, byteOffset, length } = bytes;
    const same = ({ view }: Piece) =>
      view.buffer === buffer && view.byteOffset === byteOffset && view.byteLength === length;
    const there = this.#pieces.find(same);
    if (there !== undefined) return there.address;
    const address = this.#next;
    this.#pieces.push({ what, address, bytes, view: new DataView(buffer, byteOffset, length) });
    this.#next += DISTANCE;
    return address;
  }

  /** Nothing is there any more. */
  remove(address: number): void {
    const i = this.#pieces.findIndex((piece) => piece.address === address);
    this.#pieces.splice(i, 1);
  }

  load(size: Size, address: bigint): bigint {
    const { view, address: start } = this.#find(size, address);
    const at = Number(address) - start;
    if (size === 8) return view.getBigUint64(at, true);
    if (size === 4) return BigInt(view.getUint32(at, true));
    return BigInt(size === 2 ? view.getUint16(at, true) : view.getUint8(at));
  }

  /** The lower bytes of `value`. */
  store(size: Size, address: bigint, value: bigint): void {
    const { view, address: start } = this.#find(size, address);
    const at = Number(address) - start;
    if (size === 8) view.setBigUint64(at, value, true);
    else if (size === 4) view.setUint32(at, Number(value & 0xffff_ffffn), true);
    else if (size === 2) view.setUint16(at, Number(value & 0xffffn), true);
    else view.setUint8(at, Number(value & 0xffn));
  }

  /** The very bytes, not a copy. */
  bytes(address: bigint, length: number): Uint8Array {
    const piece = this.#find(length, address);
    const at = Number(address) - piece.address;
    return piece.bytes.subarray(at, at + length);
  }

  #find(size: number, address: bigint): Piece {
    const first = Number(address);
    for (const piece of this.#pieces)
      if (first >= piece.address && first + size <= piece.address + piece.bytes.length)
        return piece;
    throw new VmFault(`${size} bytes at ${this.#describe(first)}`);
  }

  #describe(address: number): string {
    const near = ({ address: start }: Piece) => Math.abs(address - start) < DISTANCE / 2;
    const piece = this.#pieces.find(near);
    if (piece === undefined) return `0x${address.toString(16)}, where nothing is`;
    return `${address - piece.address} of the ${piece.what}, which has ${piece.bytes.length}`;
  }
}
