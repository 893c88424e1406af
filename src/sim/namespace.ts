/**
 * A network namespace and its stack: devices, addresses, routes, neighbours, forwarding, echo. It does what Linux's stack
 * does with its default settings, as far as frames of an ipvlan port show it.
 */

import { linkLocal, sharedLinkLocal } from "../driver/link-local.ts";
import {
  type Ip,
  isLinkLocal6,
  type Mac,
  macFrom,
  macHigh,
  macLow,
  type Prefix,
  parseIp,
} from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as ndisc from "../wire/ndisc.ts";
import type { Device } from "./device.ts";
import { errorPacket, type Failure, findAbout, findFailure, mayBeTold } from "./icmp-errors.ts";
import { Neighbours } from "./neighbours.ts";
import * as packets from "./packets.ts";
import { hasPrefix, keyOf, Routes } from "./routes.ts";
import type { Simulation } from "./simulation.ts";

export interface Address extends Prefix {
  readonly device: Device;
  /** Nobody has said yet that it is his: RFC 4862 §5.4. */
  isTentative: boolean;
}

/** What a ping has heard. */
export interface Heard {
  readonly from: Ip;
  readonly tookMs: number;
  /** Undefined: it was the answer. */
  readonly failure?: Failure;
}

/** ICMP errors that a namespace tells in a second. Linux: `icmp_msgs_per_sec`. */
export const ERRORS_PER_SECOND_MAX = 1000;
/** Of a namespace. */
export const ADDRESSES_MAX = 65_536;
/** RFC 4862 §5.4.2: a random delay of up to this, then as long for an answer. */
const DAD_MS = 1000;
/** What `ping` sends. */
const ECHO_BYTES = 56;
/** Pings of a namespace that wait for their answer. */
export const PINGS_MAX = 65_536;

const LOOPBACK4: Prefix = { ip: Uint8Array.of(127, 0, 0, 1), length: 8 };
/** What lo has when it is up. */
const LOOPBACKS: readonly Prefix[] = [LOOPBACK4, { ip: parseIp("::1")!, length: 128 }];

export class Namespace {
  readonly name: string;
  readonly devices: Device[] = [];
  readonly routes: Readonly<Record<4 | 16, Routes>> = { 4: new Routes(), 16: new Routes() };
  /** Whether packets for others go on. Linux: net.ipv4.ip_forward, net.ipv6.conf.all.forwarding. */
  readonly isForwarding: Record<4 | 16, boolean> = { 4: false, 16: false };
  readonly #simulation: Simulation;
  /** By `keyOf`. One address may be on several devices. */
  readonly #addresses: Map<number | string, readonly Address[]> = new Map();
  readonly #byDevice: Map<Device, readonly Address[]> = new Map();
  readonly #neighbours: Map<Device, Readonly<Record<4 | 16, Neighbours>>> = new Map();
  /** By identifier. */
  readonly #pings: Map<number, (heard: Heard | undefined) => void> = new Map();
  /** Errors that were told since `#toldSinceMs`. */
  #told = 0;
  #toldSinceMs = 0;
  #lastPing = 0;

  constructor(name: string, simulation: Simulation) {
    this.name = name;
    this.#simulation = simulation;
  }

  findDevice(name: string): Device | undefined {
    return this.devices.find((device) => device.name === name);
  }

