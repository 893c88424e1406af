/**
 * Where real frames are watched, as in the recordings (test/kernel/README.md): packet sockets on the wire's far
 * end and on the slaves; on the master sockets bound to one protocol each, which see what is left for its stack
 * behind everything that may take frames away; and a UDP socket in every namespace.
 */
import { withNetns } from "../../src/linux/netns.ts";
import { openPacketSocket, packetAddress } from "../../src/linux/packet.ts";
import { openRing, PacketRing, SLOT_LARGE } from "../../src/linux/ring.ts";
import * as sys from "../../src/linux/sys.ts";
import { type Ip, isLinkLocal6 } from "../../src/wire/address.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { Frame, u16 } from "../../src/wire/frame.ts";
import { devicesOf, type Lab, WIRE } from "./lab.ts";
import type { Case, Device } from "./recording.ts";

type Saw = (place: string, bytes: Uint8Array) => void;

interface Tap {
  drain(saw: Saw): void;
}

/** All packet sockets of a lab. */
export class FrameTaps {
  readonly #taps: readonly Tap[];

  static async open(lab: Lab, cases: readonly Case[]): Promise<FrameTaps> {
    const { outside, master, slaves } = lab;
    return new FrameTaps([
      await deviceTap(outside, WIRE),
      ...(await Promise.all(slaves.map((slave) => deviceTap(slave, slave.name)))),
      ...protocolsOf(cases).map((protocol) => stackTap(master, lab.stack, protocol)),
    ]);
  }

  private constructor(taps: readonly Tap[]) {
    this.#taps = taps;
  }

  drain(saw: Saw): void {
    for (const tap of this.#taps) tap.drain(saw);
  }
}

async function deviceTap(device: Device, place: string): Promise<Tap> {
  const ifindex = getIndex(device);
  const ring = new PacketRing(
    await withNetns(device.namespace, () => openRing(ifindex, SLOT_LARGE)),
  );
  const f = new Frame();
  return {
    drain(saw) {
      for (; ring.next(f); ring.release()) saw(place, f.view().slice());
    },
  };
}

function stackTap(device: Device, place: string, protocol: number): Tap {
  const fd = withNetns(device.namespace, () => {
    const socket = openPacketSocket({ vnet: false });
    sys.bind(socket, packetAddress(getIndex(device), protocol), `listen on ${device.name}`);
    return socket;
  });
  return {
    drain(saw) {
      for (;;) {
        const length = sys.receive(fd, buffer);
        if (length < 0) return;
        saw(place, buffer.slice(0, length));
      }
    },
  };
}

/** Larger than any frame: one that is cut would be taken for another. */
const buffer = new Uint8Array(1 << 16);

export const getIndex = ({ name, namespace }: Device): number => {
  const index = withNetns(namespace, () => sys.ifIndex(name));
  if (index === 0) throw new Error(`${namespace} has no device ${name}`);
  return index;
};

// What a type below 1536 is to the kernel: eth_type_trans().
const ETH_P_802_3 = 1;
const ETH_P_802_2 = 4;

/** As a stack would sort the frames of the cases, before and behind their tags. */
function protocolsOf(cases: readonly Case[]): number[] {
  const protocols = new Set([eth.ETH_P_IP, eth.ETH_P_IPV6, eth.ETH_P_ARP]);
  for (const { frame } of cases) {
    const f = Frame.of(frame ?? new Uint8Array());
    let at = 12;
    for (; eth.isTag(u16(f, at)); at += eth.TAG) protocols.add(u16(f, at));
    const type = u16(f, at);
    if (type >= 1536) protocols.add(type);
    else if (f.length > at + 2)
      protocols.add(u16(f, at + 2) === 0xffff ? ETH_P_802_3 : ETH_P_802_2);
  }
  return [...protocols];
}

/** A UDP socket per namespace and family, on the recording's port; a member of the groups listed. */
export class DatagramTaps {
  readonly #sockets: ReadonlyMap<string, Sockets>;
  readonly #port: number;

