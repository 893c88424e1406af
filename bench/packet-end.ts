/** What the bench's programs that send and hear frames themselves have in common. */

import { getLink } from "../src/linux/netlink/link.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { openPacketSocket, packetAddress } from "../src/linux/packet.ts";
import * as sys from "../src/linux/sys.ts";

/** In this thread's namespace. Device 0: all. Protocol 0: sends only. */
export function openPacketEnd(ifindex: number, protocol: number): number {
  const fd = openPacketSocket({ vnet: false });
  sys.bind(fd, packetAddress(ifindex, protocol), "open a device for frames");
  return fd;
}

/** A device in this thread's namespace. */
export function deviceCalled(name: string): { index: number; mac: Uint8Array } {
  const socket = NetlinkSocket.open();
  try {
    const link = getLink(socket, name);
    if (link?.mac === undefined) throw new Error(`no device ${name}`);
    return { index: link.index, mac: link.mac };
  } finally {
    socket.close();
  }
}

/** Sleeps, and this thread with it. */
export function pause(ms: number): void {
  Atomics.wait(nothing, 0, 0, ms);
}
const nothing = new Int32Array(new SharedArrayBuffer(4));

/** `part` 0.5: the median. */
export const quantile = (figures: readonly number[], part: number): number =>
  [...figures].sort((a, b) => a - b)[Math.floor(figures.length * part)]!;
