/**
 * Netlink's bytes: messages, each with a 16-byte header, one after another in a datagram; in a message a fixed
 * structure and then attributes: length, type, value, padded to four bytes, nested as deep as the sender
 * likes. man: netlink(7). What the attributes mean is said by the files beside this one.
 *
 * Whatever bytes are read, the result is a value or a `NetlinkFormatError`, and each byte is looked at once.
 */
import { endianness } from "node:os";

if (endianness() !== "LE") throw new Error("netlink is read in the byte order of x86-64 and arm64");

export class NetlinkFormatError extends Error {
  override readonly name = "NetlinkFormatError";
}

/** struct nlmsghdr. */
export const MESSAGE_HEADER = 16;
/** struct nlattr. */
const ATTR_HEADER = 4;
/** Attributes carry their length in 16 bits. */
const ATTR_MAX = 0xffff;
const NLA_F_NESTED = 0x8000;
const NLA_F_NET_BYTEORDER = 0x4000;

export const align4 = (length: number): number => Math.ceil(length / 4) * 4;

export interface Message {
  readonly type: number;
  readonly flags: number;
  /** Which request it answers; 0: nobody's. */
  readonly seq: number;
  readonly payload: Uint8Array;
}

export function encodeMessage(message: Message): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER + message.payload.length);
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.seq, true);
  bytes.set(message.payload, MESSAGE_HEADER);
  return bytes;
}

/** Payloads are views on `datagram`. */
export function decodeMessages(datagram: Uint8Array): Message[] {
  const view = viewOf(datagram);
  const messages: Message[] = [];
  for (let at = 0; at < datagram.length; ) {
    const left = datagram.length - at;
    const length = left < MESSAGE_HEADER ? 0 : view.getUint32(at, true);
    if (length < MESSAGE_HEADER || length > left)
      throw new NetlinkFormatError(`message of ${length} bytes where ${left} are left`);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      seq: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + MESSAGE_HEADER, at + length),
    });
    at += align4(length);
  }
  return messages;
}

/** One attribute, and its value read as what the reader knows it to be. */
export class Attr {
  /** Without the flag that says it is nested. */
  readonly type: number;
  readonly bytes: Uint8Array;

  constructor(type: number, bytes: Uint8Array) {
    this.type = type;
    this.bytes = bytes;
  }

  u8(): number {
    return this.#view(1).getUint8(0);
  }
  u16(): number {
    return this.#view(2).getUint16(0, true);
  }
  u32(): number {
    return this.#view(4).getUint32(0, true);
  }
  i32(): number {
    return this.#view(4).getInt32(0, true);
  }
  /** Up to the first NUL. */
  string(): string {
    const end = this.bytes.indexOf(0);
    return decoder.decode(end < 0 ? this.bytes : this.bytes.subarray(0, end));
  }
  nested(): Attrs {
    return attrs(this.bytes);
  }
  /** A structure of at least `size` bytes: kernels append fields to theirs. */
  struct(size: number): DataView {
    return this.#view(size);
  }

  #view(size: number): DataView {
    if (this.bytes.length < size)
      throw new NetlinkFormatError(
        `attribute ${this.type} has ${this.bytes.length} bytes, ${size} are needed`,
      );
    return viewOf(this.bytes);
  }
}

/** The attributes of one level. Of several with one type the last counts, as in the kernel. */
export class Attrs implements Iterable<Attr> {
  readonly #all: readonly Attr[];
  readonly #byType: ReadonlyMap<number, Attr>;

  constructor(all: readonly Attr[]) {
    this.#all = all;
    this.#byType = new Map(all.map((a) => [a.type, a]));
  }
  get(type: number): Attr | undefined {
    return this.#byType.get(type);
  }
  [Symbol.iterator](): Iterator<Attr> {
    return this.#all[Symbol.iterator]();
  }
}

/** Reads the attributes that start at `at`. */
export function attrs(payload: Uint8Array, at = 0): Attrs {
  const view = viewOf(payload);
  const all: Attr[] = [];
  // Fewer bytes than a header at the end are padding to the kernel, and so to us.
  while (at + ATTR_HEADER <= payload.length) {
    const length = view.getUint16(at, true);
    if (length < ATTR_HEADER || at + length > payload.length)
      throw new NetlinkFormatError(
        `attribute of ${length} bytes where ${payload.length - at} are left`,
      );
    const type = view.getUint16(at + 2, true) & ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER);
    all.push(new Attr(type, payload.subarray(at + ATTR_HEADER, at + length)));
    at += align4(length);
  }
  return new Attrs(all);
}

/** The fixed structure a payload starts with. */
export function header(payload: Uint8Array, size: number): DataView {
  if (payload.length < size)
    throw new NetlinkFormatError(`payload of ${payload.length} bytes, ${size} are needed`);
  return viewOf(payload);
}

/** Builds a payload; code nests as the attributes nest. Numbers are in host order but for `be16` and `be32`. */
export class AttrWriter {
  #bytes = new Uint8Array(256);
  #view = viewOf(this.#bytes);
  #length = 0;

  /** `fixed`: the structure before the first attribute. */
  constructor(fixed: Uint8Array = new Uint8Array(0)) {
    this.struct(fixed);
  }

  /** Bytes that are no attribute: some nested ones, too, have a structure before their attributes. */
  struct(fixed: Uint8Array): this {
    this.#append(fixed);
    return this;
  }

  flag(type: number): this {
    return this.bytes(type, new Uint8Array(0));
  }
  u8(type: number, value: number): this {
    return this.bytes(type, Uint8Array.of(value));
  }
  u16(type: number, value: number): this {
    return this.#number(type, 2, (v) => v.setUint16(0, value, true));
  }
  /** Takes negative numbers too: the same bits. */
  u32(type: number, value: number): this {
    return this.#number(type, 4, (v) => v.setUint32(0, value, true));
  }
  be16(type: number, value: number): this {
    return this.#number(type, 2, (v) => v.setUint16(0, value));
  }
  be32(type: number, value: number): this {
    return this.#number(type, 4, (v) => v.setUint32(0, value));
  }
  /** With the NUL that ends it. */
  string(type: number, value: string): this {
    return this.bytes(type, encoder.encode(`${value}\0`));
  }
  bytes(type: number, value: Uint8Array): this {
    const at = this.#open(type);
    this.#append(value);
    return this.#close(at);
  }
  nest(type: number, fill: (inner: AttrWriter) => void): this {
    const at = this.#open(type | NLA_F_NESTED);
    fill(this);
    return this.#close(at);
  }

  /** What was written, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #number(type: number, size: number, put: (view: DataView) => void): this {
    const value = new Uint8Array(size);
    put(viewOf(value));
    return this.bytes(type, value);
  }

  #open(type: number): number {
    const at = this.#length;
    this.#append(new Uint8Array(ATTR_HEADER));
    this.#view.setUint16(at + 2, type, true);
    return at;
  }

  #close(at: number): this {
    const length = this.#length - at;
    if (length > ATTR_MAX) throw new RangeError(`netlink attribute of ${length} bytes`);
    this.#view.setUint16(at, length, true);
    this.#append(new Uint8Array(align4(length) - length));
    return this;
  }

  #append(value: Uint8Array): void {
    const end = this.#length + value.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(2 ** Math.ceil(Math.log2(end)));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    this.#bytes.set(value, this.#length);
    this.#length = end;
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
