/**
 * A port that runs: the driver's port, the thread that moves its frames, its devices, and what it needs in its
 * master's namespace. Told by the registry what people want and by the follower what the kernel did, it keeps
 * the parts in step.
 */
import { randomInt } from "node:crypto";
import { closeSync } from "node:fs";
import { type Slave as DeviceId, NOBODY } from "../driver/decide/machine.ts";
import { sharedLinkLocal } from "../driver/link-local.ts";
import { Port, pack, type Said, type Settings } from "../driver/port.ts";
import { Statistics } from "../driver/statistics.ts";
import { DataPathThread } from "../engine/userspace/data-path-thread.ts";
import { MasterSide } from "../engine/userspace/master-side.ts";
import { type Address, dumpAddresses } from "../linux/netlink/address.ts";
import { addVeth, deleteLink, getLink, type Link, setLink } from "../linux/netlink/link.ts";
import { assignNsid } from "../linux/netlink/nsid.ts";
import type { NetlinkSocket } from "../linux/netlink/socket.ts";
import { formatPrefix, type Ip } from "../wire/address.ts";
import { hostName, portAlias, slaveAlias } from "./identity.ts";
import { MembershipWatch } from "./memberships.ts";
import { Slave } from "./slave.ts";

/** What all ports of a daemon share. */
export interface Ground {
  /** Descriptor of the private namespace, and rtnetlink in it. */
  readonly privateNetns: number;
  readonly socket: NetlinkSocket;
  readonly stateDir: string;
  readonly onDeath: (error: Error) => void;
}

export interface NewSlave {
  readonly name: string;
  readonly mtu?: number | undefined;
  readonly up?: boolean | undefined;
}

export class LivePort {
  readonly port: Port;
  readonly statistics: Statistics;
  /** The master, as last seen. */
  master: Link;
  readonly slaves: Map<DeviceId, Slave> = new Map();
  readonly #ground: Ground;
  readonly #masterNetns: number;
  /** The master's namespace, as the private one numbers it. */
  readonly masterNsid: number;
  readonly #side: MasterSide;
  #thread!: DataPathThread;
  /** Memory of the address table that the thread reads. */
  #shared: ArrayBufferLike;
  readonly #memberships: MembershipWatch;
  /** Slaves by where they are: `placeKey`. */
  readonly #places: Map<string, Slave> = new Map();

  /** `masterNetns` is ours to close from here on. */
  static async start(
    ground: Ground,
    masterNetns: number,
    master: Link,
    settings: Settings,
  ): Promise<LivePort> {
    const live = new LivePort(ground, masterNetns, master, settings);
    try {
      await live.#startThread();
      live.#side.setMode(settings.mode);
      live.#thread.setWayUp(live.#side.redirects);
      return live;
    } catch (error) {
      await live.close(true);
      throw error;
    }
  }

