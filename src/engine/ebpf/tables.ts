/** The tables of a port's programs: made anew by every daemon, from what the kernel tells and the driver's port knows. */
import { NOBODY, type Slave } from "../../driver/decide/machine.ts";
import { pack, type Settings } from "../../driver/settings.ts";
import { readRow, type SlaveStatistics } from "../../driver/statistics.ts";
import { BpfMap, possibleCpus } from "../../linux/bpf/maps.ts";
import { type Ip, type Mac, macHigh, macLow } from "../../wire/address.ts";
import * as layout from "./layout.ts";
import {
  ADDRESSES4,
  ADDRESSES6,
  SETTINGS,
  SETTINGS_MAC_HIGH,
  SETTINGS_MAC_LOW,
  SETTINGS_PACKED,
} from "./machine.ts";
import type { Pins } from "./pins.ts";

const PORT_ROW = layout.words(0);
const ONLY_KEY = layout.words(0);

export class Tables {
  readonly #maps: Map<string, BpfMap> = new Map();
  readonly #settings: Uint32Array = new Uint32Array(layout.SETTINGS_BYTES / 4);

  /** Ifindexes in the master's namespace, of the master and of the pair's end. */
  constructor(master: number, up: number) {
    try {
      for (const spec of layout.mapSpecs) this.#maps.set(spec.name, BpfMap.create(spec));
      this.#settings[layout.SETTINGS_MASTER / 4] = master;
      this.#settings[layout.SETTINGS_UP / 4] = up;
      this.#map(layout.STATISTICS).update(PORT_ROW, layout.statisticsRow(NOBODY, possibleCpus()));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Descriptors, by the names that programs use. */
  get descriptors(): Record<string, number> {
    return Object.fromEntries([...this.#maps].map(([name, { fd }]) => [name, fd]));
  }

  configure({ mode, flag, compat }: Settings): void {
    this.#settings[SETTINGS_PACKED / 4] = pack(mode, flag, compat);
    this.#writeSettings();
  }
  setMac(mac: Mac): void {
    this.#settings[SETTINGS_MAC_HIGH / 4] = macHigh(mac);
    this.#settings[SETTINGS_MAC_LOW / 4] = macLow(mac);
    this.#writeSettings();
  }

  /** Host ends have a row of counters from their first frame on. */
  addHost(id: Slave, host: number): void {
    const row = layout.statisticsRow(id, possibleCpus());
    this.#map(layout.STATISTICS).update(layout.words(host), row);
    this.setSlave(id, host, false);
  }
  setSlave(id: Slave, host: number, isWithMaster: boolean): void {
    this.#map(layout.SLAVES).update(layout.words(id), layout.slaveRow(host, isWithMaster));
  }
  removeHost(id: Slave, host: number): void {
    this.#map(layout.SLAVES).update(layout.words(id), layout.slaveRow(0, false));
    this.#map(layout.STATISTICS).delete(layout.words(host));
  }

  setOwner(ip: Ip, owner: Slave): void {
    const map = this.#map(ip.length === 4 ? ADDRESSES4 : ADDRESSES6);
    const key = layout.addressKey(ip);
    if (owner === NOBODY) map.delete(key);
    else map.update(key, layout.words(owner));
  }

  setPiece(key: Uint8Array, piece: Uint8Array | undefined): void {
    if (piece === undefined) this.#map(layout.GROUPS).delete(key);
    else this.#map(layout.GROUPS).update(key, piece);
  }

  /** What a prefix is to the master's namespace; undefined: nothing. */
  setLocal(ip: Ip, prefixLength: number, meaning: number | undefined): void {
    const map = this.#map(ip.length === 4 ? layout.LOCALS4 : layout.LOCALS6);
    const key = layout.prefixKey(ip, prefixLength);
    if (meaning === undefined) map.delete(key);
    else map.update(key, layout.words(meaning));
  }

  /** `host`: 0 for the port's own row. */
  statistics(host: number): SlaveStatistics {
    const row = this.#map(layout.STATISTICS).counters(layout.words(host));
    return readRow((column) => Number(row?.[1 + column] ?? 0));
  }

  /** Adds what was counted in the tables of a former run. */
  takeStatistics(pins: Pins): void {
    const fd = pins.open(layout.STATISTICS, "map");
    if (fd === undefined) return;
    const former = BpfMap.of(fd);
    const own = this.#map(layout.STATISTICS);
    // Tables of another version say nothing to us.
    const isSame = (["type", "keySize", "valueSize"] as const).every(
      (part) => former.spec[part] === own.spec[part],
    );
    if (isSame) for (const key of former.keys()) this.#addRow(key, former);
    former.close();
  }

  pin(pins: Pins): void {
    for (const [name, { fd }] of this.#maps) pins.set(name, fd);
  }

  close(): void {
    for (const map of this.#maps.values()) map.close();
  }

  /** Into the counters of the first processor; the others' stay. */
  #addRow(key: Uint8Array, former: BpfMap): void {
    const own = this.#map(layout.STATISTICS);
    const values = new BigUint64Array(own.valueBytes / 8);
    const bytes = new Uint8Array(values.buffer);
    const sums = former.counters(key);
    if (sums === undefined || !own.lookup(key, bytes)) return;
    const cpus = BigInt(possibleCpus());
    if (sums[0] !== values[0]! * cpus) return; // an ifindex that another slave had
    for (let column = 1; column < sums.length; column++) values[column]! += sums[column]!;
    own.update(key, bytes);
  }

  #writeSettings(): void {
    const bytes = new Uint8Array(this.#settings.buffer);
    this.#map(SETTINGS).update(ONLY_KEY, bytes);
  }

  #map(name: string): BpfMap {
    return this.#maps.get(name)!;
  }
}
