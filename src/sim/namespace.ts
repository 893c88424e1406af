/**
 * A network namespace and its stack: devices, addresses, routes, neighbours, forwarding, sockets. It does what Linux's stack
 * does with its default settings, as far as frames of an ipvlan port show it.
 */

import { linkLocal, sharedLinkLocal } from "../driver/link-local.ts";
import {
  type Ip,
  isLinkLocal6,
  type Mac,
  macHigh,
  macLow,
  type Prefix,
  parseIp,
} from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import type { Frame } from "../wire/frame.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import { type Address, AddressTable } from "./address-table.ts";
import type { Device } from "./device.ts";
import { type EchoOptions, type Heard, Icmp } from "./icmp.ts";
import type { Failure } from "./icmp-errors.ts";
import { IpLayer } from "./ip-layer.ts";
import { NeighbourDiscovery } from "./neighbour-discovery.ts";
import { Neighbours } from "./neighbours.ts";
import { type Hook, Netfilter } from "./netfilter.ts";
import * as packets from "./packets.ts";
import { hasPrefix, type Routes } from "./routes.ts";
import { Routing } from "./routing.ts";
import type { Simulation } from "./simulation.ts";
import { TcpSockets } from "./tcp-sockets.ts";
import { UdpSockets } from "./udp-sockets.ts";

const LOOPBACK4: Prefix = { ip: Uint8Array.of(127, 0, 0, 1), length: 8 };
/** What lo has when it is up. */
const LOOPBACKS: readonly Prefix[] = [LOOPBACK4, { ip: parseIp("::1")!, length: 128 }];

export class Namespace {
  readonly name: string;
  readonly devices: Device[] = [];
  readonly routing: Readonly<Record<4 | 16, Routing>>;
  /** The main tables. */
  readonly routes: Readonly<Record<4 | 16, Routes>>;
  /** Whether packets for others go on. Linux: net.ipv4.ip_forward, net.ipv6.conf.all.forwarding. */
  readonly isForwarding: Record<4 | 16, boolean> = { 4: false, 16: false };
  /** Undefined: there have never been rules, and nothing is asked. */
  netfilter: Netfilter | undefined;
  readonly #simulation: Simulation;
  readonly #addresses: AddressTable = new AddressTable();
  /** Of devices that have met any. */
  readonly #neighbours: Map<Device, Partial<Record<4 | 16, Neighbours>>> = new Map();
  readonly #discovery: NeighbourDiscovery;
  readonly #icmp: Icmp;
  readonly #ip: IpLayer;
  #udp: UdpSockets | undefined;
  #tcp: TcpSockets | undefined;

  constructor(name: string, simulation: Simulation) {
    this.name = name;
    this.#simulation = simulation;
    this.#discovery = new NeighbourDiscovery(this, simulation);
    this.#icmp = new Icmp(this, simulation);
    const { clock } = simulation;
    this.routing = { 4: new Routing(clock), 16: new Routing(clock) };
    this.routes = { 4: this.routing[4].main, 16: this.routing[16].main };
    this.#ip = new IpLayer({ netns: this, clock, discovery: this.#discovery, icmp: this.#icmp });
  }

  get udp(): UdpSockets {
    this.#udp ??= new UdpSockets(this);
    return this.#udp;
  }

  get tcp(): TcpSockets {
    this.#tcp ??= new TcpSockets(this, this.#simulation);
    return this.#tcp;
  }

  findDevice(name: string): Device | undefined {
    return this.devices.find((device) => device.name === name);
  }

  /** It comes without addresses, and down. */
  add(device: Device): void {
    device.netns = this;
    this.devices.push(device);
  }

  remove(device: Device): void {
    device.setUp(false);
    for (const address of this.addressesOf(device)) this.removeAddress(address);
    this.devices.splice(this.devices.indexOf(device), 1);
    this.#neighbours.delete(device);
    this.#addresses.forget(device);
    device.netns = undefined;
  }

