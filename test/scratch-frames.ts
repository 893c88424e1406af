/** Frames sent out of a device, and those that a device hands to its protocols. */

import { withNetns } from "../src/linux/netns.ts";
import { packetAddress } from "../src/linux/packet.ts";
import * as sys from "../src/linux/sys.ts";
import type { Scratch } from "./scratch-netns.ts";

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Sends out of one device of a namespace. */
export function sender(
  scratch: Scratch,
  netns: number,
  ifindex: number,
): (frame: Uint8Array) => void {
  const fd = open(scratch, netns, ifindex, 0);
  return (frame) => {
    if (sys.send(fd, frame) < 0) throw new sys.SysError(`send ${toHex(frame)}`, sys.errno());
  };
}

/**
 * Sees what passes the ingress hook: a socket for one ethertype stands behind it, one for all before. Tags are
 * off by then.
 */
export class Stack {
  readonly #fds: readonly number[];
  readonly #buffer = Buffer.alloc(2048);
  /** In hex, in the order they came in per ethertype. */
  readonly seen: string[] = [];

  constructor(scratch: Scratch, netns: number, ifindex: number, ethertypes: readonly number[]) {
    this.#fds = ethertypes.map((type) => open(scratch, netns, ifindex, type));
  }

  drain(): void {
    for (const fd of this.#fds)
      for (;;) {
        const length = sys.receive(fd, this.#buffer);
        if (length < 0) break;
        this.seen.push(toHex(this.#buffer.subarray(0, length)));
      }
  }

  /** Until a frame has come in that nobody drops, and all that was sent before it had its time. */
  settle(send: (frame: Uint8Array) => void, marker: Uint8Array): void {
    send(marker);
    const end = performance.now() + 5000;
    do {
      sleep(10);
      this.drain();
    } while (!this.seen.includes(toHex(marker)) && performance.now() < end);
    sleep(20);
    this.drain();
  }
}

function open(scratch: Scratch, netns: number, ifindex: number, ethertype: number): number {
  const fd = withNetns(netns, () => sys.socket(sys.AF_PACKET, sys.SOCK_RAW | sys.SOCK_NONBLOCK, 0));
  scratch.later(() => sys.close(fd));
  sys.bind(fd, packetAddress(ifindex, ethertype));
  return fd;
}

const sleep = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};
