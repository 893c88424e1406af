/** A host's link to others, for tests of where packets go: m0 in one namespace, w0 in another. */
import { addAddress, deleteAddress, IFA_F_NODAD } from "../src/linux/netlink/address.ts";
import { addVeth, getLink, setLink } from "../src/linux/netlink/link.ts";
import { getRoute } from "../src/linux/netlink/route.ts";
import type { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import type { Scratch } from "./scratch-netns.ts";
import { ip, mac } from "./topology.ts";

const WAIT_MS = 3000;

export interface Link {
  readonly netns: number;
  readonly lanNetns: number;
  readonly socket: NetlinkSocket;
  readonly lan: NetlinkSocket;
  /** m0's index, and w0's. */
  readonly master: number;
  readonly far: number;
}

/**
 *     m0 02:00:00:00:00:02  10.0.0.2/24 fd00::2/64 fe80::2/64
 *     w0 02:00:00:00:00:01  10.0.0.1/24 fd00::1/64
 */
export function linkToLan(scratch: Scratch): Link {
  const [netns, lanNetns] = [scratch.namespace(), scratch.namespace()];
  const [socket, lan] = [scratch.socket(netns), scratch.socket(lanNetns)];
  const peer = { name: "w0", mac: mac("w0"), netnsFd: lanNetns };
  const { index } = addVeth(socket, { name: "m0", mac: mac("own"), peer });
  setLink(socket, index, { addrGenModeNone: true });
  setLink(socket, index, { up: true });
  const far = getLink(lan, "w0")!.index;
  setLink(lan, far, { up: true });
  const nodad = { flags: IFA_F_NODAD };
  for (const [ends, ifindex, last] of [
    [socket, index, 2],
    [lan, far, 1],
  ] as const) {
    addAddress(ends, { ...nodad, ifindex, ip: ip(`10.0.0.${last}`), prefixLength: 24 });
    addAddress(ends, { ...nodad, ifindex, ip: ip(`fd00::${last}`), prefixLength: 64 });
  }
  // Solicitations leave from a link-local address.
  addAddress(socket, { ...nodad, ifindex: index, ip: ip("fe80::2"), prefixLength: 64 });
  const isReady = (of: NetlinkSocket, ifindex: number, own: string) =>
    getLink(of, ifindex)!.operstate === "UP" && getRoute(of, { dst: ip(own) })?.type === "local";
  until(() => isReady(socket, index, "fd00::2") && isReady(lan, far, "fd00::1"));
  return { netns, lanNetns, socket, lan, master: index, far };
}

/** Gives w0 another address, or takes it. */
export function claim({ lan, far }: Link, address: string): void {
  const prefixLength = address.includes(":") ? 64 : 24;
  addAddress(lan, { ifindex: far, ip: ip(address), prefixLength, flags: IFA_F_NODAD });
}
export function disclaim({ lan, far }: Link, address: string): void {
  const prefixLength = address.includes(":") ? 64 : 24;
  deleteAddress(lan, { ifindex: far, ip: ip(address), prefixLength });
}

/** Asks again until it is so. */
export function until(isSo: () => boolean): void {
  const end = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${isSo}`);
    sleep(2);
  }
}

export const sleep = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};
