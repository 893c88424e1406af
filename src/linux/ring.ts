/**
 * One device's frames: those it receives, in memory shared with the kernel, a ring of slots; and those to be sent out
 * of it. man: packet(7), Kernel: Documentation/networking/packet_mmap. Theory of operation:
 *
 * TPACKET_V2 has one slot per frame and wakes for every frame (V3 collects blocks and delays them). Frames
 * larger than a slot (GSO super-frames, up to 64 KiB) are queued whole on the socket as well (PACKET_COPY_THRESH)
 * and read from there, in order. A VLAN tag is not in the data, the kernel takes it off:
 * the ring puts it back, into room before the frame.
 *
 * Making and closing a ring waits tens of milliseconds for the whole kernel to be out of old ones (RCU). That
 * is not for the thread that moves frames: whoever has an event loop opens and closes the `RingSocket`, in the
 * background, and the data path's thread makes its `PacketRing` over the same memory.
 */
import { endianness } from "node:os";
import type { Frame } from "../wire/frame.ts";
import { openPacketSocket, packetAddress, SOL_PACKET } from "./packet.ts";
import * as sys from "./sys.ts";
import { headerAddress, restoreTag, TAG_ROOM, VNET_HEADER } from "./vnet.ts";

if (endianness() !== "LE") throw new Error("rings are read in the byte order of x86-64 and arm64");

/** Frames that wait: bursts, and what comes while this thread waits for a processor. */
export const SLOTS = 1024;
/** Bytes of a slot that holds an Ethernet MTU. */
export const SLOT_LARGE = 2048;
/** Of one for small frames only, where there are many rings. Larger frames cost a call more. */
export const SLOT_SMALL = 256;
/** What the kernel must find in one piece. */
const BLOCK = 1 << 16;
/** More than a super-frame with its vnet header. */
const LARGEST = 1 << 17;

const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_COPY_THRESH = 7;
const PACKET_VERSION = 10;
const PACKET_IGNORE_OUTGOING = 23;
const SO_ERROR = 4;
const TPACKET_V2 = 1;

// A slot: struct tpacket2_hdr, then struct sockaddr_ll.
const STATUS = 0;
const LENGTH = 4;
const CAPTURED = 8;
const MAC = 12;
const TCI = 24;
const TPID = 26;
const STATUS_USER = 1;
const STATUS_COPY = 2;
const STATUS_LOSING = 4;
const STATUS_VLAN = 0x10;
const STATUS_TPID = 0x40;
const ETH_P_8021Q = 0x8100;

/** A ring as threads hand it to each other. */
export interface RingSocket {
  readonly fd: number;
  readonly ifindex: number;
  /** Bytes of a slot. */
  readonly slot: number;
  /** Address of the mapped slots. */
  readonly at: number;
}

/** Of a device of the namespace this thread is in now. `slot`: SLOT_LARGE or SLOT_SMALL. */
export async function openRing(ifindex: number, slot: number): Promise<RingSocket> {
  const doing = `receive from device ${ifindex}`;
  const fd = openPacketSocket({ vnet: true });
  try {
    sys.setsockopt(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, doing);
    sys.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, doing);
    sys.setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, 1, doing);
    await sys.setsockoptLater(fd, SOL_PACKET, PACKET_RX_RING, ringRequest(slot), doing);
    const at = sys.mapShared(fd, SLOTS * slot, doing);
    sys.bind(fd, packetAddress(ifindex), doing);
    return { fd, ifindex, slot, at };
  } catch (error) {
    sys.close(fd);
    throw error;
  }
}

/** When nobody looks at its memory any more. */
export async function closeRing(ring: RingSocket): Promise<void> {
  sys.unmap(ring.at, SLOTS * ring.slot);
  await sys.closeLater(ring.fd);
}

/** struct tpacket_req. */
function ringRequest(slot: number): Buffer {
  const request = Buffer.alloc(16);
  request.writeUInt32LE(BLOCK, 0);
  request.writeUInt32LE((SLOTS * slot) / BLOCK, 4);
  request.writeUInt32LE(slot, 8);
  request.writeUInt32LE(SLOTS, 12);
  return request;
}

