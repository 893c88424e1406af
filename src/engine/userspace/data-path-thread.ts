/**
 * The userspace engine, seen from the main thread: the Worker that moves the frames, the memory they share, the
 * messages between, and the rings, which are opened and closed here because that takes long.
 */
import { Worker } from "node:worker_threads";
import type { AddressTable } from "../../driver/address-table.ts";
import type { Slave } from "../../driver/decide/machine.ts";
import type { Groups } from "../../driver/group-table.ts";
import { pack, type Settings } from "../../driver/settings.ts";
import { type SlaveStatistics, Statistics } from "../../driver/statistics.ts";
import { withNetns } from "../../linux/netns.ts";
import { receiveAllGroups } from "../../linux/packet.ts";
import { closeRing, openRing, type RingSocket, SLOT_LARGE, SLOT_SMALL } from "../../linux/ring.ts";
import { EventFd } from "../../linux/sys.ts";
import { type Mac, macHigh, macLow } from "../../wire/address.ts";
import type { Engine } from "../engine.ts";
import type { MasterSide } from "../master/master-side.ts";
import * as shared from "./shared.ts";

/** Slaves whose rings have large slots, 2 MiB each; the rings of more have small ones, 256 KiB each. */
const LARGE_RINGS_MAX = 32;

export interface DataPathStart {
  readonly privateNetns: number;
  readonly masterNetns: number;
  readonly masterIfindex: number;
  readonly side: MasterSide;
  /** The port's. */
  readonly addresses: AddressTable;
  readonly settings: Settings;
  readonly mac: Mac;
  /** A slave joined or left a group. */
  readonly onMemberships: (id: Slave) => void;
  /** The thread ended by itself, which it never should. */
  readonly onDeath: (error: Error) => void;
}

export class DataPathThread implements Engine {
  readonly name = "userspace";
  readonly #worker: Worker;
  readonly #wake: EventFd = new EventFd();
  readonly #settings: Int32Array;
  readonly #start: DataPathStart;
  readonly #statistics: Statistics = new Statistics({ shared: true });
  /** Memory of the address table that the thread reads. */
  #addresses: ArrayBufferLike;
  /** On the master and on the pair. */
  readonly #portRings: readonly RingSocket[];
  readonly #slaveRings: Map<Slave, RingSocket> = new Map();
  /** Of slaves that are gone, until the thread has let go of them. */
  readonly #released: Map<Slave, RingSocket> = new Map();

  /** Resolves when the port's frames are received. */
  static async start(start: DataPathStart): Promise<DataPathThread> {
    const master = await withNetns(start.masterNetns, () =>
      openRing(start.masterIfindex, SLOT_LARGE),
    );
    const rings = [master];
    try {
      receiveAllGroups(master.fd, start.masterIfindex);
      const up = await withNetns(start.privateNetns, () =>
        openRing(start.side.pairIfindex, SLOT_LARGE),
      );
      rings.push(up);
      const thread = new DataPathThread(start, master, up);
      await thread.#begin();
      return thread;
    } catch (error) {
      await Promise.all(rings.map(closeRing));
      throw error;
    }
  }

  async #begin(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#worker.once("message", () => resolve()).once("error", reject);
    });
    this.#worker
      .removeAllListeners("error")
      .on("error", this.#start.onDeath)
      .on("message", (message: shared.FromWorker) => this.#hear(message));
  }

  private constructor(start: DataPathStart, master: RingSocket, up: RingSocket) {
    this.#start = start;
    this.#portRings = [master, up];
    const settings = new SharedArrayBuffer(4 * shared.SETTINGS_WORDS);
    this.#settings = new Int32Array(settings);
    this.configure(start.settings);
    this.setMac(start.mac);
    this.#addresses = start.addresses.buffer;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: {
        masterNetns: start.masterNetns,
        master,
        up,
        addresses: this.#addresses as SharedArrayBuffer,
        statistics: this.#statistics.buffer as SharedArrayBuffer,
        settings,
        wake: this.#wake.fd,
      } satisfies shared.WorkerStart,
    });
  }

  configure({ mode, flag, compat }: Settings): void {
    Atomics.store(this.#settings, shared.PACKED, pack(mode, flag, compat));
    this.#settings[shared.WAY_UP] = this.#start.side.redirects ? 1 : 0;
  }

  setMac(mac: Mac): void {
    this.#settings[shared.MAC_HIGH] = macHigh(mac);
    this.#settings[shared.MAC_LOW] = macLow(mac);
  }

  async addSlave(id: Slave, ifindex: number): Promise<void> {
    const slot = this.#slaveRings.size < LARGE_RINGS_MAX ? SLOT_LARGE : SLOT_SMALL;
    const ring = await withNetns(this.#start.privateNetns, () => openRing(ifindex, slot));
    this.#slaveRings.set(id, ring);
    this.#post({ type: "slave", id, ring });
  }

  removeSlave(id: Slave): void {
    const ring = this.#slaveRings.get(id);
    if (ring === undefined) return;
    this.#slaveRings.delete(id);
    this.#released.set(id, ring);
    this.#post({ type: "gone", id });
  }

  /** Host ends lead to a slave wherever it is. */
  setPlace(): void {}

  setGroups(id: Slave, macs: Groups | undefined): void {
    this.#post({ type: "groups", id, macs });
  }

  /** The thread looks them up in the port's own table, which may have moved into larger memory. */
  ownersChanged(): void {
    const { buffer } = this.#start.addresses;
    if (buffer === this.#addresses) return;
    this.#addresses = buffer;
    this.#post({ type: "addresses", buffer: buffer as SharedArrayBuffer });
  }

  /** The thread listens for them itself. */
  routesChanged(): void {}

  takeOver(): void {}

  statistics(id: Slave): SlaveStatistics {
    return this.#statistics.read(id);
  }
  clearStatistics(id: Slave): void {
    this.#statistics.clear(id);
  }

  /** Ends the thread. A Worker asleep in a system call cannot be terminated: it is told, and wakes to obey. */
  async close(): Promise<void> {
    Atomics.store(this.#settings, shared.STOP, 1);
    this.#wake.signal();
    await new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#wake.close();
    const rings = [...this.#portRings, ...this.#slaveRings.values(), ...this.#released.values()];
    await Promise.all(rings.map(closeRing));
  }

  #post(message: shared.ToWorker): void {
    this.#worker.postMessage(message);
    this.#wake.signal();
  }

  #hear(message: shared.FromWorker): void {
    switch (message.type) {
      case "memberships":
        this.#start.onMemberships(message.id);
        break;
      case "released":
        this.#closeReleased(message.id);
    }
  }

  #closeReleased(id: Slave): void {
    const ring = this.#released.get(id);
    if (ring === undefined) return;
    this.#released.delete(id);
    void closeRing(ring);
  }
}
