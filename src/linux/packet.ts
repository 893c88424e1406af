/**
 * Packet sockets, man: packet(7). Theory of operation:
 *
 * A `PacketRing` receives one device's frames in memory shared with the kernel (TPACKET_V2: one slot per
 * frame, and it wakes for every frame; V3 collects blocks and delays them). Slots hold an Ethernet MTU;
 * larger frames (GSO super-frames, up to 64 KiB) are queued whole on the socket as well (PACKET_COPY_THRESH)
 * and read from there, in order. PACKET_VNET_HDR puts ten bytes before each frame (struct virtio_net_hdr)
 * that say what of it is still to be done: segments to cut, a checksum to finish. They go out again with the
 * frame, so what one device left to the next is done by whoever does it best.
 *
 * A VLAN tag is not in the data: the kernel takes it off. The ring puts it back, into room before the frame.
 *
 * PACKET_QDISC_BYPASS must never be set: with it a frame to be segmented in software is silently lost.
 */
import { endianness } from "node:os";
import { checksum } from "../wire/checksum.ts";
import { type Frame, put16 } from "../wire/frame.ts";
import * as sys from "./sys.ts";

if (endianness() !== "LE") throw new Error("rings are read in the byte order of x86-64 and arm64");

/** struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset (little endian words). */
export const VNET_HEADER = 10;
const NEEDS_CSUM = 1;
const GSO_NONE = 0;
const SLOT = 2048;
/** Slots of one device's ring; the kernel wants whole pages, we powers of two. */
export const SLOTS_MIN = 128;
export const SLOTS_MAX = 1024;
/** A super-frame with its vnet header and a tag put back. */
const LARGEST = 1 << 17;

export const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_VERSION = 10;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_MR_ALLMULTI = 2;
const SO_ERROR = 4;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const TPACKET_V2 = 1;
/** Bytes each way: a super-frame must fit some dozen times. */
const SOCKET_BUFFER = 8 << 20;

// struct tpacket2_hdr, then struct sockaddr_ll
const STATUS = 0;
const LENGTH = 4;
const CAPTURED = 8;
const MAC = 12;
const TCI = 24;
const TPID = 26;
const STATUS_USER = 1;
const STATUS_COPY = 2;
const STATUS_VLAN = 0x10;
const STATUS_TPID = 0x40;
const ETH_P_8021Q = 0x8100;

/** struct sockaddr_ll. `protocol` 0: send only. */
export function packetAddress(ifindex: number, protocol: number = ETH_P_ALL): Buffer {
  const addr = Buffer.from(new ArrayBuffer(20));
  addr.writeUInt16LE(sys.AF_PACKET, 0);
  addr.writeUInt16BE(protocol, 2);
  addr.writeInt32LE(ifindex, 4);
  return addr;
}

/** A packet socket in this thread's namespace; nothing is queued before it is bound. */
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

/** Sends frames, each with its vnet header before it, to any device of the namespace it was opened in. */
export class PacketSender {
  readonly #fd: number;
  readonly #message: sys.MessageSender;
  readonly #ifindex: Int32Array;

  constructor() {
    const name = packetAddress(0, 0);
    this.#fd = openPacketSocket({ vnet: true });
    this.#message = new sys.MessageSender(name);
    this.#ifindex = new Int32Array(name.buffer, 4, 1);
  }

  /** `at`: address of the vnet header; `length`: of header and frame. False if the device refused it. */
  send(ifindex: number, at: number, length: number): boolean {
    this.#ifindex[0] = ifindex;
    return this.#message.send(this.#fd, at, length) >= 0;
  }

  close(): void {
    sys.close(this.#fd);
  }
}

/** All frames that arrive at one device of this thread's namespace. */
export class PacketRing {
  readonly fd: number;
  readonly ifindex: number;
  readonly #slots: number;
  readonly #at: number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  #slot = 0;

  constructor(ifindex: number, slots: number) {
    this.ifindex = ifindex;
    this.#slots = slots;
    this.fd = openPacketSocket({ vnet: true });
    try {
      this.#at = this.#open(ifindex, slots);
    } catch (error) {
      sys.close(this.fd);
      throw error;
    }
    const memory = sys.memory(this.#at, slots * SLOT);
    this.#bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.#halves = new Uint16Array(memory);
  }

  #open(ifindex: number, slots: number): number {
    const set = (option: number, value: number | Buffer) =>
      sys.setsockopt(this.fd, SOL_PACKET, option, value, `receive from device ${ifindex}`);
    set(PACKET_VERSION, TPACKET_V2);
    set(PACKET_IGNORE_OUTGOING, 1);
    set(PACKET_COPY_THRESH, 1);
    set(PACKET_RX_RING, ringRequest(slots));
    const at = sys.mapShared(this.fd, slots * SLOT, "map a receive ring");
    sys.bind(this.fd, packetAddress(ifindex), `receive from device ${ifindex}`);
    return at;
  }