  private constructor(ground: Ground, masterNetns: number, master: Link, settings: Settings) {
    this.#ground = ground;
    this.#masterNetns = masterNetns;
    this.master = master;
    const seed = randomInt(2 ** 32); // nobody may choose addresses that collide
    this.port = new Port({ ...settings, mac: macOf(master), shared: true, seed });
    this.statistics = new Statistics({ shared: true });
    this.#shared = this.port.addresses.buffer;
    this.masterNsid = assignNsid(ground.socket, masterNetns);
    this.#side = new MasterSide({
      privateSocket: ground.socket,
      masterNetns,
      master: { name: master.name, ifindex: master.index, mac: macOf(master) },
      stateDir: ground.stateDir,
      addresses: () => this.#activeAddresses(),
    });
    this.#memberships = new MembershipWatch(
      () => this.slaves.keys(),
      (id) => this.#readGroups(id),
    );
    this.#writeAlias();
  }

  get intakeName(): string {
    return this.#side.intakeName;
  }
  get wayUpName(): string {
    return this.#side.wayUpName;
  }
  /** Whether the slaves' devices do without ARP. */
  get #noarp(): boolean {
    return this.port.settings.mode !== "l2";
  }

  /** Makes a slave in the namespace that `targetNetns` is open on; its frames are received when this resolves. */
  async addSlave(spec: NewSlave, targetNetns: number): Promise<Slave> {
    const { socket } = this.#ground;
    const id = this.port.addSlave();
    const mac = macOf(this.master);
    const mtu = spec.mtu ?? this.master.mtu;
    const name = hostName(this.master.index, id);
    try {
      addVeth(socket, {
        name,
        mac,
        mtu,
        noarp: true,
        alias: slaveAlias(this.master.index, id),
        peer: { name: spec.name, mac, mtu, noarp: this.#noarp, netnsFd: targetNetns },
      });
    } catch (error) {
      this.port.removeSlave(id);
      throw error;
    }
    try {
      const slave = await this.adopt(getLink(socket, name)!, id);
      slave.forbidSharedLinkLocal(mac);
      if (spec.up === true) slave.change({ up: true });
      return slave;
    } catch (error) {
      this.removeSlave(id);
      throw error;
    }
  }

  /** Takes a slave that has its devices into service: a new one, or one of a former run. */
  async adopt(host: Link, id: DeviceId): Promise<Slave> {
    if (!this.port.slaves().includes(id)) this.port.addSlave(id);
    this.statistics.clear(id);
    const slave = new Slave(this.#ground.socket, id, host.index);
    this.slaves.set(id, slave);
    await this.#thread.addSlave(id, host.index);
    setLink(this.#ground.socket, host.index, { up: this.#carries });
    this.seek(slave);
    return slave;
  }

  /** Takes the slave's devices away, and what is known of it. */
  removeSlave(id: DeviceId): void {
    const slave = this.slaves.get(id);
    if (slave === undefined) {
      this.port.removeSlave(id);
      return;
    }
    this.forget(slave);
    if (getLink(this.#ground.socket, slave.hostIfindex) !== undefined)
      deleteLink(this.#ground.socket, slave.hostIfindex);
  }

  /** The slave's devices are gone. */
  forget(slave: Slave): void {
    const addresses = this.port.addresses.addressesOf(slave.id);
    this.#thread.removeSlave(slave.id);
    this.#place(slave, undefined, 0);
    this.slaves.delete(slave.id);
    this.port.removeSlave(slave.id);
    this.#addressesChanged(addresses);
  }

  /** Sets mode and flag of the port; which slaves that changes. */
  configure(said: Said): Slave[] {
    const before = this.port.settings;
    const change = this.port.configure(said);
    if (change.slaves.length === 0) return [];
    const { mode } = this.port.settings;
    this.#thread.configure(this.#packed);
    if (mode !== before.mode) {
      this.#thread.setWayUp(false);
      this.#side.setMode(mode);
      this.#thread.setWayUp(this.#side.redirects);
    }
    if (change.noarp)
      for (const slave of this.slaves.values()) slave.change({ noarp: this.#noarp });
    this.#writeAlias();
    return [...this.slaves.values()];
  }

  setCompat(compat: Settings["compat"]): void {
    this.port.setCompat(compat);
    this.#thread.configure(this.#packed);
    this.#writeAlias();
  }

  /** The slave that is device `ifindex` of namespace `nsid`. */
  find(nsid: number, ifindex: number): Slave | undefined {
    return this.#places.get(placeKey(nsid, ifindex));
  }

  // What the follower tells.

  /** Looks up where a slave is now, and all that the kernel says of it. */
  seek(slave: Slave): void {
    const { socket } = this.#ground;
    const host = getLink(socket, slave.hostIfindex); // asking gives its namespace an id, and us its events
    if (host?.link === undefined || host.linkNsid === undefined) return;
    const link = getLink(socket, host.link, { targetNsid: host.linkNsid });
    if (link === undefined) return;
    this.#place(slave, host.linkNsid, host.link);
    this.slaveChanged(slave, link);
    this.resync(slave);
  }

  /** Compares the slave's addresses with what the kernel lists. */
  resync(slave: Slave): void {
    if (slave.nsid === undefined) return;
    const { socket } = this.#ground;
    const listed = dumpAddresses(socket, { ifindex: slave.ifindex, targetNsid: slave.nsid });
    const texts = new Set(listed.map(formatPrefixOf));
    for (const [text, ip] of [...slave.addresses])
      if (!texts.has(text)) this.#release(slave, text, ip);
    for (const address of listed) this.addressAdded(slave, address);
  }

  slaveChanged(slave: Slave, link: Link): void {
    slave.name = link.name;
    slave.mtu = link.mtu;
    const changed = slave.up !== link.up || slave.flags !== link.flags;
    slave.flags = link.flags;
    if (slave.up !== link.up) {
      slave.up = link.up;
      this.port.setUp(slave.id, link.up);
      this.#addressesChanged(this.port.addresses.addressesOf(slave.id));
      if (link.up) slave.addLinkLocal(this.port.mac);
    }
    if (changed) this.#memberships.changed(slave.id);
  }

  /** It has arrived in another namespace, which knows nothing of what we set. */
  slaveMoved(slave: Slave): void {
    for (const [text, ip] of [...slave.addresses]) this.#release(slave, text, ip);
    this.#place(slave, undefined, 0);
    this.seek(slave);
    slave.forbidSharedLinkLocal(this.port.mac);
    slave.change({ noarp: this.#noarp });
    if (slave.up) slave.addLinkLocal(this.port.mac);
  }

  addressAdded(slave: Slave, address: Address): void {
    const text = formatPrefixOf(address);
    if (slave.addresses.has(text)) return; // told again, of a change of its state
    slave.addresses.set(text, address.ip);
    this.port.claimAddress(slave.id, address.ip);
    if (isSame(address.ip, sharedLinkLocal(this.port.mac))) {
      slave.forbidSharedLinkLocal(this.port.mac);
      if (slave.up) slave.addLinkLocal(this.port.mac);
    }
    this.#addressesChanged([address.ip]);
    this.#memberships.changed(slave.id);
  }

  addressRemoved(slave: Slave, address: Address): void {
    this.#release(slave, formatPrefixOf(address), address.ip);
    this.#memberships.changed(slave.id);
  }

  masterChanged(master: Link): void {
    const before = this.master;
    this.master = master;
    const { socket } = this.#ground;
    const mac = macOf(master);
    if (master.name !== before.name) {
      this.#side.rename(master.name, this.port.settings.mode);
      this.#writeAlias();
    }
    if (!isSame(mac, macOf(before))) this.#macChanged(mac);
    if (master.mtu !== before.mtu)
      for (const slave of this.slaves.values()) {
        setLink(socket, slave.hostIfindex, { mtu: master.mtu });
        slave.change({ mtu: master.mtu });
      }
    if (carries(master) !== carries(before))
      for (const slave of this.slaves.values())
        setLink(socket, slave.hostIfindex, { up: carries(master) });
  }

  masterAddresses(addresses: readonly Ip[]): void {
    this.port.setMasterAddresses(addresses);
  }

  /** Routes of the master's namespace have changed. */
  routesChanged(): void {
    this.#side.routesChanged();
  }

  /**
   * Ends the data path. `forGood`: what was put into the master's namespace is taken out; else it stays as it
   * is, devices and all, for the next daemon.
   */
  async close(forGood: boolean): Promise<void> {
    this.#memberships.close();
    await (this.#thread as DataPathThread | undefined)?.close();
    if (forGood) this.#side.remove();
    this.#side.close();
    closeSync(this.#masterNetns);
  }

  get #packed(): number {
    const { mode, flag, compat } = this.port.settings;
    return pack(mode, flag, compat);
  }
  get #carries(): boolean {
    return carries(this.master);
  }

  async #startThread(): Promise<void> {
    const { privateNetns, onDeath } = this.#ground;
    this.#thread = await DataPathThread.start({
      privateNetns,
      masterNetns: this.#masterNetns,
      masterIfindex: this.master.index,
      upIfindex: this.#side.pairIfindex,
      addresses: this.port.addresses.buffer as SharedArrayBuffer,
      statistics: this.statistics.buffer as SharedArrayBuffer,
      packed: this.#packed,
      mac: this.port.mac,
      onMemberships: (id) => this.#memberships.changed(id),
      onDeath,
    });
  }

  #macChanged(mac: Uint8Array): void {
    this.port.setMac(mac);
    this.#thread.setMac(mac);
    this.#side.setMac(mac);
    for (const slave of this.slaves.values()) {
      setLink(this.#ground.socket, slave.hostIfindex, { mac });
      slave.change({ mac });
    }
  }

  #place(slave: Slave, nsid: number | undefined, ifindex: number): void {
    if (slave.nsid !== undefined) this.#places.delete(placeKey(slave.nsid, slave.ifindex));
    slave.nsid = nsid;
    slave.ifindex = ifindex;
    if (nsid !== undefined) this.#places.set(placeKey(nsid, ifindex), slave);
  }

  #release(slave: Slave, text: string, ip: Ip): void {
    if (!slave.addresses.delete(text)) return;
    this.port.releaseAddress(slave.id, ip);
    this.#addressesChanged([ip]);
  }

  /** Keeps the thread's table and the master's intake in step with the port. */
  #addressesChanged(ips: Iterable<Ip>): void {
    const { addresses } = this.port;
    if (addresses.buffer !== this.#shared) {
      this.#shared = addresses.buffer;
      this.#thread.setAddresses(this.#shared as SharedArrayBuffer);
    }
    for (const ip of ips) {
      const holder = addresses.holder(ip);
      if (holder !== NOBODY && this.port.isUp(holder)) this.#side.addAddress(ip);
      else this.#side.removeAddress(ip);
    }
  }

  *#activeAddresses(): Iterable<Ip> {
    for (const id of this.port.slaves())
      if (this.port.isUp(id)) yield* this.port.addresses.addressesOf(id);
  }

  #readGroups(id: DeviceId): void {
    const slave = this.slaves.get(id);
    if (slave !== undefined) this.#thread.setGroups(id, slave.groups());
  }

  /** The kernel keeps our settings: the pair's end says whose it is and how the port is set. */
  #writeAlias(): void {
    const { name, index: ifindex } = this.master;
    const alias = portAlias({ name, ifindex }, this.port.settings);
    setLink(this.#ground.socket, this.#side.pairIfindex, { alias });
  }
}

const placeKey = (nsid: number, ifindex: number): string => `${nsid}.${ifindex}`;
/** Ethernet devices have one. */
const macOf = (link: Link): Uint8Array => link.mac!;
/** A master that is down, or whose cable is out, takes the slaves' carrier. */
const carries = (master: Link): boolean => master.up && master.carrier;
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const formatPrefixOf = ({ ip, prefixLength }: Address): string =>
  formatPrefix({ ip, length: prefixLength });