  neighboursOf(device: Device, length: 4 | 16): Neighbours {
    const ofDevice = this.#neighbours.get(device) ?? {};
    this.#neighbours.set(device, ofDevice);
    ofDevice[length] ??= this.#makeNeighbours(device);
    return ofDevice[length];
  }

  addressesOf(device: Device): readonly Address[] {
    return this.#addresses.of(device);
  }

  findAddress(device: Device, ip: Ip): Address | undefined {
    return this.#addresses.findOn(device, ip);
  }

  /** False: the device has it already, or there are too many. */
  addAddress(device: Device, { ip, length }: Prefix, isProbed = true): boolean {
    const isTentative = ip.length === 16 && isProbed && !device.isNoarp;
    const address: Address = { ip, length, device, isTentative };
    if (!this.#addresses.add(address)) return false;
    if (ip.length === 16) device.join(packets.groupMac(packets.solicitedNode(ip)));
    if (length < ip.length * 8 && !device.isLoopback)
      this.routes[widthOf(ip)].add({ to: { ip, length }, device, isOfAddress: true });
    device.follower?.addressAdded(device, ip);
    if (isTentative && device.isUp) this.#discovery.probe(address);
    return true;
  }

  removeAddress(address: Address): void {
    const { ip, length, device } = address;
    this.#addresses.remove(address);
    if (ip.length === 16) device.leave(packets.groupMac(packets.solicitedNode(ip)));
    this.routes[widthOf(ip)].remove(
      (route) =>
        route.isOfAddress === true &&
        route.device === device &&
        route.to.length === length &&
        hasPrefix(ip, route.to),
    );
    device.follower?.addressRemoved(device, ip);
  }

  upChanged(device: Device): void {
    if (device.isUp && device.isLoopback) {
      for (const loopback of LOOPBACKS) this.addAddress(device, loopback);
      return;
    }
    if (device.isUp) {
      device.join(packets.ALL_NODES_MAC);
      const { mac, deviceId } = device;
      const ip = deviceId === 0 ? sharedLinkLocal(mac) : linkLocal(mac, deviceId);
      this.addAddress(device, { ip, length: 64 });
      for (const address of this.addressesOf(device))
        if (address.isTentative) this.#discovery.probe(address);
      return;
    }
    device.leave(packets.ALL_NODES_MAC);
    for (const address of this.addressesOf(device))
      if (address.ip.length === 16) this.removeAddress(address); // Linux: keep_addr_on_down is 0
    for (const width of [4, 16] as const) {
      this.routing[width].remove((route) => route.device === device && route.isOfAddress !== true);
      this.#neighbours.get(device)?.[width]?.clear();
    }
  }

  /** Whether an address is this namespace's own. */
  isLocal(ip: Ip): boolean {
    return this.#addresses.has(ip) || (ip.length === 4 && hasPrefix(ip, LOOPBACK4));
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

  /** Whether the rules of a hook let a packet pass; what they do not is lost. */
  passes(hook: Hook, f: Frame, from: Device | undefined, to: Device | undefined): boolean {
    if (this.netfilter === undefined) return true;
    if (this.netfilter.passes(hook, f, from?.name ?? "", to?.name ?? "")) return true;
    const at = from ?? to;
    if (at !== undefined) this.lose(at, f, `netfilter-${hook}`);
    return false;
  }

  makeNetfilter(): Netfilter {
    this.netfilter ??= new Netfilter({
      clock: this.#simulation.clock,
      masqueradeAs: (name, to) => {
        const device = this.findDevice(name);
        return device === undefined ? this.#globalAddress(to) : this.#sourceBy(device, to, to);
      },
    });
    return this.netfilter;
  }

  /** Sends a packet by the routes. Whether there is a way. */
  output(f: Frame): boolean {
    return this.#ip.output(f);
  }

  /** What a slave sends: `IpLayer.outputBy`. */
  outputBy(master: Device, f: Frame, isOnLinkElse: boolean, up?: Device): boolean {
    return this.#ip.outputBy(master, f, isOnLinkElse, up);
  }

  /** What comes for a slave in L3S: `IpLayer.forwardTo`. */
  forwardTo(up: Device, master: Device, f: Frame): boolean {
    return this.#ip.forwardTo(up, master, f);
  }

  /** Tells a packet's sender why it goes no further. The reason. */
  refuse(f: Frame, failure: Failure): string {
    return this.#ip.refuse(f, failure);
  }

  /** Asks for an echo. `onEnd` hears who said what, or undefined: nobody anything in this time. False: there is no way. */
  ping(
    to: Ip,
    timeoutMs: number,
    onEnd: (heard: Heard | undefined) => void,
    options: EchoOptions = {},
  ): boolean {
    return this.#icmp.ping(to, timeoutMs, onEnd, options);
  }

  /** The address that packets to this one come from. */
  sourceFor(to: Ip): Ip | undefined {
    if (this.isLocal(to)) return to;
    const route = this.routing[widthOf(to)].find(to);
    if (route === undefined) return undefined;
    return this.#sourceBy(route.device, to, route.via ?? to);
  }

  /** Of the device's addresses the neighbour's best, or else one of another device. */
  #sourceBy(device: Device, to: Ip, next: Ip): Ip | undefined {
    const isUsable = (one: Address) => one.ip.length === to.length && !one.isTentative;
    const own = this.addressesOf(device).filter(isUsable);
    const found =
      own.find((one) => hasPrefix(next, one) && isLinkLocal6(one.ip) === isLinkLocal6(to)) ??
      own.find((one) => isLinkLocal6(one.ip) === isLinkLocal6(to));
    return found?.ip ?? this.#globalAddress(to);
  }

  #globalAddress(to: Ip): Ip | undefined {
    const isUsable = (one: Address) =>
      one.ip.length === to.length && !one.isTentative && !isLinkLocal6(one.ip);
    return this.#addresses.list().find(isUsable)?.ip;
  }

