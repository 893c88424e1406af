/** Tells the neighbours who has an address now: gratuitous ARP (RFC 5227 §3), unsolicited advertisement (RFC 4861 §7.2.6). */
import { ETH_P_ALL, openPacketSocket, packetAddress } from "../linux/packet.ts";
import { close, sendto } from "../linux/sys.ts";
import { type Ip, ip4ToNumber, type Mac, macHigh, macLow, parseIp } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as ndisc from "../wire/ndisc.ts";

const ALL_NODES: Ip = parseIp("ff02::1")!;

/** In the namespace of the device. */
export function announce(ifindex: number, mac: Mac, ips: readonly Ip[]): void {
  const socket = openPacketSocket({ vnet: false });
  try {
    for (const ip of ips) {
      const frame = ip.length === 4 ? gratuitousArp(mac, ip) : advertisement(mac, ip);
      sendto(socket, frame.view(), packetAddress(ifindex, ETH_P_ALL));
    }
  } finally {
    close(socket);
  }
}

export function gratuitousArp(mac: Mac, ip: Ip): Frame {
  const frame = Frame.of(Buffer.alloc(ethernet.HEADER + arp.LENGTH));
  writeHeader(frame, mac, ethernet.ETH_P_ARP, 0xffff, 0xffffffff);
  const address = ip4ToNumber(ip);
  arp.write(frame, ethernet.HEADER, {
    operation: arp.REQUEST,
    senderMacHigh: macHigh(mac),
    senderMacLow: macLow(mac),
    sender: address,
    targetMacHigh: 0,
    targetMacLow: 0,
    target: address,
  });
  return frame;
}

export function advertisement(mac: Mac, ip: Ip): Frame {
  const payloadLength = ndisc.LENGTH + ndisc.LINK_LAYER_OPTION;
  const at = ethernet.HEADER;
  const frame = Frame.of(Buffer.alloc(at + ipv6.HEADER + payloadLength));
  writeHeader(frame, mac, ethernet.ETH_P_IPV6, ipv6.GROUP_MAC_HIGH, 1);
  const nextHeader = ndisc.NEXT_HEADER_ICMP6;
  ipv6.write(frame, at, { payloadLength, nextHeader, hopLimit: 255, src: ip, dst: ALL_NODES });
  ndisc.writeAdvertisement(frame, at, ndisc.OVERRIDE, ip);
  ndisc.writeLinkLayerOption(frame, at, ndisc.TARGET_LINK_LAYER, macHigh(mac), macLow(mac));
  icmp.fillChecksum6(frame, at);
  return frame;
}

function writeHeader(frame: Frame, mac: Mac, type: number, high: number, low: number): void {
  ethernet.setDst(frame, high, low);
  ethernet.setSrc(frame, macHigh(mac), macLow(mac));
  ethernet.setType(frame, type);
}
