/** Who may change what: who has CAP_NET_ADMIN over the user namespace that owns the network namespace, as in the kernel. */
import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import { openNetns } from "../linux/netns.ts";
import { findPeer, ownersOf, type Peer, type UserNamespace } from "../linux/userns.ts";
import type { Rights } from "./registry.ts";

const CAP_NET_ADMIN = 1n << 12n;
/** Stands for everybody who has no number in our user namespace: /proc/sys/kernel/overflowuid. */
const OVERFLOW_UID = 65534;

/** Of whoever is at the other end of a unix socket. */
export const rightsOf =
  (socket: Socket): Rights =>
  (netns) => {
    const peer = findPeer(descriptorOf(socket));
    if (peer === undefined) return false;
    const fd = openNetns(netns);
    try {
      return mayAdminister(peer, ownersOf(fd));
    } finally {
      closeSync(fd);
    }
  };

/** Node tells it nowhere else. -1: nobody is there any more. */
const descriptorOf = (socket: Socket): number =>
  (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;

/**
 * `owners`: the user namespace that owns what is to be changed, then the one it was made in, and so on. Kernel:
 * cap_capable().
 */
export function mayAdminister(peer: Peer, owners: readonly UserNamespace[]): boolean {
  const at = owners.findIndex(({ id }) => id === peer.userNamespace);
  if (at === -1) return false;
  const below = owners[at - 1];
  const hasMadeIt = below?.ownerUid === peer.uid && peer.uid !== OVERFLOW_UID;
  return hasMadeIt || (peer.capabilities & CAP_NET_ADMIN) !== 0n;
}
