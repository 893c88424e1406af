/**
 * A port that runs: the driver's port, the thread that moves its frames, its devices, and what it needs in its
 * master's namespace. Told by the registry what people want and by the follower what the kernel did, it keeps
 * the parts in step.
 */
import { randomInt } from "node:crypto";
import { closeSync } from "node:fs";
import { type Slave as DeviceId, NOBODY } from "../driver/decide/machine.ts";
import { PortError } from "../driver/errors.ts";
import { Port, pack, type Said, type Settings } from "../driver/port.ts";
import { Statistics } from "../driver/statistics.ts";
import { DataPathThread } from "../engine/userspace/data-path-thread.ts";
import { MasterSide } from "../engine/userspace/master-side.ts";
import {
  addVeth,
  deleteLink,
  getLink,
  type Link,
  type LinkChange,
  setLink,
} from "../linux/netlink/link.ts";
import { assignNsid } from "../linux/netlink/nsid.ts";
import { NetlinkError, type NetlinkSocket } from "../linux/netlink/socket.ts";
import { fdPath } from "../linux/netns.ts";
import type { Ip, Mac } from "../wire/address.ts";
import { ConflictLog } from "./conflict-log.ts";
import {
  downName,
  hostName,
  type PortId,
  type PortIdentity,
  portAlias,
  slaveAlias,
} from "./identity.ts";
import type { Log } from "./log.ts";
import type { Slave } from "./slave.ts";
import { SlaveTable } from "./slave-table.ts";
import { Witness } from "./witness.ts";

/** Of slaves in one line of the log. */
const NAMES_TOLD_MAX = 16;

/** What all ports of a daemon share. */
export interface Ground {
  /** Descriptor of the private namespace, and rtnetlink in it. */
  readonly privateNetns: number;
  readonly socket: NetlinkSocket;
  readonly stateDir: string;
  readonly onDeath: (error: Error) => void;
  readonly log: Log;
}

export interface PortSpec {
  readonly id: PortId;
  /** Descriptor of the master's namespace. */
  readonly masterNetns: number;
  readonly master: Link;
  readonly settings: Settings;
  readonly isNew: boolean;
  /** A former run was killed while it gave the slaves these settings. */
  readonly isChanging?: boolean;
}

/** Where what L3S changed in the master's namespace is kept until it is put back. */
export const savedPath = ({ stateDir }: Ground, port: PortId): string =>
  `${stateDir}/sysctls-${port}.json`;

/** A slave, as the log has it. */
export const named = ({ name, id, netnsPath: netns }: Slave): object => ({
  slave: name,
  id,
  netns,
});

export interface NewSlave {
  readonly name: string;
  readonly mtu?: number | undefined;
  readonly up?: boolean | undefined;
}

export class LivePort {
  readonly id: PortId;
  readonly port: Port;
  readonly slaves: SlaveTable;
  readonly statistics: Statistics;
  /** The master, as last seen. */
  master: Link;
  /** The master's namespace, as the private one numbers it. */
  readonly masterNsid: number;
  /** Who else has the master's namespace. */
  readonly witness: Witness;
  readonly #ground: Ground;
  readonly #masterNetns: number;
  readonly #side: MasterSide;
  readonly #conflictLog: ConflictLog;
  #thread!: DataPathThread;
  #isChanging: boolean;
  /** Memory of the address table that the thread reads. */
  #shared: ArrayBufferLike;

  /**
   * `masterNetns` is ours to close from here on. `isNew`: on failure nothing stays; else the devices of a former run
   * do, for another try.
   */
  static async start(ground: Ground, spec: PortSpec): Promise<LivePort> {
    const { masterNetns, settings, isNew } = spec;
    let live: LivePort;
    try {
      live = new LivePort(ground, spec);
    } catch (error) {
      closeSync(masterNetns);
      throw error;
    }
    try {
      await live.#startThread();
      live.#side.setMode(settings.mode);
      live.#thread.setWayUp(live.#side.redirects);
      live.#writeAlias(); // the master may be another device now
      return live;
    } catch (error) {
      await live.close(isNew);
      throw error;
    }
  }

