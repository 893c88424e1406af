/** The network that a script finds: a host with a master on a LAN with a router, as in the lab of the tests. */
import { PortError } from "../../driver/errors.ts";
import type { Change, Said } from "../../driver/port.ts";
import type { Mac } from "../../wire/address.ts";
import { parseMac, parsePrefix } from "../../wire/address.ts";
import { connect } from "../cable.ts";
import type { Clock } from "../clock.ts";
import { Device } from "../device.ts";
import { Namespace } from "../namespace.ts";
import { SimulatedPort } from "../port.ts";
import { Simulation } from "../simulation.ts";
import { Switch } from "../switch.ts";

/** Of the simulated host. */
export const NAMESPACES_MAX = 4096;
const DEVICES_MAX = 65_536;

/** The namespace in which a script begins. */
export const HOST = "host";
const ROUTER = "lan";
/** Until addresses of a new device are known to be nobody else's. */
const SETTLE_MS = 3000;

export class World {
  readonly simulation: Simulation;
  readonly namespaces: Map<string, Namespace> = new Map();
  readonly #ports: Map<Device, SimulatedPort> = new Map();
  /** By the device of a bridge. */
  readonly #bridges: Map<Device, Switch> = new Map();
  /** By a port's device, its bridge's. */
  readonly #bridgeOf: Map<Device, Device> = new Map();
  readonly #portsOfSlaves: Map<Device, SimulatedPort> = new Map();
  /** By a device of a pair, the other. */
  readonly #peers: Map<Device, Device> = new Map();
  #macs = 0;
  #devices = 0;

  /** Two with the same seed do the same. */
  constructor(seed: number) {
    this.simulation = new Simulation(seed);
    const host = this.addNamespace(HOST)!;
    const lan = this.addNamespace(ROUTER)!;
    const [eth0, w0] = this.addPair(
      { name: "eth0", netns: host, mac: parseMac("02:00:00:00:00:02")! },
      { name: "w0", netns: lan, mac: parseMac("02:00:00:00:00:01")! },
    );
    host.addAddress(eth0, parsePrefix("10.0.0.2/24")!);
    lan.addAddress(w0, parsePrefix("10.0.0.1/24")!);
    for (const device of [eth0, w0]) device.setUp(true);
    host.addAddress(eth0, parsePrefix("fd00::2/64")!);
    lan.addAddress(w0, parsePrefix("fd00::1/64")!);
    this.clock.run(SETTLE_MS);
  }

  get clock(): Clock {
    return this.simulation.clock;
  }

  /** Undefined: there is one of this name. */
  addNamespace(name: string): Namespace | undefined {
    if (this.namespaces.has(name)) return undefined;
    if (this.namespaces.size >= NAMESPACES_MAX) throw new PortError("ENOSPC");
    const netns = new Namespace(name, this.simulation);
    this.namespaces.set(name, netns);
    netns.add(new Device({ name: "lo", mac: new Uint8Array(6), mtu: 65_536, isLoopback: true }));
    return netns;
  }

  /** With its devices, as Linux does with virtual ones. */
  removeNamespace(netns: Namespace): void {
    for (const device of [...netns.devices]) if (!device.isLoopback) this.removeDevice(device);
    this.namespaces.delete(netns.name);
  }

