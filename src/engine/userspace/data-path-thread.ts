/** The main thread's handle on a port's data path: the Worker, the memory they share, the messages between. */
import { Worker } from "node:worker_threads";
import type { Slave } from "../../driver/decide/machine.ts";
import { SLOTS_MAX, SLOTS_MIN } from "../../linux/packet.ts";
import { EventFd } from "../../linux/sys.ts";
import { macHigh, macLow } from "../../wire/address.ts";
import * as shared from "./shared.ts";

/** Ring slots of all slaves together, as long as each has its least. */
const SLOTS_OF_ALL = 32_768;

export interface DataPathStart extends Omit<shared.WorkerStart, "wake" | "settings"> {
  /** driver/settings.ts, pack(). */
  readonly packed: number;
  readonly mac: Uint8Array;
  /** A slave joined or left a group. */
  readonly onMemberships: (id: Slave) => void;
  /** The thread ended by itself, which it never should. */
  readonly onDeath: (error: Error) => void;
}

export class DataPathThread {
  readonly #worker: Worker;
  readonly #wake: EventFd;
  readonly #settings: Int32Array;
  readonly #start: DataPathStart;
  readonly #opening: Map<Slave, (error: string | undefined) => void> = new Map();
  #slaves = 0;

  /** Resolves when the thread's sockets are open. */
  static async start(start: DataPathStart): Promise<DataPathThread> {
    const thread = new DataPathThread(start);
    await new Promise<void>((resolve, reject) => {
      thread.#worker.once("message", () => resolve());
      thread.#worker.once("error", reject);
    });
    thread.#worker.on("message", (message: shared.FromWorker) => thread.#hear(message));
    thread.#worker.removeAllListeners("error");
    thread.#worker.on("error", start.onDeath);
    return thread;
  }

  private constructor(start: DataPathStart) {
    this.#start = start;
    this.#wake = new EventFd();
    const settings = new SharedArrayBuffer(4 * shared.SETTINGS_WORDS);
    this.#settings = new Int32Array(settings);
    this.configure(start.packed);
    this.setMac(start.mac);
    const { privateNetns, masterNetns, masterIfindex, upIfindex, addresses, statistics } = start;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: {
        privateNetns,
        masterNetns,
        masterIfindex,
        upIfindex,
        addresses,
        statistics,
        settings,
        wake: this.#wake.fd,
      } satisfies shared.WorkerStart,
    });
  }

  /** Mode, flag and compat change for all frames at once. */
  configure(packed: number): void {
    Atomics.store(this.#settings, shared.PACKED, packed);
  }

  setMac(mac: Uint8Array): void {
    this.#settings[shared.MAC_HIGH] = macHigh(mac);
    this.#settings[shared.MAC_LOW] = macLow(mac);
  }

  /** Whether the pair leads into the master's ingress. */
  setWayUp(open: boolean): void {
    this.#settings[shared.WAY_UP] = open ? 1 : 0;
  }

  /** Resolves when the slave's frames are received. `ifindex`: its host end. */
  async addSlave(id: Slave, ifindex: number): Promise<void> {
    this.#slaves++;
    const error = await new Promise<string | undefined>((resolve) => {
      this.#opening.set(id, resolve);
      this.#post({ type: "slave", id, ifindex, slots: slotsFor(this.#slaves) });
    });
    if (error !== undefined) throw new Error(error);
  }

  removeSlave(id: Slave): void {
    this.#slaves--;
    this.#post({ type: "gone", id });
  }

  setGroups(id: Slave, macs: Uint8Array[] | "all" | undefined): void {
    this.#post({ type: "groups", id, macs });
  }

  setAddresses(buffer: SharedArrayBuffer): void {
    this.#post({ type: "addresses", buffer });
  }

  /** Ends the thread. A Worker asleep in a system call cannot be terminated: it is told, and wakes to obey. */
  async close(): Promise<void> {
    Atomics.store(this.#settings, shared.STOP, 1);
    this.#wake.signal();
    await new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#wake.close();
  }

  #post(message: shared.ToWorker): void {
    this.#worker.postMessage(message);
    this.#wake.signal();
  }

  #hear(message: shared.FromWorker): void {
    if (message.type === "memberships") this.#start.onMemberships(message.id);
    if (message.type !== "open") return;
    this.#opening.get(message.id)?.(message.error);
    this.#opening.delete(message.id);
  }
}

/** A power of two; memory for many slaves, short bursts for few. */
function slotsFor(slaves: number): number {
  const share = 2 ** Math.floor(Math.log2(SLOTS_OF_ALL / slaves));
  return Math.min(SLOTS_MAX, Math.max(SLOTS_MIN, share));
}
