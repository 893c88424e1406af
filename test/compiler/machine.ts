/** The machine that random programs and cases run on: small, and with one of each kind of thing. */
import type { Machine } from "../../src/bpf/compiler/machine.ts";
import { loads } from "../../src/bpf/compiler/machine.ts";
import { ArrayMap, HashMap, type VmMap, word } from "../../src/bpf/vm/maps.ts";
import { BpfMap } from "../../src/linux/bpf/maps.ts";
import { type Frame, u8, u16, u32 } from "../../src/wire/frame.ts";

export interface Port {
  readonly kind: number;
  readonly flag: number;
  readonly word: number;
}

/** What a program finds besides the frame. */
export const PORT: Port = { kind: 2, flag: 255, word: 0x8000_0001 };
/** By number, and by the 16 bytes that start with the number. */
export const FOUND: ReadonlyMap<number, number> = new Map([
  [0x0a00_0001, 1],
  [0x0a00_00ff, 2],
  [0xffff_ffff, 0xffff],
  [0, 3],
]);
export const MARK = 0xdead_beef;

const CONTEXT_MARK = 8;
const FOUND_MAX = 0xffff;

export const machine: Machine = {
  frame: "Frame",
  objects: {
    Port: {
      kind: { map: "port", offset: 0, shift: 0, bits: 8 },
      flag: { map: "port", offset: 0, shift: 8, bits: 8 },
      word: { map: "port", offset: 4, shift: 0, bits: 32 },
    },
  },
  functions: {
    "machine.ts": {
      ...loads,
      mark: { kind: "context", offset: CONTEXT_MARK, max: 0xffff_ffff },
      byNumber: { kind: "findByNumber", map: "numbers", max: FOUND_MAX },
      byBytes: { kind: "findByBytes", map: "bytes", size: 16, max: FOUND_MAX },
    },
  },
};

/** The same in JavaScript. */
export const functions: Readonly<Record<string, unknown>> = {
  u8,
  u16,
  u32,
  mark: (_f: Frame): number => MARK,
  byNumber: (_port: Port, key: number): number => FOUND.get(key >>> 0) ?? 0,
  byBytes: (_port: Port, f: Frame, at: number): number => {
    const [first, ...rest] = [0, 4, 8, 12].map((n) => u32(f, at + n));
    const isThere = at + 16 <= f.length && rest.every((word) => word === 0);
    return isThere ? (FOUND.get(first!) ?? 0) : 0;
  },
};

const portBytes = Uint8Array.of(PORT.kind, PORT.flag, 0, 0, ...word(PORT.word));

function bytesKey(number: number): Uint8Array {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(0, number);
  return key;
}

export const vmContext: Readonly<Record<number, number>> = { [CONTEXT_MARK]: MARK };

export function vmMaps(): Record<string, VmMap> {
  const numbers = new HashMap(4);
  const bytes = new HashMap(16);
  for (const [key, value] of FOUND) {
    numbers.set(word(key), word(value));
    bytes.set(bytesKey(key), word(value));
  }
  return { port: new ArrayMap([portBytes]), numbers, bytes };
}

/** In the kernel; to be closed. */
export function kernelMaps(): Record<string, BpfMap> {
  const hash = { type: "hash", valueSize: 4, maxEntries: FOUND.size } as const;
  const port = { type: "array", name: "port", keySize: 4, valueSize: 8, maxEntries: 1 } as const;
  const maps = {
    port: BpfMap.create(port),
    numbers: BpfMap.create({ ...hash, name: "numbers", keySize: 4 }),
    bytes: BpfMap.create({ ...hash, name: "bytes", keySize: 16 }),
  };
  maps.port.update(word(0), portBytes);
  for (const [key, value] of FOUND) {
    maps.numbers.update(word(key), word(value));
    maps.bytes.update(bytesKey(key), word(value));
  }
  return maps;
}
