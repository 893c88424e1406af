/**
 * Single UDP datagrams over IPv4 between namespaces, and where each claims to come from. Listens on a raw socket,
 * whose datagrams bring their IP header along.
 */
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { formatIp, ip4FromNumber, parseIp } from "../src/wire/address.ts";
import { Frame } from "../src/wire/frame.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import * as udp from "../src/wire/udp.ts";

const IPPROTO_UDP = 17;

export class UdpEnd {
  readonly #port: number;
  readonly #socket: number;
  readonly #listener: number;

  /** `netns` as `withNetns` takes it. */
  constructor(netns: string, port: number) {
    this.#port = port;
    const nonBlocking = sys.SOCK_NONBLOCK;
    [this.#socket, this.#listener] = withNetns(netns, () => [
      // Without somebody on the port the kernel would answer with "port unreachable".
      sys.socket(sys.AF_INET, sys.SOCK_DGRAM | nonBlocking, 0),
      sys.socket(sys.AF_INET, sys.SOCK_RAW | nonBlocking, IPPROTO_UDP),
    ]) as [number, number];
    sys.bind(this.#socket, sockaddrIn("0.0.0.0", port));
  }

  /** A refusal is no error: what counts is whether it arrives. */
  send(address: string, port: number, payload: string): void {
    sys.sendto(this.#socket, Buffer.from(payload), sockaddrIn(address, port));
  }

  /** `address:port` that a datagram with this payload came from, if it came since the last call. */
  findSource(payload: string): string | undefined {
    const buffer = Buffer.alloc(2048);
    let source: string | undefined;
    for (;;) {
      const length = Number(sys.receive(this.#listener, buffer));
      if (length < 0) return source;
      const f = new Frame().set(buffer, 0, length);
      const at = ipv4.payloadAt(f, 0);
      const text = buffer.toString("latin1", udp.payloadAt(at), length);
      if (udp.dstPort(f, at) === this.#port && text === payload)
        source = `${formatIp(ip4FromNumber(ipv4.src(f, 0)))}:${udp.srcPort(f, at)}`;
    }
  }

  close(): void {
    sys.close(this.#socket);
    sys.close(this.#listener);
  }
}

/** struct sockaddr_in. */
function sockaddrIn(address: string, port: number): Uint8Array {
  const addr = Buffer.alloc(16);
  addr.writeUInt16LE(sys.AF_INET, 0);
  addr.writeUInt16BE(port, 2);
  addr.set(parseIp(address)!, 4);
  return addr;
}
