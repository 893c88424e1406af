/**
 * A slave's packet for the master's namespace itself: raw sockets there, whose packets the kernel loops
 * through `lo` to whoever listens. Nothing can inject a frame into a device's receive path without tc, but
 * this is also where Linux's driver delivers in L3. man: raw(7).
 */

import * as sys from "../../linux/sys.ts";
import { finishChecksum, headerAddress, isSuperFrame, VNET_HEADER } from "../../linux/vnet.ts";
import * as eth from "../../wire/ethernet.ts";
import { type Frame, u8 } from "../../wire/frame.ts";
import * as ipv6 from "../../wire/ipv6.ts";

const RAW: number = sys.SOCK_RAW | sys.SOCK_NONBLOCK;
const IPPROTO_RAW = 255;
const SOL_IP = 0;
const IP_TRANSPARENT = 19;
const SOL_IPV6 = 41;
const IPV6_HDRINCL = 36;

export class HostSockets {
  readonly #fd4: number;
  /** Undefined where the kernel has no IPv6. */
  readonly #fd6: number | undefined;
  /** struct sockaddr_in, sockaddr_in6. */
  readonly #to4: Buffer = Buffer.alloc(16);
  readonly #to6: Buffer = Buffer.alloc(28);

  /** Opened in the master's namespace. `socket`: as the kernel's. */
  constructor(socket: typeof sys.socket = sys.socket) {
    this.#fd4 = socket(sys.AF_INET, RAW, IPPROTO_RAW, "open a raw socket");
    sys.setsockopt(this.#fd4, SOL_IP, IP_TRANSPARENT, 1, "send from slaves' addresses");
    this.#fd6 = openIpv6(socket);
    this.#to4.writeUInt16LE(sys.AF_INET, 0);
    this.#to6.writeUInt16LE(sys.AF_INET6, 0);
  }

  /** False for what cannot go this way: not IP, several packets in one frame, refused by the kernel. */
  send(f: Frame): boolean {
    if (isSuperFrame(f)) return false;
    finishChecksum(f);
    switch (eth.type(f)) {
      case eth.ETH_P_IP:
        copy(f, eth.HEADER + 16, this.#to4, 4, 4);
        return this.#sendTo(this.#fd4, f, this.#to4);
      case eth.ETH_P_IPV6:
        copy(f, ipv6.dstAt(eth.HEADER), this.#to6, 8, 16);
        return this.#fd6 !== undefined && this.#sendTo(this.#fd6, f, this.#to6);
    }
    return false;
  }

  close(): void {
    sys.close(this.#fd4);
    if (this.#fd6 !== undefined) sys.close(this.#fd6);
  }

  #sendTo(fd: number, f: Frame, to: Buffer): boolean {
    const packetAt = headerAddress(f) + VNET_HEADER + eth.HEADER;
    return sys.sendtoAt(fd, packetAt, f.length - eth.HEADER, to) >= 0;
  }
}

function openIpv6(socket: typeof sys.socket): number | undefined {
  try {
    const fd = socket(sys.AF_INET6, RAW, IPPROTO_RAW, "open a raw IPv6 socket");
    sys.setsockopt(fd, SOL_IPV6, IPV6_HDRINCL, 1, "send from slaves' addresses");
    return fd;
  } catch (error) {
    if (error instanceof sys.SysError && error.code === "EAFNOSUPPORT") return undefined;
    throw error;
  }
}

function copy(f: Frame, at: number, to: Uint8Array, toAt: number, count: number): void {
  for (let i = 0; i < count; i++) to[toAt + i] = u8(f, at + i);
}
