/**
 * Packet sockets, man: packet(7). Receiving rings are in ring.ts.
 *
 * PACKET_QDISC_BYPASS must never be set: with it a frame to be segmented in software is silently lost.
 */
import * as sys from "./sys.ts";

export const ETH_P_ALL = 3;
export const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_VNET_HDR = 15;
const PACKET_MR_ALLMULTI = 2;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
/** Bytes each way: a GSO super-frame must fit some dozen times. */
const SOCKET_BUFFER = 8 << 20;

/** struct sockaddr_ll. `protocol` 0: send only. */
export function packetAddress(ifindex: number, protocol: number = ETH_P_ALL): Buffer {
  const addr = Buffer.from(new ArrayBuffer(20));
  addr.writeUInt16LE(sys.AF_PACKET, 0);
  addr.writeUInt16BE(protocol, 2);
  addr.writeInt32LE(ifindex, 4);
  return addr;
}

/** A packet socket in this thread's namespace; nothing is queued before it is bound. `vnet`: see vnet.ts. */
export function openPacketSocket(options: { vnet: boolean }): number {
  const fd = sys.socket(sys.AF_PACKET, sys.SOCK_RAW | sys.SOCK_NONBLOCK, 0, "open a packet socket");
  try {
    if (options.vnet) sys.setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, 1, "ask for vnet headers");
    enlargeBuffers(fd);
    return fd;
  } catch (error) {
    sys.close(fd);
    throw error;
  }
}

function enlargeBuffers(fd: number): void {
  const set = (option: number) =>
    sys.setsockopt(fd, sys.SOL_SOCKET, option, SOCKET_BUFFER, "enlarge a socket's buffers");
  try {
    set(SO_SNDBUFFORCE);
    set(SO_RCVBUFFORCE);
  } catch {
    // Only root of the machine may pass the system's limit; what the limit allows will do.
    set(SO_SNDBUF);
    set(SO_RCVBUF);
  }
}

/** Receives group frames of all groups on a device, without making it promiscuous. */
export function receiveAllGroups(fd: number, ifindex: number): void {
  const request = Buffer.alloc(16); // struct packet_mreq
  request.writeInt32LE(ifindex, 0);
  request.writeUInt16LE(PACKET_MR_ALLMULTI, 4);
  sys.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, "receive all groups");
}