/** One thread's use of a ring. */
export class PacketRing {
  readonly fd: number;
  readonly #slot: number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  /** Where the slot of the next frame starts. */
  #at = 0;
  /** The kernel has counted frames that it lost. */
  #losing = false;
  /** Frames lost for want of room on the socket's queue. */
  #tooLarge = 0;
  #overflows = false;

  constructor(socket: RingSocket) {
    this.fd = socket.fd;
    this.#slot = socket.slot;
    const memory = sys.memory(socket.at, SLOTS * socket.slot);
    this.#bytes = new Uint8Array(memory);
    this.#words = new Int32Array(memory);
    this.#halves = new Uint16Array(memory);
  }

  /**
   * Moves `f` to the next frame; false when there is none. The frame is valid until `release`, which must
   * come before the next call.
   */
  next(f: Frame): boolean {
    for (;;) {
      const at = this.#at;
      const status = Atomics.load(this.#words, (at + STATUS) >> 2);
      if ((status & STATUS_USER) === 0) return false;
      if (status & STATUS_LOSING) this.#losing = true;
      const there = status & STATUS_COPY ? this.#readLarge(f) : this.#inSlot(f, at);
      if (there) {
        if (status & STATUS_VLAN)
          restoreTag(f, this.#tpid(at, status), this.#halves[(at + TCI) >> 1]!);
        return true;
      }
      this.#tooLarge++;
      this.release();
    }
  }

  /** Gives the slot back to the kernel. */
  release(): void {
    Atomics.store(this.#words, (this.#at + STATUS) >> 2, 0);
    this.#at = (this.#at + this.#slot) & (this.#bytes.length - 1); // a power of two
  }

  /** Sends a frame, its vnet header before it, out of the device, from where it lies; false if that refused it. */
  send(f: Frame): boolean {
    return sys.sendAt(this.fd, headerAddress(f), f.length + VNET_HEADER) >= 0;
  }

  /** Whether frames found no slot, when that was asked last. */
  get overflows(): boolean {
    return this.#overflows;
  }

  /** Frames that found no slot, or were too large for one and found no room elsewhere, since the last call. */
  takeLost(): number {
    const lost = this.#tooLarge;
    this.#tooLarge = 0;
    this.#overflows = this.#losing;
    if (!this.#losing) return lost;
    this.#losing = false;
    const TP_DROPS = 4;
    return lost + sys.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, 8).readUInt32LE(TP_DROPS);
  }

  /**
   * After a wake-up without frames: takes note that the device went down, or epoll would wake for it for ever.
   * Frames come again when the device is up again.
   */
  clearError(): void {
    sys.getsockopt(this.fd, sys.SOL_SOCKET, SO_ERROR, 4);
  }

  #inSlot(f: Frame, at: number): boolean {
    const captured = this.#words[(at + CAPTURED) >> 2]!;
    // Longer than a slot, and the socket's queue had no room for the whole.
    if (captured !== this.#words[(at + LENGTH) >> 2]!) return false;
    f.set(this.#bytes, at + this.#halves[(at + MAC) >> 1]!, captured);
    return true;
  }

  #readLarge(f: Frame): boolean {
    const length = Number(sys.readAt(this.fd, largeAt, LARGEST));
    if (length < VNET_HEADER) return false;
    f.set(large, TAG_ROOM + VNET_HEADER, length - VNET_HEADER);
    return true;
  }

  #tpid(at: number, status: number): number {
    return status & STATUS_TPID ? this.#halves[(at + TPID) >> 1]! : ETH_P_8021Q;
  }
}

/** One frame at a time is looked at, so one buffer serves all rings of a thread. */
const largeBuffer = Buffer.from(new ArrayBuffer(TAG_ROOM + LARGEST));
const large = new Uint8Array(largeBuffer.buffer);
const largeAt = sys.addressOf(largeBuffer) + TAG_ROOM;