  /** To a neighbour. */
  transmit(device: Device, f: Frame, next: Ip): void {
    if (device.isNoarp) device.sendTo(f, device.mac);
    else this.neighboursOf(device, widthOf(next)).output(f, next);
  }

  /** Undefined as `IpLayer.receive`. */
  #take(device: Device, f: Frame): string | undefined {
    if (f.length < ethernet.HEADER) return "runt";
    if (!isFor(f, device.mac)) return "other-host";
    switch (ethernet.type(f)) {
      case ethernet.ETH_P_ARP:
        if (device.isNoarp) return "noarp";
        if (!arp.check(f, packets.IP) || !arp.isIpv4(f, packets.IP)) return "bad-header";
        this.#discovery.hearArp(device, f);
        return undefined;
      case ethernet.ETH_P_IP:
        return ipv4.check(f, packets.IP) ? this.#ip.receive(device, f) : "bad-header";
      case ethernet.ETH_P_IPV6:
        return ipv6.check(f, packets.IP) ? this.#ip.receive(device, f) : "bad-header";
    }
    return "unknown-type";
  }

  #makeNeighbours(device: Device): Neighbours {
    const { clock } = this.#simulation;
    const solicit = (ip: Ip, mac: Mac | undefined) => this.#discovery.ask(device, ip, mac);
    const send = (f: Frame, mac: Mac) => device.sendTo(f, mac);
    const unreachable = (f: Frame) => this.lose(device, f, this.refuse(f, "no host"));
    return new Neighbours({ clock, solicit, send, unreachable });
  }
}

const widthOf = (ip: Ip): 4 | 16 => (ip.length === 4 ? 4 : 16);

const isFor = (f: Frame, mac: Mac): boolean =>
  ethernet.isGroup(f) ||
  (ethernet.dstHigh(f) === macHigh(mac) && ethernet.dstLow(f) >>> 0 === macLow(mac) >>> 0);