  /** It comes without addresses, and down. */
  add(device: Device): void {
    device.netns = this;
    this.devices.push(device);
    this.#neighbours.set(device, {
      4: this.#makeNeighbours(device, (ip, mac) => this.#askByArp(device, ip, mac)),
      16: this.#makeNeighbours(device, (ip, mac) => this.#askBySolicitation(device, ip, mac)),
    });
  }

  remove(device: Device): void {
    device.setUp(false);
    for (const address of this.addressesOf(device)) this.removeAddress(address);
    this.devices.splice(this.devices.indexOf(device), 1);
    this.#neighbours.delete(device);
    this.#byDevice.delete(device);
    device.netns = undefined;
  }

  neighboursOf(device: Device, length: 4 | 16): Neighbours {
    return this.#neighbours.get(device)![length];
  }

  addressesOf(device: Device): readonly Address[] {
    return this.#byDevice.get(device) ?? [];
  }

  /** False: the device has it already, or there are too many. */
  addAddress(device: Device, { ip, length }: Prefix, isProbed = true): boolean {
    const key = keyOf(ip);
    const same = this.#addresses.get(key) ?? [];
    if (
      same.some((one) => one.device === device && one.length === length) ||
      this.#addresses.size >= ADDRESSES_MAX
    )
      return false;
    const isTentative = ip.length === 16 && isProbed && !device.isNoarp;
    const address: Address = { ip, length, device, isTentative };
    this.#addresses.set(key, [...same, address]);
    this.#byDevice.set(device, [...this.addressesOf(device), address]);
    if (ip.length === 16) device.join(packets.groupMac(packets.solicitedNode(ip)));
    if (length < ip.length * 8 && !device.isLoopback)
      this.routes[widthOf(ip)].add({ to: { ip, length }, device, isOfAddress: true });
    device.follower?.addressAdded(ip);
    if (isTentative && device.isUp) this.#probe(address);
    return true;
  }

  removeAddress({ ip, length, device }: Address): void {
    const key = keyOf(ip);
    const rest = (this.#addresses.get(key) ?? []).filter(
      (one) => one.device !== device || one.length !== length,
    );
    if (rest.length > 0) this.#addresses.set(key, rest);
    else this.#addresses.delete(key);
    this.#byDevice.set(
      device,
      this.addressesOf(device).filter(
        (one) => !hasPrefix(one.ip, { ip, length: ip.length * 8 }) || one.length !== length,
      ),
    );
    if (ip.length === 16) device.leave(packets.groupMac(packets.solicitedNode(ip)));
    this.routes[widthOf(ip)].remove(
      (route) =>
        route.isOfAddress === true &&
        route.device === device &&
        route.to.length === length &&
        hasPrefix(ip, route.to),
    );
    device.follower?.addressRemoved(ip);
  }

  upChanged(device: Device): void {
    if (device.isUp && device.isLoopback) {
      for (const loopback of LOOPBACKS) this.addAddress(device, loopback);
      return;
    }
    if (device.isUp) {
      device.join(packets.groupMac(packets.ALL_NODES));
      const { mac, deviceId } = device;
      const ip = deviceId === 0 ? sharedLinkLocal(mac) : linkLocal(mac, deviceId);
      this.addAddress(device, { ip, length: 64 });
      for (const address of this.addressesOf(device)) if (address.isTentative) this.#probe(address);
      return;
    }
    device.leave(packets.groupMac(packets.ALL_NODES));
    for (const address of this.addressesOf(device))
      if (address.ip.length === 16) this.removeAddress(address); // Linux: keep_addr_on_down is 0
    for (const width of [4, 16] as const) {
      this.routes[width].remove((route) => route.device === device && route.isOfAddress !== true);
      this.neighboursOf(device, width).clear();
    }
  }

  /** Whether an address is this namespace's own. */
  isLocal(ip: Ip): boolean {
    return this.#addresses.has(keyOf(ip)) || (ip.length === 4 && hasPrefix(ip, LOOPBACK4));
  }

  /** A frame that a device has received. */
  receive(device: Device, f: Frame): void {
    const reason = this.#take(device, f);
    if (reason !== undefined) this.lose(device, f, reason);
  }

  /** A frame ends here. */
  lose(device: Device, f: Frame, reason: string): void {
    this.#simulation.witness?.lost(device, f, reason);
  }

  /** Sends a packet by the routes. Whether there is a way. */
  output(f: Frame): boolean {
    const dst = packets.dstOf(f);
    if (this.isLocal(dst)) {
      this.#simulation.clock.after(0, () => this.#deliver(f));
      return true;
    }
    const route = this.routes[widthOf(dst)].find(dst);
    if (route === undefined) return false;
    this.#transmit(route.device, f, route.via ?? dst);
    return true;
  }

  /** Sends a packet out of this device, whatever other routes say; what is for this namespace stays in it. */
  outputBy(device: Device, f: Frame, isOnLinkElse: boolean): boolean {
    const dst = packets.dstOf(f);
    if (this.isLocal(dst)) {
      this.#simulation.clock.after(0, () => this.#deliver(f));
      return true;
    }
    const route = this.routes[widthOf(dst)].find(dst, device);
    if (route === undefined && !isOnLinkElse) return false;
    this.#transmit(device, f, route?.via ?? dst);
    return true;
  }

  /** Asks for an echo. `onEnd` hears who said what, or undefined: nobody anything in this time. False: there is no way. */
  ping(to: Ip, timeoutMs: number, onEnd: (heard: Heard | undefined) => void, ttl = 64): boolean {
    const src = this.#sourceFor(to);
    if (src === undefined || this.#pings.size >= PINGS_MAX) return false;
    do this.#lastPing = (this.#lastPing + 1) & 0xffff;
    while (this.#pings.has(this.#lastPing));
    const identifier = this.#lastPing;
    const startMs = this.#simulation.clock.nowMs;
    const timer = this.#simulation.clock.after(timeoutMs, () => end(undefined));
    const end = (heard: Heard | undefined) => {
      timer.isCancelled = true;
      this.#pings.delete(identifier);
      onEnd(heard && { ...heard, tookMs: heard.tookMs - startMs });
    };
    this.#pings.set(identifier, end);
    const request = packets.echo(
      { src, dst: to, ttl },
      false,
      identifier,
      1,
      new Uint8Array(ECHO_BYTES),
    );
    return this.output(request);
  }

  /** The address that packets to this one come from. */
  #sourceFor(to: Ip): Ip | undefined {
    if (this.isLocal(to)) return to;
    const route = this.routes[widthOf(to)].find(to);
    if (route === undefined) return undefined;
    const isUsable = (one: Address) => one.ip.length === to.length && !one.isTentative;
    const own = this.addressesOf(route.device).filter(isUsable);
    const next = route.via ?? to;
    return (
      own.find((one) => hasPrefix(next, one) && isLinkLocal6(one.ip) === isLinkLocal6(to)) ??
      own.find((one) => isLinkLocal6(one.ip) === isLinkLocal6(to)) ??
      [...this.#addresses.values()].flat().find((one) => isUsable(one) && !isLinkLocal6(one.ip))
    )?.ip;
  }

  #transmit(device: Device, f: Frame, next: Ip): void {
    if (device.isNoarp) this.#sendTo(device, f, device.mac);
    else this.neighboursOf(device, widthOf(next)).output(f, next);
  }

  #sendTo(device: Device, f: Frame, mac: Mac): void {
    packets.setMacs(f, device.mac, mac);
    device.send(f);
  }

  /** Undefined: it has gone on, or was heard. */
  #take(device: Device, f: Frame): string | undefined {
    if (f.length < ethernet.HEADER) return "runt";
    if (!isFor(f, device.mac)) return "other-host";
    switch (ethernet.type(f)) {
      case ethernet.ETH_P_ARP:
        if (device.isNoarp) return "noarp";
        if (!arp.check(f, packets.IP) || !arp.isIpv4(f, packets.IP)) return "bad-header";
        this.#hearArp(device, f);
        return undefined;
      case ethernet.ETH_P_IP:
        return ipv4.check(f, packets.IP) ? this.#inputIp(device, f) : "bad-header";
      case ethernet.ETH_P_IPV6:
        return ipv6.check(f, packets.IP) ? this.#inputIp(device, f) : "bad-header";
    }
    return "unknown-type";
  }

  #inputIp(device: Device, f: Frame): string | undefined {
    const dst = packets.dstOf(f);
    if (packets.isIpv6(f) && this.#hearNeighbour(device, f)) return undefined;
    if (!packets.isIpv6(f) && this.isLocal(packets.srcOf(f))) return "martian-source";
    if (device.input?.(f)) return undefined;
    if (!this.isLocal(dst)) return this.#forward(f);
    this.#deliver(f);
    return undefined;
  }

  /** To whoever waits for it in this namespace. */
  #deliver(f: Frame): void {
    const failure = findFailure(f);
    if (failure !== undefined) {
      const about = findAbout(f);
      if (about !== undefined) this.#fail(about, failure, packets.srcOf(f));
      return;
    }
    const at = packets.payloadAt(f);
    const protocol = packets.protocolOf(f);
    if (protocol !== (packets.isIpv6(f) ? icmp.PROTOCOL6 : icmp.PROTOCOL) || !icmp.check(f, at))
      return;
    const type = icmp.type(f, at);
    const [identifier, sequence] = [icmp.identifier(f, at), icmp.sequence(f, at)];
    if (type === (packets.isIpv6(f) ? icmp.ECHO_REPLY6 : icmp.ECHO_REPLY))
      this.#pings.get(identifier)?.({
        from: packets.srcOf(f),
        tookMs: this.#simulation.clock.nowMs,
      });
    else if (type === (packets.isIpv6(f) ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST)) {
      const payload = packets.bytesAt(f, at + icmp.HEADER, f.length - at - icmp.HEADER);
      const header = { src: packets.dstOf(f), dst: packets.srcOf(f) };
      this.output(packets.echo(header, true, identifier, sequence, payload));
    }
  }

  #forward(f: Frame): string | undefined {
    const ttl = packets.ttlOf(f);
    if (ethernet.isGroup(f) || !this.isForwarding[packets.isIpv6(f) ? 16 : 4])
      return "not-forwarding";
    if (ttl <= 1) return this.#refuse(f, "time exceeded");
    packets.setTtl(f, ttl - 1);
    return this.output(f) ? undefined : this.#refuse(f, "no route");
  }

  #refuse(f: Frame, failure: Failure): string {
    this.#tell(failure, f);
    return failure.replace(" ", "-");
  }

  /** Tells a packet's sender, who may be here, why it does not go on. */
  #tell(failure: Failure, about: Frame): void {
    const sender = packets.srcOf(about);
    if (this.isLocal(sender)) {
      this.#fail(about, failure, sender);
      return;
    }
    const { nowMs } = this.#simulation.clock;
    if (nowMs - this.#toldSinceMs >= 1000) [this.#told, this.#toldSinceMs] = [0, nowMs];
    const src = this.#sourceFor(sender);
    if (src === undefined || !mayBeTold(about) || this.#told++ >= ERRORS_PER_SECOND_MAX) return;
    this.output(errorPacket(failure, src, about));
  }

  /** A packet of ours has come to nothing. */
  #fail(about: Frame, failure: Failure, from: Ip): void {
    const at = packets.payloadAt(about);
    const isEcho =
      icmp.check(about, at) &&
      icmp.type(about, at) === (packets.isIpv6(about) ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST);
    if (isEcho)
      this.#pings.get(icmp.identifier(about, at))?.({
        from,
        tookMs: this.#simulation.clock.nowMs,
        failure,
      });
  }

  #hearArp(device: Device, f: Frame): void {
    const at = packets.IP;
    const [sender, target] = [packets.bytesAt(f, at + 14, 4), packets.bytesAt(f, at + 24, 4)];
    const mac = macFrom(arp.senderMacHigh(f, at), arp.senderMacLow(f, at));
    const neighbours = this.neighboursOf(device, 4);
    const isReply = arp.operation(f, at) === arp.REPLY;
    const isAsked = !isReply && this.isLocal(target);
    neighbours.learn(sender, mac, isReply, isAsked);
    if (isAsked)
      device.send(
        packets.arpPacket(arp.REPLY, { ip: target, mac: device.mac }, { ip: sender, mac }),
      );
  }

  /** Whether the packet was neighbour discovery. */
  #hearNeighbour(device: Device, f: Frame): boolean {
    if (!ndisc.isIcmp6(f, packets.IP)) return false;
    const type = ndisc.type(f, packets.IP);
    if (type === ndisc.NEIGHBOUR_SOLICITATION) this.#hearSolicitation(device, f);
    else if (type === ndisc.NEIGHBOUR_ADVERTISEMENT) this.#hearAdvertisement(device, f);
    else return false;
    return true;
  }

  #hearSolicitation(device: Device, f: Frame): void {
    const target = packets.bytesAt(f, ndisc.targetAt(packets.IP), 16);
    const ours = this.#findOn(device, target);
    if (ours === undefined) return;
    if (ndisc.isDadProbe(f, packets.IP)) {
      if (ours.isTentative) this.removeAddress(ours);
      else this.#advertise(device, target, packets.ALL_NODES, undefined, ndisc.OVERRIDE);
      return;
    }
    if (ours.isTentative) return;
    const src = packets.srcOf(f);
    const mac = optionMac(f, ndisc.SOURCE_LINK_LAYER) ?? srcMac(f);
    this.neighboursOf(device, 16).learn(src, mac, false, true);
    this.#advertise(device, target, src, mac, ndisc.SOLICITED | ndisc.OVERRIDE);
  }

  #advertise(device: Device, target: Ip, to: Ip, mac: Mac | undefined, flags: number): void {
    const f = packets.advertisement(target, to, target, device.mac, flags);
    this.#sendTo(device, f, mac ?? packets.groupMac(to));
  }

  #hearAdvertisement(device: Device, f: Frame): void {
    const target = packets.bytesAt(f, ndisc.targetAt(packets.IP), 16);
    const ours = this.#findOn(device, target);
    if (ours !== undefined) {
      if (ours.isTentative) this.removeAddress(ours);
      return;
    }
    const mac = optionMac(f, ndisc.TARGET_LINK_LAYER) ?? srcMac(f);
    const isAnswer = (ndisc.flags(f, packets.IP) & ndisc.SOLICITED) !== 0;
    this.neighboursOf(device, 16).learn(target, mac, isAnswer, false);
  }

  #findOn(device: Device, ip: Ip): Address | undefined {
    return this.#addresses.get(keyOf(ip))?.find((one) => one.device === device);
  }

  /** Duplicate address detection. */
  #probe(address: Address): void {
    const { ip, device } = address;
    const isThere = () => device.isUp && this.#findOn(device, ip) === address;
    this.#simulation.clock.after(this.#simulation.random() * DAD_MS, () => {
      if (!isThere()) return;
      const group = packets.solicitedNode(ip);
      const probe = packets.solicitation(packets.UNSPECIFIED6, group, ip, device.mac);
      this.#sendTo(device, probe, packets.groupMac(group));
      this.#simulation.clock.after(DAD_MS, () => {
        if (isThere()) address.isTentative = false;
      });
    });
  }

  #askByArp(device: Device, ip: Ip, mac: Mac | undefined): void {
    const own = this.addressesOf(device).filter((one) => one.ip.length === 4);
    const from = own.find((one) => hasPrefix(ip, one)) ?? own[0];
    const sender = { ip: from?.ip ?? new Uint8Array(4), mac: device.mac };
    device.send(packets.arpPacket(arp.REQUEST, sender, { ip, mac }));
  }

  #askBySolicitation(device: Device, ip: Ip, mac: Mac | undefined): void {
    const own = this.addressesOf(device).filter((one) => one.ip.length === 16 && !one.isTentative);
    const from = own.find((one) => hasPrefix(ip, one)) ?? own[0];
    if (from === undefined) return;
    const to = mac === undefined ? packets.solicitedNode(ip) : ip;
    const f = packets.solicitation(from.ip, to, ip, device.mac);
    this.#sendTo(device, f, mac ?? packets.groupMac(to));
  }

  #makeNeighbours(device: Device, solicit: (ip: Ip, mac: Mac | undefined) => void): Neighbours {
    const send = (f: Frame, mac: Mac) => this.#sendTo(device, f, mac);
    const unreachable = (f: Frame) => this.lose(device, f, this.#refuse(f, "no host"));
    return new Neighbours({ clock: this.#simulation.clock, solicit, send, unreachable });
  }
}

const widthOf = (ip: Ip): 4 | 16 => (ip.length === 4 ? 4 : 16);

const isFor = (f: Frame, mac: Mac): boolean =>
  ethernet.isGroup(f) ||
  (ethernet.dstHigh(f) === macHigh(mac) && ethernet.dstLow(f) >>> 0 === macLow(mac) >>> 0);

const srcMac = (f: Frame): Mac => macFrom(ethernet.srcHigh(f), ethernet.srcLow(f));

function optionMac(f: Frame, type: number): Mac | undefined {
  const option = ndisc.findOption(f, packets.IP, type);
  if (option < 0) return undefined;
  return macFrom(ndisc.optionMacHigh(f, option), ndisc.optionMacLow(f, option));
}
