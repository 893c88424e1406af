/** How a namespace hears and asks who has which address on a link: ARP, neighbour discovery, duplicate address detection. */
import { type Ip, type Mac, macFrom } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import type { Frame } from "../wire/frame.ts";
import * as ndisc from "../wire/ndisc.ts";
import type { Address } from "./address-table.ts";
import type { Device } from "./device.ts";
import type { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";
import { hasPrefix } from "./routes.ts";
import type { Simulation } from "./simulation.ts";

/** RFC 4862 §5.4.2: a random delay of up to this, then as long for an answer. */
const DAD_MS = 1000;

export class NeighbourDiscovery {
  readonly #netns: Namespace;
  readonly #simulation: Simulation;

  constructor(netns: Namespace, simulation: Simulation) {
    this.#netns = netns;
    this.#simulation = simulation;
  }

  hearArp(device: Device, f: Frame): void {
    const at = packets.IP;
    const [sender, target] = [packets.bytesAt(f, at + 14, 4), packets.bytesAt(f, at + 24, 4)];
    const mac = macFrom(arp.senderMacHigh(f, at), arp.senderMacLow(f, at));
    const neighbours = this.#netns.neighboursOf(device, 4);
    const isReply = arp.operation(f, at) === arp.REPLY;
    const isAsked = !isReply && this.#netns.isLocal(target);
    neighbours.learn(sender, mac, isReply, isAsked);
    if (isAsked)
      device.send(
        packets.arpPacket(arp.REPLY, { ip: target, mac: device.mac }, { ip: sender, mac }),
      );
  }

  hear(device: Device, f: Frame): void {
    const type = ndisc.type(f, packets.IP);
    if (type === ndisc.NEIGHBOUR_SOLICITATION) this.#hearSolicitation(device, f);
    else if (type === ndisc.NEIGHBOUR_ADVERTISEMENT) this.#hearAdvertisement(device, f);
  }

  /** Asks for the MAC of a neighbour: everybody, or who had it last. */
  ask(device: Device, ip: Ip, mac: Mac | undefined): void {
    if (ip.length === 4) this.#askByArp(device, ip, mac);
    else this.#askBySolicitation(device, ip, mac);
  }

  /** Duplicate address detection. */
  probe(address: Address): void {
    const { ip, device } = address;
    const isThere = () => device.isUp && this.#netns.findAddress(device, ip) === address;
    this.#simulation.clock.after(this.#simulation.random() * DAD_MS, () => {
      if (!isThere()) return;
      const group = packets.solicitedNode(ip);
      const probe = packets.solicitation(packets.UNSPECIFIED6, group, ip, device.mac);
      this.#send(device, probe, packets.groupMac(group));
      this.#simulation.clock.after(DAD_MS, () => {
        if (isThere()) address.isTentative = false;
      });
    });
  }

  #hearSolicitation(device: Device, f: Frame): void {
    const target = packets.bytesAt(f, ndisc.targetAt(packets.IP), 16);
    const ours = this.#netns.findAddress(device, target);
    if (ours === undefined) return;
    if (ndisc.isDadProbe(f, packets.IP)) {
      if (ours.isTentative) this.#netns.removeAddress(ours);
      else this.#advertise(device, target, packets.ALL_NODES, undefined, ndisc.OVERRIDE);
      return;
    }
    if (ours.isTentative) return;
    const src = packets.srcOf(f);
    const mac = optionMac(f, ndisc.SOURCE_LINK_LAYER) ?? srcMac(f);
    this.#netns.neighboursOf(device, 16).learn(src, mac, false, true);
    this.#advertise(device, target, src, mac, ndisc.SOLICITED | ndisc.OVERRIDE);
  }

  #hearAdvertisement(device: Device, f: Frame): void {
    const target = packets.bytesAt(f, ndisc.targetAt(packets.IP), 16);
    const ours = this.#netns.findAddress(device, target);
    if (ours !== undefined) {
      if (ours.isTentative) this.#netns.removeAddress(ours);
      return;
    }
    const mac = optionMac(f, ndisc.TARGET_LINK_LAYER) ?? srcMac(f);
    const isAnswer = (ndisc.flags(f, packets.IP) & ndisc.SOLICITED) !== 0;
    this.#netns.neighboursOf(device, 16).learn(target, mac, isAnswer, false);
  }

  #askByArp(device: Device, ip: Ip, mac: Mac | undefined): void {
    const own = this.#netns.addressesOf(device).filter((one) => one.ip.length === 4);
    const from = own.find((one) => hasPrefix(ip, one)) ?? own[0];
    const sender = { ip: from?.ip ?? new Uint8Array(4), mac: device.mac };
    device.send(packets.arpPacket(arp.REQUEST, sender, { ip, mac }));
  }

  #askBySolicitation(device: Device, ip: Ip, mac: Mac | undefined): void {
    const isUsable = (one: Address) => one.ip.length === 16 && !one.isTentative;
    const own = this.#netns.addressesOf(device).filter(isUsable);
    const from = own.find((one) => hasPrefix(ip, one)) ?? own[0];
    if (from === undefined) return;
    const to = mac === undefined ? packets.solicitedNode(ip) : ip;
    const f = packets.solicitation(from.ip, to, ip, device.mac);
    this.#send(device, f, mac ?? packets.groupMac(to));
  }

  #advertise(device: Device, target: Ip, to: Ip, mac: Mac | undefined, flags: number): void {
    const f = packets.advertisement(target, to, target, device.mac, flags);
    this.#send(device, f, mac ?? packets.groupMac(to));
  }

  #send(device: Device, f: Frame, mac: Mac): void {
    const passes =
      this.#netns.passes("output", f, undefined, device) &&
      this.#netns.passes("postrouting", f, undefined, device);
    if (passes) device.sendTo(f, mac);
  }
}

const srcMac = (f: Frame): Mac => macFrom(ethernet.srcHigh(f), ethernet.srcLow(f));

function optionMac(f: Frame, type: number): Mac | undefined {
  const option = ndisc.findOption(f, packets.IP, type);
  if (option < 0) return undefined;
  return macFrom(ndisc.optionMacHigh(f, option), ndisc.optionMacLow(f, option));
}
