/**
 * The argument of bpf(2): one union of structures, one for each command, read and written here by offset as
 * `union bpf_attr` of <linux/bpf.h> has them. What is not set is 0, which is what the kernel wants for "not used".
 */
import { addressOf, bpf, errno, SysError } from "../sys.ts";

export const MAP_CREATE = 0;
export const MAP_LOOKUP_ELEM = 1;
export const MAP_UPDATE_ELEM = 2;
export const MAP_DELETE_ELEM = 3;
export const MAP_GET_NEXT_KEY = 4;
export const PROG_LOAD = 5;
export const OBJ_PIN = 6;
export const OBJ_GET = 7;
export const PROG_TEST_RUN = 10;
export const OBJ_GET_INFO_BY_FD = 15;
export const PROG_QUERY = 16;
export const BTF_LOAD = 18;
export const LINK_CREATE = 28;
export const LINK_UPDATE = 29;

/** Letters that the kernel keeps of a name; a 0 follows. */
const NAME_MAX = 15;

export class Attributes {
  readonly #bytes: Buffer & {
    /**
     * What the kernel reads or writes by address, by the offset of that. It hangs on the very bytes that the call gets,
     * since what nobody holds would be freed under the kernel.
     */
    readonly pointers: Map<number, Uint8Array>;
  };

  /** `size`: bytes of the command's structure. */
  constructor(size: number) {
    this.#bytes = Object.assign(memory(size), { pointers: new Map<number, Uint8Array>() });
  }

  u32(at: number, value: number): this {
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }
  pointer(at: number, to: Uint8Array): this {
    this.#bytes.pointers.set(at, to);
    this.#bytes.writeBigUInt64LE(BigInt(addressOf(to)), at);
    return this;
  }
  /** Text that ends with a 0, by address. */
  text(at: number, text: string): this {
    const bytes = memory(Buffer.byteLength(text) + 1);
    bytes.write(text);
    return this.pointer(at, bytes);
  }
  /** A name within the structure; what is too long is cut, as is what the kernel allows in none. */
  name(at: number, name: string): this {
    this.#bytes.write(name.replaceAll(/[^\w.]/g, "_"), at, NAME_MAX, "latin1");
    return this;
  }

  getU32(at: number): number {
    return this.#bytes.readUInt32LE(at);
  }

  /** What the command returns, or -1: `errno()` tells why. */
  try(command: number): number {
    return bpf(command, this.#bytes);
  }
  /** What the command returns: for some a descriptor. */
  call(command: number, doing: string): number {
    const result = this.try(command);
    if (result < 0) throw new SysError(doing, errno());
    return result;
  }
}

/** Bytes with an address of their own: small ones are moved by V8 otherwise. */
export const memory = (size: number): Buffer => Buffer.from(new ArrayBuffer(size));

/** The kernel's description of an object, its first `size` bytes; what this kernel does not tell is 0. */
export function objectInfo(fd: number, size: number, doing: string): Buffer {
  const info = memory(size);
  new Attributes(16).u32(0, fd).u32(4, size).pointer(8, info).call(OBJ_GET_INFO_BY_FD, doing);
  return info;
}

/** Text in a field of bytes that it may not fill. */
export function textIn(bytes: Buffer, at: number, size: number): string {
  const field = bytes.subarray(at, at + size);
  const end = field.indexOf(0);
  return field.toString("latin1", 0, end < 0 ? size : end);
}