  constructor(lab: Lab) {
    this.#port = lab.udpPort;
    this.#sockets = new Map(devicesOf(lab).map((d) => [d.namespace, openSockets(d, lab.udpPort)]));
  }

  /** Payloads that have come since the last call, by namespace. */
  take(): Map<string, string[]> {
    const got = new Map<string, string[]>();
    for (const [namespace, { four, six }] of this.#sockets)
      got.set(namespace, [...receiveAll(four), ...receiveAll(six)]);
    return got;
  }

  /** Through the namespace's own stack; what that refuses is not sent, as in the recording. */
  send(device: Device, dst: Ip, payload: Uint8Array): void {
    const { four, six } = this.#sockets.get(device.namespace)!;
    sys.sendto(dst.length === 4 ? four : six, payload, socketAddress(dst, this.#port, device));
  }
}

interface Sockets {
  readonly four: number;
  readonly six: number;
}

const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const SO_BROADCAST = 6;
const IP_MULTICAST_IF = 32;
const IP_ADD_MEMBERSHIP = 35;
const IPV6_MULTICAST_IF = 17;
const IPV6_JOIN_GROUP = 20;
const IPV6_V6ONLY = 26;

function openSockets(device: Device, port: number): Sockets {
  const doing = `open a UDP socket in ${device.namespace}`;
  const index = getIndex(device);
  const [four, six] = withNetns(device.namespace, () => [
    sys.socket(sys.AF_INET, sys.SOCK_DGRAM, 0, doing),
    sys.socket(sys.AF_INET6, sys.SOCK_DGRAM, 0, doing),
  ]);
  sys.setsockopt(four, sys.SOL_SOCKET, SO_BROADCAST, 1, doing);
  sys.setsockopt(four, IPPROTO_IP, IP_MULTICAST_IF, groupRequest(ANY4, index), doing);
  sys.setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, 1, doing);
  sys.setsockopt(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, doing);
  for (const group of device.groups)
    if (group.length === 4)
      sys.setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, groupRequest(group, index), doing);
    else sys.setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, groupRequest(group, index), doing);
  sys.bind(four, socketAddress(ANY4, port, device), doing);
  sys.bind(six, socketAddress(ANY6, port, device), doing);
  return { four, six };
}

const ANY4: Ip = new Uint8Array(4);
const ANY6: Ip = new Uint8Array(16);

function receiveAll(fd: number): string[] {
  const got: string[] = [];
  for (let n = sys.receive(fd, buffer); n >= 0; n = sys.receive(fd, buffer))
    got.push(Buffer.from(buffer.subarray(0, n)).toString("hex"));
  return got;
}

/** struct ip_mreqn, or struct ipv6_mreq. */
function groupRequest(group: Ip, ifindex: number): Buffer {
  const local = group.length === 4 ? ANY4 : Uint8Array.of();
  const request = Buffer.concat([group, local, Buffer.alloc(4)]);
  request.writeInt32LE(ifindex, request.length - 4);
  return request;
}

/** struct sockaddr_in, or struct sockaddr_in6 with the device as zone of what is link-local. */
function socketAddress(ip: Ip, port: number, device: Device): Buffer {
  const address = Buffer.alloc(ip.length === 4 ? 16 : 28);
  address.writeUInt16LE(ip.length === 4 ? sys.AF_INET : sys.AF_INET6, 0);
  address.writeUInt16BE(port, 2);
  address.set(ip, ip.length === 4 ? 4 : 8);
  if (needsZone(ip)) address.writeUInt32LE(getIndex(device), 24);
  return address;
}

/** Link-local addresses and groups: fe80::/10 and ff02::/16. */
const needsZone = (ip: Ip): boolean =>
  isLinkLocal6(ip) || (ip.length === 16 && ip[0] === 0xff && (ip[1]! & 0x0f) === 2);
