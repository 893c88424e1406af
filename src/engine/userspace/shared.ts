/**
 * What the main thread (registry, kernel events, commands) and the data path's Worker share: memory that the
 * Worker reads per frame, and messages for what changes rarely. A Worker that sleeps in epoll has no event
 * loop: a message is followed by a write to the eventfd, and is then picked up synchronously.
 */
import type { Slave } from "../../driver/decide/machine.ts";
import type { Groups } from "../../driver/group-table.ts";
import type { RingSocket } from "../../linux/ring.ts";

/** Words of the settings' Int32Array. */
export const PACKED = 0; // mode, flag, compat: driver/settings.ts, pack()
export const MAC_HIGH = 1;
export const MAC_LOW = 2;
export const STOP = 3;
/** Whether what goes up into the master's stack enters by its ingress (else by a raw socket, IP only). */
export const WAY_UP = 4;
export const SETTINGS_WORDS = 5;

export interface WorkerStart {
  /** A descriptor open in this process. */
  readonly masterNetns: number;
  /** On the master. */
  readonly master: RingSocket;
  /** On our end, in the private namespace, of the pair that leads up into the master's namespace. */
  readonly up: RingSocket;
  readonly wake: number;
  readonly settings: SharedArrayBuffer;
  readonly addresses: SharedArrayBuffer;
  readonly statistics: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly type: "slave"; readonly id: Slave; readonly ring: RingSocket }
  | { readonly type: "gone"; readonly id: Slave }
  /** What a slave takes of group frames; undefined: it is down and takes none, broadcast neither. */
  | { readonly type: "groups"; readonly id: Slave; readonly macs: Groups | undefined }
  /** The address table has moved into larger memory. */
  | { readonly type: "addresses"; readonly buffer: SharedArrayBuffer };

export type FromWorker =
  | { readonly type: "ready" }
  /** Answers "gone": nobody looks at the ring's memory any more. */
  | { readonly type: "released"; readonly id: Slave }
  /** The slave told the wire of a group that it joined or left. */
  | { readonly type: "memberships"; readonly id: Slave };
