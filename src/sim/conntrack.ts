/**
 * Connection tracking of a namespace (Linux: nf_conntrack): which packets belong together, and how long that is
 * remembered. A connection is in the table once its first packet has passed all hooks.
 */
import type { Ip } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import type { Clock } from "./clock.ts";
import { findAbout, isError } from "./icmp-errors.ts";
import * as packets from "./packets.ts";
import { findTuple, inverse, isOpening, type Tuple, tupleKey } from "./tuple.ts";

/** `untracked`: neighbour discovery. */
export type CtState = "new" | "established" | "related" | "invalid" | "untracked";
export type TcpState =
  | "SYN_SENT"
  | "SYN_RECV"
  | "ESTABLISHED"
  | "FIN_WAIT"
  | "LAST_ACK"
  | "TIME_WAIT"
  | "CLOSE";

export interface Connection {
  /** Of its first packet, as it was sent. */
  readonly original: Tuple;
  /** Of the answers, as they come: with translation not the other one's inverse. */
  reply: Tuple;
  isReplied: boolean;
  /** Whether it is in the table. */
  isConfirmed: boolean;
  /** Whether it is decided what its source is translated to, if to anything. */
  isTranslationDecided: boolean;
  untilMs: number;
  tcp: TcpState | undefined;
}

/** What a packet is to connection tracking. */
export interface Tracked {
  readonly state: CtState;
  readonly connection: Connection | undefined;
  /** Whether it goes to the one who began. */
  readonly isReply: boolean;
}

/** Linux: net.netfilter.nf_conntrack_max of a small host. More connections get no packets through. */
export const CONNECTIONS_MAX = 65_536;
/** Linux: net.netfilter.nf_conntrack_*_timeout. */
const ICMP_MS = 30_000;
const UDP_MS = 30_000;
const UDP_REPLIED_MS = 120_000;
const OTHERS_MS = 600_000;
const TCP_MS: Readonly<Record<TcpState, number>> = {
  SYN_SENT: 120_000,
  SYN_RECV: 60_000,
  ESTABLISHED: 432_000_000,
  FIN_WAIT: 120_000,
  LAST_ACK: 30_000,
  TIME_WAIT: 120_000,
  CLOSE: 10_000,
};
/** A full table is searched for old connections no more often than that. */
const SEARCH_MS = 1000;
/** Ports that take the place of one that is in use. */
const PORT_MIN = 1024;
const PORT_MAX = 65_535;

const UNTRACKED: Tracked = { state: "untracked", connection: undefined, isReply: false };
const INVALID: Tracked = { state: "invalid", connection: undefined, isReply: false };

export class Conntrack {
  readonly #clock: Clock;
  /** By the keys of both tuples. */
  readonly #byTuple: Map<string, Connection> = new Map();
  #searchedMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): readonly Connection[] {
    this.#forgetOld();
    return [...new Set(this.#byTuple.values())];
  }

  clear(): void {
    this.#byTuple.clear();
  }

  /** A packet that comes in or that this namespace sends. */
  track(f: Frame): Tracked {
    if (packets.isDiscovery(f)) return UNTRACKED;
    if (isError(f)) return this.#relate(f);
    const tuple = findTuple(f);
    if (tuple === undefined) return INVALID;
    const found = this.#find(tuple);
    if (found === undefined) return isOpening(f, tuple) ? this.#begin(f, tuple) : INVALID;
    const isReply = tupleKey(found.original) !== tupleKey(tuple);
    if (!isReply && isOver(found) && isSyn(f)) {
      this.#remove(found);
      return this.#begin(f, tuple);
    }
    if (isReply) found.isReplied = true;
    this.#refresh(found, f, isReply);
    return { state: found.isReplied ? "established" : "new", connection: found, isReply };
  }

  /** False: the table is full. */
  confirm(connection: Connection): boolean {
    if (connection.isConfirmed) return true;
    if (this.#byTuple.size >= 2 * CONNECTIONS_MAX && !this.#makeRoom()) return false;
    connection.isConfirmed = true;
    this.#byTuple.set(tupleKey(connection.original), connection);
    this.#byTuple.set(tupleKey(connection.reply), connection);
    return true;
  }

  /** The source is to be this address from now on. False: all of its ports are in use. */
  translate(connection: Connection, src: Ip): boolean {
    const { original } = connection;
    for (let tries = 0, port = original.srcPort; tries <= PORT_MAX - PORT_MIN; tries++) {
      const reply = inverse({ ...original, src, srcPort: port });
      if (this.#find(reply) === undefined) {
        connection.reply = reply;
        return true;
      }
      port = port < PORT_MIN || port >= PORT_MAX ? PORT_MIN : port + 1;
    }
    return false;
  }

  /** The connection of a packet that has been translated already, and whether it goes to the one who began. */
  findTranslated(
    f: Frame,
  ): { readonly connection: Connection; readonly isReply: boolean } | undefined {
    const tuple = findTuple(f);
    const connection = tuple && this.#find(inverse(tuple));
    if (tuple === undefined || connection === undefined) return undefined;
    return { connection, isReply: tupleKey(connection.original) === tupleKey(inverse(tuple)) };
  }

  /** An ICMP error belongs to the connection of the packet that it tells of. */
  #relate(f: Frame): Tracked {
    const about = findAbout(f);
    const found = about && this.findTranslated(about);
    if (found === undefined) return INVALID;
    return { state: "related", connection: found.connection, isReply: !found.isReply };
  }

  #begin(f: Frame, original: Tuple): Tracked {
    const connection: Connection = {
      original,
      reply: inverse(original),
      isReplied: false,
      isConfirmed: false,
      isTranslationDecided: false,
      untilMs: 0,
      tcp: original.protocol === tcp.PROTOCOL ? (isSyn(f) ? "SYN_SENT" : "ESTABLISHED") : undefined,
    };
    this.#refresh(connection, f, false);
    return { state: "new", connection, isReply: false };
  }

