/**
 * Ping without `ping`, which a small machine has not: many at once, out of several namespaces, by raw ICMP
 * sockets. man: raw(7), RFC 792, RFC 4443.
 *
 * The first packets may fall while neighbours are being resolved, so each ping asks again and again until an answer
 * comes or the time is over.
 */
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { type Ip, parseIp } from "../src/wire/address.ts";
import { checksum } from "../src/wire/checksum.ts";
import { Frame, put16 } from "../src/wire/frame.ts";
import * as icmp from "../src/wire/icmp.ts";
import * as ipv4 from "../src/wire/ipv4.ts";

export interface Ping {
  /** Namespace to ask from, as `withNetns` takes it. */
  readonly netns: string;
  readonly to: string;
}

const INTERVAL_MS = 100;
const LENGTH = icmp.HEADER + 8;

/** Round-trip time of the first answer in milliseconds; undefined: none came within `timeoutMs`. */
export function ping({ netns, to }: Ping, timeoutMs: number): Promise<number | undefined> {
  const ip = parseIp(to);
  if (ip === undefined) throw new Error(`"${to}" is no address`);
  const echo = new EchoSocket(netns, ip);
  return new Promise((resolve) => {
    const finish = (time: number | undefined) => {
      watch.close();
      clearInterval(sending);
      clearTimeout(ending);
      echo.close();
      resolve(time);
    };
    const watch = sys.watch(echo.fd, () => {
      const time = echo.findAnswer();
      if (time !== undefined) finish(time);
    });
    const sending = setInterval(() => echo.ask(), INTERVAL_MS);
    const ending = setTimeout(finish, timeoutMs, undefined);
    echo.ask();
  });
}

/** Tells apart whose answer it is: a raw socket hears everybody's. */
function nextIdentifier(): number {
  lastIdentifier = (lastIdentifier + 1) & 0xffff;
  return lastIdentifier;
}
let lastIdentifier = 0;

/** One asker. It stays in the namespace it was opened in. */
class EchoSocket {
  readonly fd: number;
  readonly #is6: boolean;
  readonly #to: Uint8Array;
  readonly #identifier: number = nextIdentifier();
  readonly #sentAt: number[] = [];
  readonly #answer: Buffer = Buffer.alloc(2048);

  constructor(netns: string, ip: Ip) {
    this.#is6 = ip.length === 16;
    this.#to = this.#is6 ? sockaddrIn6(ip) : sockaddrIn(ip);
    const [family, protocol] = this.#is6
      ? [sys.AF_INET6, icmp.PROTOCOL6]
      : [sys.AF_INET, icmp.PROTOCOL];
    const type = sys.SOCK_RAW | sys.SOCK_NONBLOCK;
    this.fd = withNetns(netns, () => sys.socket(family, type, protocol, `ping from ${netns}`));
  }

  /** A refusal (no route, no neighbour) is no error: what counts is whether an answer comes. */
  ask(): void {
    const f = Frame.of(new Uint8Array(LENGTH));
    icmp.writeEcho(f, 0, {
      type: this.#is6 ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST,
      identifier: this.#identifier,
      sequence: this.#sentAt.length,
    });
    // With ICMPv6 the kernel does it, which alone knows the source address.
    if (!this.#is6) put16(f, 2, checksum(f, 0, LENGTH));
    this.#sentAt.push(performance.now());
    sys.sendto(this.fd, f.bytes, this.#to);
  }

  findAnswer(): number | undefined {
    for (;;) {
      const length = Number(sys.receive(this.fd, this.#answer));
      if (length < 0) return undefined;
      const f = new Frame().set(this.#answer, 0, length);
      // IPv4 sockets are given the IP header, too; IPv6 ones are not (RFC 3542 §3).
      const at = this.#is6 ? 0 : ipv4.headerLength(f, 0);
      const isAnswer = icmp.type(f, at) === (this.#is6 ? icmp.ECHO_REPLY6 : icmp.ECHO_REPLY);
      const sentAt = this.#sentAt[icmp.sequence(f, at)];
      if (isAnswer && icmp.identifier(f, at) === this.#identifier && sentAt !== undefined)
        return performance.now() - sentAt;
    }
  }

  close(): void {
    sys.close(this.fd);
  }
}

/** struct sockaddr_in. */
function sockaddrIn(ip: Ip): Uint8Array {
  const addr = Buffer.alloc(16);
  addr.writeUInt16LE(sys.AF_INET, 0);
  addr.set(ip, 4);
  return addr;
}

/** struct sockaddr_in6. */
function sockaddrIn6(ip: Ip): Uint8Array {
  const addr = Buffer.alloc(28);
  addr.writeUInt16LE(sys.AF_INET6, 0);
  addr.set(ip, 8);
  return addr;
}