  addPair(
    ...ends: readonly [
      { readonly name: string; readonly netns: Namespace; readonly mac?: Mac },
      { readonly name: string; readonly netns: Namespace; readonly mac?: Mac },
    ]
  ): [Device, Device] {
    const [a, b] = ends.map(({ name, netns, mac = this.#newMac() }) => {
      this.#count();
      const device = new Device({ name, mac });
      netns.add(device);
      return device;
    }) as [Device, Device];
    connect(this.simulation, a, b);
    this.#peers.set(a, b).set(b, a);
    return [a, b];
  }

  /** A slave in its master's namespace. The master may be a slave: then its master is meant. */
  addSlave(link: Device, name: string, said: Said): Device {
    const master = this.portOfSlave(link)?.master ?? link;
    if (this.#bridgeOf.has(master)) throw new PortError("EBUSY");
    this.#count();
    let port = this.#ports.get(master);
    if (port === undefined) {
      port = new SimulatedPort(master, this.simulation, said);
      this.#ports.set(master, port);
    } else port.configure(port.port.settingsOfNewSlave(said));
    const slave = port.addSlave(name);
    this.#portsOfSlaves.set(slave, port);
    link.netns!.add(slave);
    return slave;
  }

  /** A bridge with its own end in the namespace, as Linux has it. */
  addBridge(name: string, netns: Namespace): void {
    const mac = this.#newMac();
    const [bridge, inner] = [new Device({ name, mac }), new Device({ name, mac })];
    this.#count();
    netns.add(bridge);
    const ports = new Switch(this.simulation);
    inner.setUp(true);
    ports.addPort(inner);
    connect(this.simulation, bridge, inner);
    this.#bridges.set(bridge, ports);
  }

  isBridge(device: Device): boolean {
    return this.#bridges.has(device);
  }

  /** What the device receives is the bridge's; none: its own again. */
  setBridge(device: Device, bridge: Device | undefined): void {
    if (this.portOfSlave(device) !== undefined) throw new PortError("EINVAL");
    if (this.#ports.has(device)) throw new PortError("EBUSY");
    const before = this.#bridgeOf.get(device);
    if (before !== undefined) this.#bridges.get(before)?.removePort(device);
    this.#bridgeOf.delete(device);
    if (bridge === undefined) return;
    this.#bridges.get(bridge)!.addPort(device);
    this.#bridgeOf.set(device, bridge);
  }

  /** The bridge whose port the device is. */
  bridgeOf(device: Device): Device | undefined {
    return this.#bridgeOf.get(device);
  }

  /** What is behind the device of a bridge, or the bridge of the port that it is. */
  switchOf(device: Device): Switch | undefined {
    return this.#bridges.get(this.#bridgeOf.get(device) ?? device);
  }

  get ports(): readonly SimulatedPort[] {
    return [...this.#ports.values()];
  }

  portOfSlave(device: Device): SimulatedPort | undefined {
    return this.#portsOfSlaves.get(device);
  }

  /** Slaves follow their master. False: more than a slave's master has. */
  setMtu(device: Device, mtu: number): boolean {
    const master = this.portOfSlave(device)?.master;
    if (master !== undefined && mtu > master.mtu) return false;
    for (const one of [device, ...(this.#ports.get(device)?.slaves ?? [])]) one.mtu = mtu;
    return true;
  }

  /** Of a master: its slaves follow. False: a slave has none of its own. */
  setMac(device: Device, mac: Mac): boolean {
    if (this.portOfSlave(device) !== undefined) return false;
    device.mac = mac;
    this.#ports.get(device)?.setMac(mac);
    return true;
  }

  configure(slave: Device, said: Said): Change | undefined {
    return this.portOfSlave(slave)?.configure(said);
  }

  peerOf(device: Device): Device | undefined {
    return this.#peers.get(device);
  }

  /** A pair ends with each of its ends, a master with its slaves. */
  removeDevice(device: Device): void {
    const port = this.portOfSlave(device);
    this.#devices--;
    if (port !== undefined) {
      port.removeSlave(device);
      this.#portsOfSlaves.delete(device);
      if (port.slaves.length === 0) this.#endPort(port);
      return;
    }
    for (const slave of this.#ports.get(device)?.slaves ?? []) this.removeDevice(slave);
    const peer = this.#peers.get(device);
    this.#peers.delete(device);
    if (this.#bridgeOf.has(device)) this.setBridge(device, undefined);
    for (const [port, bridge] of this.#bridgeOf)
      if (bridge === device) this.setBridge(port, undefined);
    this.#bridges.delete(device);
    device.netns?.remove(device);
    if (peer !== undefined && this.#peers.delete(peer)) this.removeDevice(peer);
  }

  #endPort(port: SimulatedPort): void {
    port.close();
    this.#ports.delete(port.master);
  }

  /** It loses its addresses and is down, as in Linux. */
  move(device: Device, to: Namespace): void {
    device.netns?.remove(device);
    to.add(device);
  }

  #count(): void {
    if (this.#devices >= DEVICES_MAX) throw new PortError("ENOSPC");
    this.#devices++;
  }

  #newMac(): Mac {
    const number = ++this.#macs;
    return Uint8Array.of(0x02, 0, 0x5e, number >>> 16, number >>> 8, number);
  }
}