  private constructor(ground: Ground, spec: PortSpec) {
    const { id, masterNetns, master, settings, isChanging = false } = spec;
    this.#ground = ground;
    this.id = id;
    this.#isChanging = isChanging;
    this.#masterNetns = masterNetns;
    this.master = master;
    const seed = randomInt(2 ** 32); // nobody may choose addresses that collide
    this.port = new Port({ ...settings, mac: macOf(master), shared: true, seed });
    this.#shared = this.port.addresses.buffer;
    this.statistics = new Statistics({ shared: true });
    this.witness = new Witness(fdPath(masterNetns));
    this.masterNsid = assignNsid(ground.socket, masterNetns);
    this.#side = new MasterSide({
      privateSocket: ground.socket,
      masterNetns,
      master: { name: master.name, ifindex: master.index, mac: macOf(master) },
      downName: downName(id),
      savedPath: savedPath(ground, id),
      alias: this.#alias,
      addresses: () => this.#activeAddresses(),
    });
    this.#conflictLog = new ConflictLog(
      (text, address) => this.tell(text, { address }),
      () => this.port.conflicts(),
    );
    this.slaves = new SlaveTable(ground.socket, this.port, {
      owners: (ips) => this.#ownersChanged(ips),
      groups: (id, groups) => this.#thread.setGroups(id, groups),
      mtu: (slave) => this.#setHostEnd(slave, { mtu: slave.mtu }),
    });
  }

  get identity(): PortIdentity {
    const { name, index: ifindex } = this.master;
    const { settings } = this.port;
    return { port: this.id, master: { name, ifindex }, settings, isChanging: this.#isChanging };
  }
  /** What it is set to, as the log has it. */
  get state(): object {
    return { ...this.port.settings, consumption: this.intakeName, wayUp: this.wayUpName };
  }
  /** Tells the log, of this port. */
  tell(text: string, fields: object = {}): void {
    const { name: master, index: ifindex } = this.master;
    this.#ground.log.info({ master, ifindex, ...fields }, text);
  }
  get intakeName(): string {
    return this.#side.intakeName;
  }
  get wayUpName(): string {
    return this.#side.wayUpName;
  }
  get masterNetnsPath(): string {
    return fdPath(this.#masterNetns);
  }
  /** Whether the slaves' devices do without ARP. */
  get noarp(): boolean {
    return this.port.settings.mode !== "l2";
  }

  /**
   * Makes a slave in the namespace that `targetNetns` is open on; its frames are received when this resolves. A daemon
   * that is killed before `confirm` leaves nothing of it to the next one.
   */
  async addSlave(spec: NewSlave, targetNetns: number): Promise<Slave> {
    const id = this.port.addSlave();
    let host: Link;
    try {
      host = this.#makeDevices(id, spec, targetNetns);
    } catch (error) {
      this.port.removeSlave(id);
      throw error;
    }
    try {
      const slave = await this.adopt(host, id);
      slave.forbidSharedLinkLocal(this.port.mac);
      if (spec.up === true) slave.change({ up: true });
      this.tell("slave added", named(slave));
      return slave;
    } catch (error) {
      this.removeSlave(id);
      throw error;
    }
  }

  /** The slave is complete. */
  confirm({ id, hostIfindex }: Slave): void {
    setLink(this.#ground.socket, hostIfindex, { alias: slaveAlias({ port: this.id, id }) });
  }

  /** Takes a slave that has its devices into service: a new one, or one of a former run. */
  async adopt(host: Link, id: DeviceId): Promise<Slave> {
    if (!this.port.slaves().includes(id)) this.port.addSlave(id);
    this.statistics.clear(id);
    const slave = this.slaves.add(id, host.index);
    await this.#thread.addSlave(id, host.index);
    if (this.slaves.get(id) !== slave) {
      this.#thread.removeSlave(id); // deleted meanwhile
      throw new PortError("ENODEV");
    }
    this.#setHostEnd(slave, { up: carries(this.master) });
    this.slaves.seek(slave);
    if (this.#isChanging) slave.change({ noarp: this.noarp });
    return slave;
  }

  /** Takes the slave's devices away, and what is known of it. */
  removeSlave(id: DeviceId): void {
    const slave = this.slaves.get(id);
    if (slave === undefined) return;
    this.forget(slave);
    if (getLink(this.#ground.socket, slave.hostIfindex) !== undefined)
      deleteLink(this.#ground.socket, slave.hostIfindex);
  }

  /** The slave's devices are gone. */
  forget(slave: Slave): void {
    this.tell("slave removed", { slave: slave.name, id: slave.id });
    this.#thread.removeSlave(slave.id);
    this.slaves.remove(slave);
  }

  /** It has left its namespace for another. */
  slaveMoved(slave: Slave): void {
    this.slaves.moved(slave, this.noarp);
    this.tell("slave moved", named(slave));
  }

  /** Sets mode and flag of the port; which slaves that changes. All or nothing. */
  configure(said: Said): Slave[] {
    const { mode: modeBefore, flag: flagBefore } = this.port.settings;
    const change = this.port.configure(said);
    if (change.slaves.length === 0) return [];
    const { mode } = this.port.settings;
    try {
      if (mode !== modeBefore) this.#side.setMode(mode);
    } catch (error) {
      this.port.configure({ mode: modeBefore, flag: flagBefore });
      throw error;
    }
    this.#thread.configure(this.#packed);
    this.#thread.setWayUp(this.#side.redirects);
    if (change.noarp) {
      this.#isChanging = true;
      this.#writeAlias();
      for (const slave of this.slaves.all()) slave.change({ noarp: this.noarp });
    }
    this.changed();
    const slaves = this.slaves.all();
    const touched = slaves.slice(0, NAMES_TOLD_MAX).map(({ name }) => name);
    this.tell("settings changed", { ...this.state, touched, touchedCount: slaves.length });
    return slaves;
  }

  /** Every slave is as the settings want it. */
  changed(): void {
    this.#isChanging = false;
    this.#writeAlias();
  }

  setCompat(compat: Settings["compat"]): void {
    this.port.setCompat(compat);
    this.#thread.configure(this.#packed);
    this.#writeAlias();
    this.tell("settings changed", this.state);
  }

  /** The kernel tells of the master's device. */
  masterChanged(master: Link): void {
    const before = this.master;
    this.master = master;
    if (master.name !== before.name) {
      this.#side.rename(master.name, this.port.settings.mode);
      this.#writeAlias();
    }
    const mac = macOf(master);
    if (Buffer.compare(mac, macOf(before)) !== 0) {
      this.port.setMac(mac);
      this.#thread.setMac(mac);
      this.#side.setMac(mac);
      this.#setBothEnds({ mac });
    }
    if (master.mtu !== before.mtu) this.#setBothEnds({ mtu: master.mtu });
    if (carries(master) === carries(before)) return;
    for (const slave of this.slaves.all()) this.#setHostEnd(slave, { up: carries(master) });
    this.#side.routesChanged(); // routes go with the carrier
  }

  masterAddresses(addresses: readonly Ip[]): void {
    this.#conflictLog.lookLater();
    this.port.setMasterAddresses(addresses);
  }

  /** Routes of the master's namespace have changed. */
  routesChanged(): void {
    this.#side.routesChanged();
  }

  /** Ends the data path, and nothing else. The returned descriptor, of the master's namespace, is the caller's to close. */
  async detach(): Promise<number> {
    await this.#endDataPath();
    this.#side.close();
    return this.#masterNetns;
  }

  /**
   * Ends the data path. `forGood`: what was put into the master's namespace is taken out; else it stays as it
   * is, devices and all, for the next daemon.
   */
  async close(forGood: boolean): Promise<void> {
    await this.#endDataPath();
    if (forGood) this.#side.remove();
    this.#side.close();
    closeSync(this.#masterNetns);
  }

  async #endDataPath(): Promise<void> {
    this.#conflictLog.close();
    this.slaves.close();
    await (this.#thread as DataPathThread | undefined)?.close();
  }

  get #packed(): number {
    const { mode, flag, compat } = this.port.settings;
    return pack(mode, flag, compat);
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
      onMemberships: (id) => this.slaves.membershipsChanged(id),
      onDeath,
    });
  }

  /** A veth pair: the host end, which is returned, in the private namespace, the slave where it is wanted. */
  #makeDevices(id: DeviceId, spec: NewSlave, targetNetns: number): Link {
    const { mac } = this.port;
    const mtu = spec.mtu ?? this.master.mtu;
    return addVeth(this.#ground.socket, {
      name: hostName({ port: this.id, id }),
      mac,
      mtu,
      noarp: true,
      peer: { name: spec.name, mac, mtu, noarp: this.noarp, netnsFd: targetNetns },
    });
  }

  #setBothEnds(change: LinkChange): void {
    for (const slave of this.slaves.all()) {
      this.#setHostEnd(slave, change);
      slave.change(change);
    }
  }

  /** The devices may be gone by now; then the kernel's next event tells. */
  #setHostEnd(slave: Slave, change: LinkChange): void {
    try {
      setLink(this.#ground.socket, slave.hostIfindex, change);
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== "ENODEV") throw error;
    }
  }

  /** Keeps the thread's table and the master's intake in step with the port. */
  #ownersChanged(ips: Iterable<Ip>): void {
    this.#conflictLog.lookLater();
    const { addresses } = this.port;
    if (addresses.buffer !== this.#shared) {
      this.#shared = addresses.buffer;
      this.#thread.setAddresses(this.#shared as SharedArrayBuffer);
    }
    const isOwned = (ip: Ip) => {
      const holder = addresses.holder(ip);
      return holder !== NOBODY && this.port.isUp(holder);
    };
    const all = [...ips];
    this.#side.addAddresses(all.filter(isOwned));
    this.#side.removeAddresses(all.filter((ip) => !isOwned(ip)));
  }

  *#activeAddresses(): Iterable<Ip> {
    for (const id of this.port.slaves())
      if (this.port.isUp(id)) yield* this.port.addresses.addressesOf(id);
  }

  /** The kernel keeps our settings: the pair's end says whose it is and how the port is set. */
  #writeAlias(): void {
    setLink(this.#ground.socket, this.#side.pairIfindex, { alias: this.#alias });
  }
  get #alias(): string {
    return portAlias(this.identity);
  }
}

/** Ethernet devices have one. */
const macOf = (link: Link): Mac => link.mac!;
/** A master that is down, or whose cable is out, takes the slaves' carrier. */
const carries = (master: Link): boolean => master.up && master.carrier;