  #refresh(connection: Connection, f: Frame, isReply: boolean): void {
    const { protocol } = connection.original;
    if (connection.tcp !== undefined) connection.tcp = tcpAfter(connection.tcp, f, isReply);
    connection.untilMs = this.#clock.nowMs + timeoutMs(connection, protocol);
  }

  #find(tuple: Tuple): Connection | undefined {
    const found = this.#byTuple.get(tupleKey(tuple));
    if (found === undefined || found.untilMs > this.#clock.nowMs) return found;
    this.#remove(found);
    return undefined;
  }

  #remove(connection: Connection): void {
    this.#byTuple.delete(tupleKey(connection.original));
    this.#byTuple.delete(tupleKey(connection.reply));
  }

  #makeRoom(): boolean {
    if (this.#clock.nowMs - this.#searchedMs < SEARCH_MS) return false;
    this.#searchedMs = this.#clock.nowMs;
    this.#forgetOld();
    return this.#byTuple.size < 2 * CONNECTIONS_MAX;
  }

  #forgetOld(): void {
    for (const connection of this.#byTuple.values())
      if (connection.untilMs <= this.#clock.nowMs) this.#remove(connection);
  }
}

export const isTranslated = ({ original, reply }: Connection): boolean =>
  tupleKey(inverse(original)) !== tupleKey(reply);

function timeoutMs({ tcp: state, isReplied }: Connection, protocol: number): number {
  if (state !== undefined) return TCP_MS[state];
  if (protocol === icmp.PROTOCOL || protocol === icmp.PROTOCOL6) return ICMP_MS;
  if (protocol !== udp.PROTOCOL) return OTHERS_MS;
  return isReplied ? UDP_REPLIED_MS : UDP_MS;
}

const flagsOf = (f: Frame): number => tcp.flags(f, packets.payloadAt(f));
const isSyn = (f: Frame): boolean => (flagsOf(f) & (tcp.SYN | tcp.ACK)) === tcp.SYN;
const isOver = ({ tcp: state }: Connection): boolean => state === "TIME_WAIT" || state === "CLOSE";

/** A coarse version of Linux's tcp_conntracks[]. */
function tcpAfter(state: TcpState, f: Frame, isReply: boolean): TcpState {
  const flags = flagsOf(f);
  if ((flags & tcp.RST) !== 0) return "CLOSE";
  if ((flags & tcp.FIN) !== 0) return state === "FIN_WAIT" ? "LAST_ACK" : "FIN_WAIT";
  if (state === "SYN_SENT" && isReply && (flags & tcp.SYN) !== 0) return "SYN_RECV";
  if (state === "SYN_RECV" && !isReply && (flags & tcp.ACK) !== 0) return "ESTABLISHED";
  return state === "LAST_ACK" ? "TIME_WAIT" : state;
}
