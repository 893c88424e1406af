/** Maps without a kernel: tables of bytes that a program looks into, and may write where it looked. */

export interface VmMap {
  /** Bytes. */
  readonly keySize: number;
  /** The very bytes of the value, not a copy. */
  find(key: Uint8Array): Uint8Array | undefined;
}

export class HashMap implements VmMap {
  readonly keySize: number;
  readonly #values: Map<string, Uint8Array> = new Map();

  constructor(keySize: number) {
    this.keySize = keySize;
  }
  set(key: Uint8Array, value: Uint8Array): this {
    this.#values.set(key.join(), new Uint8Array(value));
    return this;
  }
  find(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(key.join());
  }
}

/** By index, which is a key of 4 bytes. */
export class ArrayMap implements VmMap {
  readonly keySize = 4;
  readonly #values: readonly Uint8Array[];

  constructor(values: readonly Uint8Array[]) {
    this.#values = values.map((value) => new Uint8Array(value));
  }
  find(key: Uint8Array): Uint8Array | undefined {
    return this.#values[new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true)];
  }
}

/** A word of 32 bits as a map has it. */
export function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
