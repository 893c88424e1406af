/** The TCP sockets of a namespace: who listens, and which connection a segment is of. */
import type { Ip } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as tcp from "../wire/tcp.ts";
import type { Failure } from "./icmp-errors.ts";
import type { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";
import { Ports, portKey, SOCKETS_MAX, type Width } from "./ports.ts";
import type { Simulation } from "./simulation.ts";
import { TcpConnection, type TcpUser } from "./tcp.ts";
import { tupleKey } from "./tuple.ts";

/** Somebody has connected. */
export type Accept = (connection: TcpConnection) => TcpUser;

export class TcpSockets {
  readonly #netns: Namespace;
  readonly #simulation: Simulation;
  readonly #listeners: Ports<Accept> = new Ports();
  /** By the tuple of what they receive. */
  readonly #connections: Map<string, TcpConnection> = new Map();

  constructor(netns: Namespace, simulation: Simulation) {
    this.#netns = netns;
    this.#simulation = simulation;
  }

  /** False: somebody listens there already. */
  listen(width: Width, port: number, accept: Accept): boolean {
    return this.#listeners.add(width, port, accept) !== undefined;
  }

  /** Undefined: there is no way, or there are too many connections. */
  connect(dst: Ip, dstPort: number, user: TcpUser): TcpConnection | undefined {
    const src = this.#netns.sourceFor(dst);
    if (src === undefined || this.#connections.size >= SOCKETS_MAX) return undefined;
    const endsFrom = (srcPort: number) => ({ src, dst, srcPort, dstPort });
    const port = this.#listeners.next((free) => !this.#connections.has(keyOf(endsFrom(free))));
    const connection = this.#make(endsFrom(port));
    return connection.connect(user) ? connection : undefined;
  }

  /** A segment for this namespace. Undefined: somebody has it. */
  hear(f: Frame): string | undefined {
    const at = packets.payloadAt(f);
    if (!tcp.check(f, at)) return "bad-header";
    if (!packets.isSound(f)) return "bad-checksum";
    const [srcPort, dstPort] = [tcp.srcPort(f, at), tcp.dstPort(f, at)];
    const ends = {
      src: packets.dstOf(f),
      dst: packets.srcOf(f),
      srcPort: dstPort,
      dstPort: srcPort,
    };
    const known = this.#connections.get(keyOf(ends));
    if (known !== undefined) {
      known.hear(f);
      return undefined;
    }
    const flags = tcp.flags(f, at);
    const accept = this.#listeners.find(portKey(ends.src.length, dstPort));
    if (accept !== undefined && (flags & (tcp.SYN | tcp.ACK | tcp.RST)) === tcp.SYN)
      return this.#accept(ends, f, accept);
    if ((flags & tcp.RST) === 0) this.#netns.output(packets.segment(ends, refusalOf(f), NOTHING));
    return accept === undefined ? "no-port" : "no-connection";
  }

  /** A segment of ours has come to nothing. */
  fail(about: Frame, failure: Failure): void {
    const at = packets.payloadAt(about);
    const [srcPort, dstPort] = [tcp.srcPort(about, at), tcp.dstPort(about, at)];
    const ends = { src: packets.srcOf(about), dst: packets.dstOf(about), srcPort, dstPort };
    this.#connections.get(keyOf(ends))?.fail(failure);
  }

  #accept(ends: packets.Ends, f: Frame, accept: Accept): string | undefined {
    if (this.#connections.size >= SOCKETS_MAX) return "no-port";
    this.#make(ends).accept(f, accept);
    return undefined;
  }

  #make(ends: packets.Ends): TcpConnection {
    const key = keyOf(ends);
    const connection = new TcpConnection({
      clock: this.#simulation.clock,
      first: Math.floor(this.#simulation.random() * 2 ** 32),
      isIpv6: ends.src.length === 16,
      send: (fields, payload) => this.#netns.output(packets.segment(ends, fields, payload)),
      forget: () => this.#connections.delete(key),
    });
    this.#connections.set(key, connection);
    return connection;
  }
}

const NOTHING = new Uint8Array(0);

const keyOf = (ends: packets.Ends): string => tupleKey({ protocol: tcp.PROTOCOL, ...ends });

/** To who sends to nobody: RFC 9293 §3.10.7.1. */
function refusalOf(f: Frame): packets.SegmentFields {
  const at = packets.payloadAt(f);
  const flags = tcp.flags(f, at);
  if ((flags & tcp.ACK) !== 0)
    return { sequence: tcp.acknowledgement(f, at), acknowledgement: 0, flags: tcp.RST, window: 0 };
  const data = packets.payloadLength(f) - tcp.headerLength(f, at);
  const length = data + ((flags & tcp.SYN) !== 0 ? 1 : 0) + ((flags & tcp.FIN) !== 0 ? 1 : 0);
  const acknowledgement = (tcp.sequence(f, at) + length) >>> 0;
  return { sequence: 0, acknowledgement, flags: tcp.RST | tcp.ACK, window: 0 };
}
