/** Rings on devices that nobody else uses, and frames to send there, with their vnet headers. */
import assert from "node:assert/strict";
import { addVeth, getLink, setLink } from "../src/linux/netlink/link.ts";
import type { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { withNetns } from "../src/linux/netns.ts";
import { openPacketSocket, packetAddress } from "../src/linux/packet.ts";
import { closeRing, openRing, PacketRing, type RingSocket, SLOT_LARGE } from "../src/linux/ring.ts";
import * as sys from "../src/linux/sys.ts";
import { setSysctl } from "../src/linux/sysctl.ts";
import { headerAddress, TAG_ROOM, VNET_HEADER } from "../src/linux/vnet.ts";
import * as eth from "../src/wire/ethernet.ts";
import { Frame } from "../src/wire/frame.ts";
import type { Scratch } from "./scratch-netns.ts";

const NO_HEADER = "00".repeat(VNET_HEADER);
const MTU = 9000;

export interface Cables {
  readonly socket: NetlinkSocket;
  readonly index: (name: string) => number;
  readonly rings: { readonly a: PacketRing; readonly b: PacketRing; readonly d: PacketRing };
  readonly send: (name: string, ...frames: readonly Frame[]) => void;
}

/** Two cables: a = b, with rings on both ends, and c = d, with one on d. */
export async function cables(scratch: Scratch, slot: number = SLOT_LARGE): Promise<Cables> {
  const netns = scratch.namespace();
  const socket = scratch.socket(netns);
  // No stack sends anything by itself.
  withNetns(netns, () => setSysctl("ipv6/conf/default/disable_ipv6", 1));
  for (const [name, peer] of [
    ["a", "b"],
    ["c", "d"],
  ] as const) {
    addVeth(socket, { name, mtu: MTU, up: true, peer: { name: peer, mtu: MTU } });
    setLink(socket, getLink(socket, peer)!.index, { up: true });
  }
  const index = (name: string) => getLink(socket, name)!.index;
  const carries = (name: string) => getLink(socket, name)!.operstate === "UP";
  while (!["a", "b", "c", "d"].every(carries));
  const sockets = new Map<string, number>();
  const socketOn = (name: string): number => {
    const fd = sockets.get(name) ?? withNetns(netns, () => openPacketSocket({ vnet: true }));
    if (!sockets.has(name)) sys.bind(fd, packetAddress(index(name), 0));
    sockets.set(name, fd);
    return fd;
  };
  const opened: RingSocket[] = [];
  const open = async (name: string) => {
    const ring = await withNetns(netns, () => openRing(index(name), slot));
    opened.push(ring);
    return new PacketRing(ring);
  };
  scratch.later(() => {
    for (const fd of sockets.values()) sys.close(fd);
    for (const ring of opened) void closeRing(ring);
  });
  const rings = { a: await open("a"), b: await open("b"), d: await open("d") };
  const send = (name: string, ...frames: readonly Frame[]) => {
    for (const f of frames)
      assert.ok(sys.sendAt(socketOn(name), headerAddress(f), f.length + VNET_HEADER) > 0);
  };
  return { socket, index, rings, send };
}

/** With its vnet header in front. */
export function frame(bytes: Uint8Array, header: string = NO_HEADER): Frame {
  const before = TAG_ROOM + VNET_HEADER;
  const f = new Frame().set(new Uint8Array(before + bytes.length), before, bytes.length);
  f.bytes.set(Buffer.from(header, "hex"), TAG_ROOM);
  f.bytes.set(bytes, before);
  return f;
}

/** Of an ethertype without a protocol; every byte behind the MACs is told by length and seed. */
export function noise(length: number, seed: number = 0): Frame {
  const f = frame(Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff));
  eth.setDst(f, 0x0200, 0x22);
  eth.setSrc(f, 0x0200, 0x11);
  eth.setType(f, 0x88b5);
  return f;
}

/** A TCP segment of many sizes, to be cut and its checksums to be finished by the device. */
export function superFrame(): Frame {
  const packet = 40 + 30_000;
  const tcp4 = "0101 3600 a805 2200 1000".replaceAll(" ", "");
  const f = frame(Buffer.alloc(eth.HEADER + packet, "segment"), tcp4);
  const headers = `020000000022020000000011 0800
    4500${packet.toString(16)} 00004000 40060000 0a000001 0a000002
    1f901f91 00000001 00000001 50100400 00000000`;
  f.view().set(Buffer.from(headers.replaceAll(/\s/g, ""), "hex"));
  return f;
}