  /**
   * Moves `f` to the next frame; false when there is none. The frame is valid until `release`, which must
   * come before the next call.
   */
  next(f: Frame): boolean {
    for (;;) {
      const slot = this.#slot * SLOT;
      const status = Atomics.load(this.#words, (slot + STATUS) >> 2);
      if ((status & STATUS_USER) === 0) return false;
      const there = status & STATUS_COPY ? this.#readLarge(f) : this.#inSlot(f, slot);
      if (there) {
        if (status & STATUS_VLAN)
          restoreTag(f, this.#tpid(slot, status), this.#halves[(slot + TCI) >> 1]!);
        return true;
      }
      this.release();
    }
  }

  /** Gives the slot back to the kernel. */
  release(): void {
    Atomics.store(this.#words, (this.#slot * SLOT + STATUS) >> 2, 0);
    this.#slot = this.#slot + 1 === this.#slots ? 0 : this.#slot + 1;
  }

  /**
   * After a wake-up without frames: takes note that the device went down, or epoll would wake for it for ever.
   * Frames come again when the device is up again.
   */
  clearError(): void {
    sys.getsockopt(this.fd, sys.SOL_SOCKET, SO_ERROR, 4);
  }

  /** Frames that found no slot since the last call; the kernel starts counting anew. */
  lost(): number {
    return sys.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, 8).readUInt32LE(4);
  }

  close(): void {
    sys.unmap(this.#at, this.#slots * SLOT);
    sys.close(this.fd);
  }

  #inSlot(f: Frame, slot: number): boolean {
    const captured = this.#words[(slot + CAPTURED) >> 2]!;
    // Longer than a slot, and the socket's queue had no room for the whole.
    if (captured !== this.#words[(slot + LENGTH) >> 2]!) return false;
    f.set(this.#bytes, slot + this.#halves[(slot + MAC) >> 1]!, captured);
    return true;
  }

  #readLarge(f: Frame): boolean {
    const length = Number(sys.readAt(this.fd, largeAt + TAG_ROOM, LARGEST));
    if (length < VNET_HEADER) return false;
    f.set(large, TAG_ROOM + VNET_HEADER, length - VNET_HEADER);
    return true;
  }

  #tpid(slot: number, status: number): number {
    return status & STATUS_TPID ? this.#halves[(slot + TPID) >> 1]! : ETH_P_8021Q;
  }
}

/** Address of the vnet header before a frame, for sending it from where it lies. */
export function headerAddress(f: Frame): number {
  let base = bases.get(f.bytes);
  if (base === undefined) {
    base = sys.addressOf(f.bytes);
    bases.set(f.bytes, base);
  }
  return base + f.start - VNET_HEADER;
}
const bases = new WeakMap<Uint8Array, number>();

/** Room to put a VLAN tag back before a super-frame. Slots have it by their alignment. */
const TAG_ROOM = 4;
/** One frame at a time is looked at, so one buffer serves all rings of a thread. */
const largeBuffer = Buffer.from(new ArrayBuffer(LARGEST + TAG_ROOM));
const large = new Uint8Array(largeBuffer.buffer);
const largeAt = sys.addressOf(largeBuffer);

/** struct tpacket_req. */
function ringRequest(slots: number): Buffer {
  const block = 1 << 16; // what the kernel must find in one piece
  const request = Buffer.alloc(16);
  request.writeUInt32LE(block, 0);
  request.writeUInt32LE((slots * SLOT) / block, 4);
  request.writeUInt32LE(SLOT, 8);
  request.writeUInt32LE(slots, 12);
  return request;
}

/** Moves vnet header and MACs down by four and writes the tag behind them; what counts from the frame's start follows. */
function restoreTag(f: Frame, tpid: number, tci: number): void {
  const header = f.start - VNET_HEADER;
  f.bytes.copyWithin(header - TAG_ROOM, header, header + VNET_HEADER + 12);
  f.start -= TAG_ROOM;
  f.length += TAG_ROOM;
  put16(f, 12, tpid);
  put16(f, 14, tci);
  const b = f.bytes;
  const vnet = f.start - VNET_HEADER;
  if (b[vnet]! & NEEDS_CSUM) addLittle16(b, vnet + 6, TAG_ROOM);
  if (b[vnet + 1] !== 0) addLittle16(b, vnet + 2, TAG_ROOM);
}

function addLittle16(b: Uint8Array, at: number, more: number): void {
  const sum = b[at]! + (b[at + 1]! << 8) + more;
  b[at] = sum;
  b[at + 1] = sum >> 8;
}

/** Whether the frame stands for several, still to be cut. */
export const isSuperFrame = (f: Frame): boolean => f.bytes[f.start - VNET_HEADER + 1] !== GSO_NONE;

/** Finishes the checksum that the sender's stack left to its device, for a way out that has no vnet header. */
export function finishChecksum(f: Frame): void {
  const vnet = f.start - VNET_HEADER;
  const b = f.bytes;
  if ((b[vnet]! & NEEDS_CSUM) === 0) return;
  const start = b[vnet + 6]! + (b[vnet + 7]! << 8);
  const field = start + b[vnet + 8]! + (b[vnet + 9]! << 8);
  put16(f, field, checksum(f, start, f.length - start));
  b[vnet]! &= ~NEEDS_CSUM;
}
