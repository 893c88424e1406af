/**
 * The driver's decisions in each form: the TypeScript function, the compiled program in our machine and in the kernel.
 * All run on the same port, whose settings can be changed.
 */

import { ArrayMap, HashMap, type VmMap, word } from "../../src/bpf/vm/maps.ts";
import { AddressTable } from "../../src/driver/address-table.ts";
import type { DecisionPort } from "../../src/driver/decide/machine.ts";
import * as receive from "../../src/driver/decide/receive.ts";
import { xmit } from "../../src/driver/decide/xmit.ts";
import {
  type Compat,
  compatOf,
  compats,
  type Flag,
  flagOf,
  flags,
  type Mode,
  modeOf,
  modes,
  pack,
} from "../../src/driver/settings.ts";
import {
  ADDRESSES4,
  ADDRESSES6,
  SETTINGS,
  SETTINGS_BYTES,
  SETTINGS_MAC_HIGH,
  SETTINGS_MAC_LOW,
  SETTINGS_PACKED,
} from "../../src/engine/ebpf/machine.ts";
import { BpfMap } from "../../src/linux/bpf/maps.ts";
import { type Ip, ip4ToNumber, type Mac, macHigh, macLow } from "../../src/wire/address.ts";
import type { Frame } from "../../src/wire/frame.ts";
import type { Entry } from "../driver-program.ts";

export const inTypeScript: Readonly<Record<Entry, (port: DecisionPort, f: Frame) => number>> = {
  xmit,
  receive: receive.receive,
  input: receive.input,
};

/** All columns, mode, flag and compat as one word. */
export const columns: readonly number[] = (Object.keys(modes) as Mode[]).flatMap((mode) =>
  (Object.keys(flags) as Flag[]).flatMap((flag) =>
    (Object.keys(compats) as Compat[]).map((compat) => pack(mode, flag, compat)),
  ),
);

export interface Holder {
  readonly slave: number;
  readonly ip: Ip;
}

/** The port as TypeScript sees it. */
export class TestPort implements DecisionPort {
  mode = 0;
  flag = 0;
  compat = 0;
  readonly macHigh: number;
  readonly macLow: number;
  readonly addresses: AddressTable = new AddressTable();

  constructor(mac: Mac, holders: readonly Holder[]) {
    this.macHigh = macHigh(mac);
    this.macLow = macLow(mac);
    for (const { slave, ip } of holders) this.addresses.set(ip, slave, true);
  }
  set(column: number): void {
    this.mode = modeOf(column);
    this.flag = flagOf(column);
    this.compat = compatOf(column);
  }
}

function settingsBytes(port: TestPort, column: number): Uint8Array {
  const bytes = new Uint8Array(SETTINGS_BYTES);
  bytes.set(word(column), SETTINGS_PACKED);
  bytes.set(word(port.macHigh), SETTINGS_MAC_HIGH);
  bytes.set(word(port.macLow), SETTINGS_MAC_LOW);
  return bytes;
}

const keyOf = (ip: Ip): Uint8Array => (ip.length === 4 ? word(ip4ToNumber(ip)) : ip);

/** Maps for our machine, in one column. */
export function vmMaps(
  port: TestPort,
  holders: readonly Holder[],
  column: number,
): Record<string, VmMap> {
  const addresses4 = new HashMap(4);
  const addresses6 = new HashMap(16);
  for (const { slave, ip } of holders)
    (ip.length === 4 ? addresses4 : addresses6).set(keyOf(ip), word(slave));
  return {
    [ADDRESSES4]: addresses4,
    [ADDRESSES6]: addresses6,
    [SETTINGS]: new ArrayMap([settingsBytes(port, column)]),
  };
}

/** Maps in the kernel, in whatever column is set. */
export class KernelMaps {
  readonly #port: TestPort;
  readonly #maps: Readonly<Record<string, BpfMap>>;

  constructor(port: TestPort, holders: readonly Holder[]) {
    this.#port = port;
    const hash = { type: "hash", valueSize: 4, maxEntries: holders.length } as const;
    this.#maps = {
      [ADDRESSES4]: BpfMap.create({ ...hash, name: ADDRESSES4, keySize: 4 }),
      [ADDRESSES6]: BpfMap.create({ ...hash, name: ADDRESSES6, keySize: 16 }),
      [SETTINGS]: BpfMap.create({
        type: "array",
        name: SETTINGS,
        keySize: 4,
        valueSize: SETTINGS_BYTES,
        maxEntries: 1,
      }),
    };
    for (const { slave, ip } of holders)
      this.#maps[ip.length === 4 ? ADDRESSES4 : ADDRESSES6]!.update(keyOf(ip), word(slave));
  }

  /** Descriptors by the names that programs use. */
  get fds(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#maps).map(([name, { fd }]) => [name, fd]));
  }
  set(column: number): void {
    this.#maps[SETTINGS]!.update(word(0), settingsBytes(this.#port, column));
  }
  close(): void {
    for (const map of Object.values(this.#maps)) map.close();
  }
}
