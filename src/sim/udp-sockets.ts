/** The UDP sockets of a namespace, RFC 768. */
import type { Ip } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as udp from "../wire/udp.ts";
import type { Failure } from "./icmp-errors.ts";
import type { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";
import { Ports, portKey, type Width } from "./ports.ts";

export interface UdpUser {
  onDatagram(ends: packets.Ends, payload: Uint8Array): void;
  /** Somebody told that what was sent has not arrived. */
  onFailure?(failure: Failure): void;
}

export interface UdpSocket {
  readonly port: number;
  /** `src`: undefined, the address that packets there come from. False: there is no way. */
  send(to: Ip, port: number, payload: Uint8Array, src?: Ip): boolean;
  close(): void;
}

export class UdpSockets {
  readonly #netns: Namespace;
  readonly #users: Ports<UdpUser> = new Ports();

  constructor(netns: Namespace) {
    this.#netns = netns;
  }

  /** `port` 0: one that is free. Undefined: it is in use, or there are too many sockets. */
  bind(width: Width, port: number, user: UdpUser): UdpSocket | undefined {
    const own = this.#users.add(width, port, user);
    if (own === undefined) return undefined;
    return {
      port: own,
      send: (dst, dstPort, payload, from) => {
        const src = from ?? this.#netns.sourceFor(dst);
        const ends = src && { src, dst, srcPort: own, dstPort };
        return ends !== undefined && this.#netns.output(packets.datagram(ends, payload));
      },
      close: () => this.#users.remove(width, own),
    };
  }

  /** A datagram for this namespace. Undefined: somebody has it. */
  hear(f: Frame): string | undefined {
    const at = packets.payloadAt(f);
    if (!udp.check(f, at)) return "bad-header";
    const isChecked = packets.isIpv6(f) || udp.checksum(f, at) !== 0;
    if (isChecked && !packets.isSound(f)) return "bad-checksum";
    const [srcPort, dstPort] = [udp.srcPort(f, at), udp.dstPort(f, at)];
    const [src, dst] = [packets.srcOf(f), packets.dstOf(f)];
    const user = this.#users.find(portKey(src.length, dstPort));
    if (user === undefined) return this.#netns.refuse(f, "no port");
    const payload = packets.bytesAt(f, udp.payloadAt(at), udp.length(f, at) - udp.HEADER);
    user.onDatagram({ src, dst, srcPort, dstPort }, payload);
    return undefined;
  }

  /** A datagram of ours has come to nothing. */
  fail(about: Frame, failure: Failure): void {
    const port = udp.srcPort(about, packets.payloadAt(about));
    this.#users.find(portKey(packets.srcOf(about).length, port))?.onFailure?.(failure);
  }
}
