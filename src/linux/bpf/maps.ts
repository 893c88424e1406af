/**
 * Maps: tables that programs of eBPF and we share. Keys and values are bytes, in the order this processor has them.
 * man: bpf(2).
 */
import { readFileSync } from "node:fs";
import { close, E2BIG, ENOENT, errno, SysError } from "../sys.ts";
import {
  Attributes,
  MAP_CREATE,
  MAP_DELETE_ELEM,
  MAP_GET_NEXT_KEY,
  MAP_LOOKUP_ELEM,
  MAP_UPDATE_ELEM,
  memory,
  objectInfo,
  textIn,
} from "./attributes.ts";

/** enum bpf_map_type. */
const TYPES = {
  hash: 1,
  array: 2,
  "prog-array": 3,
  "per-cpu-hash": 5,
  "per-cpu-array": 6,
  "lru-hash": 9,
  "lpm-trie": 11,
  "ring-buffer": 27,
} as const;
export type MapType = keyof typeof TYPES;

/** Whether the key may be there, must not be, or must. */
const UPDATE = { any: 0, new: 1, existing: 2 } as const;

const BPF_F_NO_PREALLOC = 1;
/** Of the value of one processor, in a map that has one for each. */
const PER_CPU_ALIGNMENT = 8;

export interface MapSpec {
  readonly type: MapType;
  /** The kernel shows 15 letters of it. */
  readonly name: string;
  /** Bytes. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** Of a hash: false takes memory when an entry comes, not for all of them now. */
  readonly preallocate?: boolean;
}

/** The map is full: an entry too many, or an index behind an array's end. */
export class MapFullError extends SysError {
  constructor(spec: MapSpec) {
    super(`write to map ${spec.name}`, E2BIG);
    this.name = "MapFullError";
    this.message = `map ${spec.name} is full: it holds at most ${spec.maxEntries} entries`;
  }
}

export class BpfMap {
  readonly fd: number;
  readonly spec: MapSpec;
  /** Bytes of a value as `lookup` gives it: those of every processor, one behind the other, where each has its own. */
  readonly valueBytes: number;
  readonly #key: Buffer;
  readonly #value: Buffer;
  readonly #element: Attributes;
  readonly #deletion: Attributes;

  static create(spec: MapSpec): BpfMap {
    const fd = new Attributes(48)
      .u32(0, TYPES[spec.type])
      .u32(4, spec.keySize)
      .u32(8, spec.valueSize)
      .u32(12, spec.maxEntries)
      .u32(16, spec.preallocate === false ? BPF_F_NO_PREALLOC : 0)
      .name(28, spec.name)
      .call(MAP_CREATE, `create map ${spec.name}`);
    return new BpfMap(fd, spec);
  }

  /** A map that is there, such as a pinned one; the descriptor becomes this object's. */
  static of(fd: number): BpfMap {
    return new BpfMap(fd, mapInfo(fd));
  }

  private constructor(fd: number, spec: MapSpec) {
    this.fd = fd;
    this.spec = spec;
    this.valueBytes = spec.type.startsWith("per-cpu")
      ? alignUp(spec.valueSize, PER_CPU_ALIGNMENT) * possibleCpus()
      : spec.valueSize;
    this.#key = memory(spec.keySize);
    this.#value = memory(this.valueBytes);
    // One for all calls: addresses change by the thousand.
    this.#element = new Attributes(32).u32(0, fd).pointer(8, this.#key).pointer(16, this.#value);
    // The kernel refuses what a command does not use.
    this.#deletion = new Attributes(16).u32(0, fd).pointer(8, this.#key);
  }

  /** Throws `MapFullError`; EEXIST or ENOENT if the key is not as `condition` wants it. */
  update(key: Uint8Array, value: Uint8Array, condition: keyof typeof UPDATE = "any"): void {
    this.#setKey(key);
    if (value.length !== this.valueBytes) throw new RangeError(`value of ${value.length} bytes`);
    this.#value.set(value);
    if (this.#element.u32(24, UPDATE[condition]).try(MAP_UPDATE_ELEM) >= 0) return;
    if (errno() === E2BIG) throw new MapFullError(this.spec);
    throw new SysError(`write to map ${this.spec.name}`, errno());
  }

  /** Copies the key's value into `into`; false: there is none. */
  lookup(key: Uint8Array, into: Uint8Array): boolean {
    this.#setKey(key);
    if (!this.#found(this.#element.u32(24, 0).try(MAP_LOOKUP_ELEM), "read")) return false;
    into.set(this.#value);
    return true;
  }

  /** Whether the key was there. */
  delete(key: Uint8Array): boolean {
    this.#setKey(key);
    return this.#found(this.#deletion.try(MAP_DELETE_ELEM), "delete from");
  }

  /** All keys, in no order. */
  keys(): Uint8Array[] {
    const keys: Uint8Array[] = [];
    const next = memory(this.spec.keySize);
    const walk = new Attributes(24).u32(0, this.fd).pointer(16, next);
    while (this.#found(walk.try(MAP_GET_NEXT_KEY), "read")) {
      keys.push(new Uint8Array(next));
      this.#key.set(next);
      walk.pointer(8, this.#key);
    }
    return keys;
  }

  /** A value that is a row of counters of 64 bits, summed over the processors; undefined: no such key. */
  counters(key: Uint8Array): bigint[] | undefined {
    const values = new BigUint64Array(this.valueBytes / 8);
    if (!this.lookup(key, new Uint8Array(values.buffer))) return undefined;
    const sums = new Array<bigint>(Math.floor(this.spec.valueSize / 8)).fill(0n);
    const row = alignUp(this.spec.valueSize, PER_CPU_ALIGNMENT) / 8;
    for (const [i, value] of values.entries()) {
      const column = i % row;
      if (column < sums.length) sums[column]! += value;
    }
    return sums;
  }

  close(): void {
    close(this.fd);
  }

  #setKey(key: Uint8Array): void {
    if (key.length !== this.spec.keySize) throw new RangeError(`key of ${key.length} bytes`);
    this.#key.set(key);
  }

  #found(result: number, doing: string): boolean {
    if (result >= 0) return true;
    if (errno() === ENOENT) return false;
    throw new SysError(`${doing} map ${this.spec.name}`, errno());
  }
}

/** struct bpf_map_info. */
function mapInfo(fd: number): MapSpec {
  const info = objectInfo(fd, 40, "ask what a map is");
  const number = info.readUInt32LE(0);
  const type = (Object.keys(TYPES) as MapType[]).find((name) => TYPES[name] === number);
  if (type === undefined) throw new Error(`a map of type ${number}`);
  return {
    type,
    name: textIn(info, 24, 16),
    keySize: info.readUInt32LE(8),
    valueSize: info.readUInt32LE(12),
    maxEntries: info.readUInt32LE(16),
    preallocate: (info.readUInt32LE(20) & BPF_F_NO_PREALLOC) === 0,
  };
}

const alignUp = (bytes: number, alignment: number): number =>
  Math.ceil(bytes / alignment) * alignment;

let cpus = 0;
/** Processors that this machine may ever have, plugged in or not. */
export function possibleCpus(): number {
  cpus ||= countCpus(readFileSync("/sys/devices/system/cpu/possible", "utf8"));
  return cpus;
}

/** `0-3,8`: 5. man: cpuset(7). */
export function countCpus(list: string): number {
  const ranges = list.trim().split(",");
  return ranges.reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}
