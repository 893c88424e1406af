/**
 * What was counted, per slave: the numbers of `ip -s link`, and why frames were lost. One thread counts, others
 * read the same memory; a reader may see a frame counted whose bytes are not yet.
 *
 * A row per device id; row 0 is the port's: frames that are not of one slave. Numbers are doubles, exact up to
 * 2^53: nine petabytes.
 */
import type { Slave } from "./decide/machine.ts";
import * as v from "./decide/verdict.ts";

/** Device ids of a port are 1 … 65,533. Kernel: ida_alloc_range() in ipvlan_link_new(). */
export const SLAVES_MAX = 65_533;

/** Why a frame was lost, by the numbers of decide/verdict.ts. */
export const reasons: readonly string[] = named([
  [v.RUNT, "runt"],
  [v.ISOLATED, "isolated"],
  [v.PAUSE_FRAME, "pause"],
  [v.GROUP_IN_L3, "group-in-l3"],
  [v.NOT_IP, "not-ip"],
  [v.FORGED_MAC, "forged-mac"],
  [v.SHARED_PROBE, "shared-probe"],
  [v.BAD_SOURCE, "bad-source"],
  [v.NO_ROUTE, "no-route"],
  [v.NO_NEIGHBOUR, "no-neighbour"],
  [v.BACKLOG, "backlog"],
  [v.SEND_FAILED, "send-failed"],
]);

export interface SlaveStatistics {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  /** Received frames to group MACs, broadcast among them. */
  readonly multicast: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDropped: number;
  /** Frames lost, in either direction, by the names of `reasons`; those that occurred. */
  readonly drops: Readonly<Record<string, number>>;
}

// Columns of a row.
export const RX_PACKETS = 0;
export const RX_BYTES = 1;
export const RX_MISSED = 2;
export const MULTICAST = 3;
export const TX_PACKETS = 4;
export const TX_BYTES = 5;
export const TX_DROPPED = 6;
/** `DROPS + reason`; reasons count from 1. */
export const DROPS = 6;
export const COLUMNS: number = DROPS + reasons.length;

/** Reads a row, given what is in each of its columns. */
export function readRow(at: (column: number) => number): SlaveStatistics {
  const missed = at(RX_MISSED);
  const drops: Record<string, number> = {};
  for (let reason = 1; reason < reasons.length; reason++) {
    const count = at(DROPS + reason);
    if (count > 0) drops[reasons[reason]!] = count;
  }
  return {
    rxPackets: at(RX_PACKETS),
    rxBytes: at(RX_BYTES),
    rxErrors: missed, // Kernel: ipvlan_get_stats64() shows one counter as both.
    rxDropped: missed,
    multicast: at(MULTICAST),
    txPackets: at(TX_PACKETS),
    txBytes: at(TX_BYTES),
    txDropped: at(TX_DROPPED),
    drops,
  };
}

export interface StatisticsOptions {
  /** In a SharedArrayBuffer, for readers in other threads. */
  readonly shared?: boolean;
}

export class Statistics {
  readonly #counters: Float64Array;

  /** Twelve megabytes, of which the system finds memory only for rows that are counted in. */
  constructor(options: StatisticsOptions = {}, buffer: ArrayBufferLike = newBuffer(options)) {
    this.#counters = new Float64Array(buffer);
  }

  static attach(buffer: ArrayBufferLike): Statistics {
    return new Statistics({}, buffer);
  }

  get buffer(): ArrayBufferLike {
    return this.#counters.buffer;
  }

  /** A frame that a slave sent: on its way (0), or lost and why. */
  sent(from: Slave, length: number, lost: number): void {
    const row = from * COLUMNS;
    if (lost === 0) {
      this.#counters[row + TX_PACKETS]!++;
      this.#counters[row + TX_BYTES]! += length;
    } else {
      this.#counters[row + TX_DROPPED]!++;
      this.#counters[row + DROPS + lost]!++;
    }
  }

  /** A frame that a slave was given. */
  received(to: Slave, length: number, isGroup: boolean): void {
    const row = to * COLUMNS;
    this.#counters[row + RX_PACKETS]!++;
    this.#counters[row + RX_BYTES]! += length;
    if (isGroup) this.#counters[row + MULTICAST]!++;
  }

  /** A frame that a slave should have been given. */
  missed(to: Slave, reason: number): void {
    this.#counters[to * COLUMNS + RX_MISSED]!++;
    this.dropped(to, reason);
  }

  /** Frames lost, neither sent by nor for the slave alone, or before anybody looked at them. */
  dropped(row: Slave, reason: number, count = 1): void {
    this.#counters[row * COLUMNS + DROPS + reason]! += count;
  }

  read(slave: Slave): SlaveStatistics {
    return readRow((column) => this.#counters[slave * COLUMNS + column]!);
  }

  /** The id is handed out anew. */
  clear(slave: Slave): void {
    this.#counters.fill(0, slave * COLUMNS, (slave + 1) * COLUMNS);
  }
}

function newBuffer(options: StatisticsOptions): ArrayBufferLike {
  const bytes = (SLAVES_MAX + 1) * COLUMNS * Float64Array.BYTES_PER_ELEMENT;
  return options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
}

function named(pairs: readonly (readonly [reason: number, name: string])[]): string[] {
  const names = [""];
  for (const [reason, name] of pairs) names[reason] = name;
  return names;
}
