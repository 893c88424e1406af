/**
 * A port that runs: the driver's port, the thread that moves its frames, its devices, and what it needs in its
 * master's namespace. Told by the registry what people want and by the follower what the kernel did, it keeps
 * the parts in step.
 */
import { randomInt } from "node:crypto";
import { closeSync } from "node:fs";
import { type Slave as DeviceId, NOBODY } from "../driver/decide/machine.ts";
import { PortError } from "../driver/errors.ts";
import { Port, type Said, type Settings } from "../driver/port.ts";
import type { SlaveStatistics } from "../driver/statistics.ts";
import { removeLeftovers } from "../engine/ebpf/ebpf-engine.ts";
import type { Engine, EngineChoice, EngineName } from "../engine/engine.ts";
import { MasterSide } from "../engine/master/master-side.ts";
import {
  deleteLink,
  deleteLinks,
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
import { type EngineParts, engineFor } from "./engine-choice.ts";
import { HostEnds, type HostPlace, hostMtu, type NewHostEnd } from "./host-ends.ts";
import {
  downName,
  type PortId,
  type PortIdentity,
  portAlias,
  type SlaveIdentity,
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
  /** What ports get that nobody has chosen an engine for. */
  readonly engine: EngineChoice;
  readonly log: Log;
}

export interface PortSpec {
  readonly id: PortId;
  /** Descriptor of the master's namespace. */
  readonly masterNetns: number;
  readonly master: Link;
  readonly settings: Settings;
  readonly engine: EngineChoice;
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
  readonly label?: string | undefined;
}

/** What tells a slave on its port. */
type Told = Omit<SlaveIdentity, "port">;

export class LivePort {
  readonly id: PortId;
  readonly port: Port;
  readonly slaves: SlaveTable;
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
  #choice: EngineChoice;
  #engine!: Engine;
  #engineReason = "";
  #hosts!: HostEnds;
  #isChanging: boolean;

  /**
   * `masterNetns` is ours to close from here on. `isNew`: on failure nothing stays; else the devices of a former run
   * do, for another try.
   */
  static async start(ground: Ground, spec: PortSpec): Promise<LivePort> {
    const { masterNetns, isNew } = spec;
    let live: LivePort;
    try {
      live = new LivePort(ground, spec);
    } catch (error) {
      closeSync(masterNetns);
      throw error;
    }
    try {
      await live.#start();
      if (isNew) live.#engine.takeOver();
      live.#writeAlias(); // the master may be another device now
      return live;
    } catch (error) {
      await live.close(isNew);
      throw error;
    }
  }

  private constructor(ground: Ground, spec: PortSpec) {
    const { id, masterNetns, master, settings, engine, isChanging = false } = spec;
    this.#ground = ground;
    this.id = id;
    this.#choice = engine;
    this.#isChanging = isChanging;
    this.#masterNetns = masterNetns;
    this.master = master;
    const seed = randomInt(2 ** 32); // nobody may choose addresses that collide
    this.port = new Port({ ...settings, mac: macOf(master), shared: true, seed });
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
    this.slaves = new SlaveTable(ground.socket, this.port, () => this.#hosts, {
      owners: (ips) => this.#ownersChanged(ips),
      groups: (id, groups) => this.#engine.setGroups(id, groups),
      place: (slave) => this.#engine.setPlace(slave.id, slave.nsid === this.masterNsid),
      mtu: (slave) => this.#setHostEnd(slave, { mtu: slave.mtu }),
    });
  }

  get identity(): PortIdentity {
    const { name, index: ifindex } = this.master;
    const { settings } = this.port;
    const [engine, isChanging] = [this.#choice, this.#isChanging];
    return { port: this.id, master: { name, ifindex }, settings, engine, isChanging };
  }
  get engineName(): EngineName {
    return this.#engine.name;
  }
  /** Why it is that one. */
  get engineReason(): string {
    return this.#engineReason;
  }
  statistics(slave: DeviceId): SlaveStatistics {
    return this.#engine.statistics(slave);
  }
  /** Where the slaves' host ends are. */
  get hosts(): HostEnds {
    return this.#hosts;
  }
  /** Everywhere they may be that a former run has left, or another engine. */
  allHosts(): HostEnds[] {
    return (["userspace", "ebpf"] as const).map((name) => new HostEnds(this.#hostPlace(name)));
  }
  /** What it is set to, as the log has it. */
  get state(): object {
    const [engine, consumption, wayUp] = [this.engineName, this.intakeName, this.wayUpName];
    return { ...this.port.settings, engine, consumption, wayUp };
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
    return this.engineName === "ebpf" ? "tc" : this.#side.wayUpName;
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
      host = this.#hosts.make(id, this.#newDevices(spec, targetNetns));
    } catch (error) {
      this.port.removeSlave(id);
      throw error;
    }
    try {
      const slave = await this.adopt(host, { id, label: spec.label });
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
  confirm({ id, label, hostIfindex }: Slave): void {
    const alias = slaveAlias({ port: this.id, id, label });
    setLink(this.#hosts.place.socket, hostIfindex, { alias });
  }

  /** Takes a slave that has its devices into service: a new one, or one of a former run. */
  async adopt(host: Link, { id, label }: Told): Promise<Slave> {
    if (!this.port.slaves().includes(id)) this.port.addSlave(id);
    const slave = this.slaves.add(id, host.index, label);
    await this.#serve(slave);
    this.slaves.seek(slave);
    if (this.#isChanging) slave.change({ noarp: this.noarp });
    return slave;
  }

  /** As `adopt`, for one whose host end is where another engine wants it, or another master. */
  bring(host: Link, told: Told, from: HostPlace): Promise<Slave> {
    return this.adopt(this.#hosts.bring(host, told.id, from), told);
  }

  /** All slaves of a former run are adopted. */
  adopted(): void {
    this.#engine.takeOver();
    this.#side.dropLeftovers();
    if (this.engineName !== "ebpf") removeLeftovers(this.#engineParts);
    this.changed();
  }

  /** The engine may be the present one. Slaves, their addresses and connections live through a change. */
  async setEngine(choice: EngineChoice): Promise<void> {
    const former = this.#engine;
    const [engine, reason] = await engineFor(choice, this.#engineParts, former);
    this.#choice = choice;
    this.#engineReason = reason;
    if (engine !== former) await this.#changeEngine(former, engine);
    this.#writeAlias();
    this.tell("engine set", { choice, ...this.state, reason });
  }

  async #changeEngine(former: Engine, engine: Engine): Promise<void> {
    try {
      this.#side.setMode(this.port.settings.mode, engine.name);
    } catch (error) {
      await engine.close(true);
      throw error;
    }
    const from = this.#hosts.place;
    this.#use(engine);
    for (const slave of this.slaves.all()) {
      former.removeSlave(slave.id);
      await this.#handOver(slave, from).catch((error: unknown) => {
        if (!isGone(error)) throw error; // it went meanwhile: the kernel's next event tells
      });
    }
    engine.takeOver();
    await former.close(true);
  }

  /** To an engine that knows nothing of it yet. `from`: where its host end is. */
  async #handOver(slave: Slave, from: HostPlace): Promise<void> {
    const host = getLink(from.socket, slave.hostIfindex);
    if (host === undefined) return;
    this.slaves.rehost(slave, this.#hosts.bring(host, slave.id, from).index);
    await this.#serve(slave);
    this.#engine.setPlace(slave.id, slave.nsid === this.masterNsid);
    this.#engine.setGroups(slave.id, slave.groups());
    this.#engine.ownersChanged([...slave.addresses.values()]);
  }

  async #serve(slave: Slave): Promise<void> {
    this.#engine.clearStatistics(slave.id);
    await this.#engine.addSlave(slave.id, slave.hostIfindex);
    if (this.slaves.get(slave.id) !== slave) {
      this.#engine.removeSlave(slave.id); // deleted meanwhile
      throw new PortError("ENODEV");
    }
    this.#setHostEnd(slave, { up: carries(this.master) });
  }

  /** Takes the slave's devices away, and what is known of it. */
  removeSlave(id: DeviceId): void {
    const slave = this.slaves.get(id);
    if (slave === undefined) return;
    this.forget(slave);
    const { socket } = this.#hosts.place;
    if (getLink(socket, slave.hostIfindex) !== undefined) deleteLink(socket, slave.hostIfindex);
  }

  /** Of all slaves. */
  removeSlaves(): void {
    const slaves = this.slaves.all();
    for (const slave of slaves) this.forget(slave);
    const hosts = slaves.map(({ hostIfindex }) => hostIfindex);
    if (hosts.length > 0) deleteLinks(this.#hosts.place.socket, hosts);
  }

  /** The slave's devices are gone. */
  forget(slave: Slave): void {
    this.tell("slave removed", { slave: slave.name, id: slave.id });
    this.#engine.removeSlave(slave.id);
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
      if (mode !== modeBefore) this.#side.setMode(mode, this.engineName);
    } catch (error) {
      this.port.configure({ mode: modeBefore, flag: flagBefore });
      throw error;
    }
    this.#engine.configure(this.port.settings);
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
    this.#engine.configure(this.port.settings);
    this.#writeAlias();
    this.tell("settings changed", this.state);
  }

  /** The kernel tells of the master's device. */
  masterChanged(master: Link): void {
    const before = this.master;
    this.master = master;
    if (master.name !== before.name) {
      this.#side.rename(master.name);
      this.#side.setMode(this.port.settings.mode, this.engineName);
      this.#writeAlias();
    }
    const mac = macOf(master);
    if (Buffer.compare(mac, macOf(before)) !== 0) {
      this.port.setMac(mac);
      this.#engine.setMac(mac);
      this.#side.setMac(mac);
      this.#setBothEnds({ mac });
    }
    if (master.mtu !== before.mtu) this.#setBothEnds({ mtu: master.mtu });
    if (carries(master) === carries(before)) return;
    for (const slave of this.slaves.all()) this.#setHostEnd(slave, { up: carries(master) });
    this.routesChanged(); // routes go with the carrier
  }

  masterAddresses(addresses: readonly Ip[]): void {
    this.#conflictLog.lookLater();
    this.port.setMasterAddresses(addresses);
  }

  /** Routes of the master's namespace have changed. */
  routesChanged(): void {
    this.#side.routesChanged();
    this.#engine.routesChanged();
  }

  /** Ends the data path, and nothing else. The returned descriptor, of the master's namespace, is the caller's to close. */
  async detach(): Promise<number> {
    await this.#endDataPath(true);
    this.#side.close();
    return this.#masterNetns;
  }

  /**
   * Ends the data path. `forGood`: what was put into the master's namespace is taken out; else it stays as it
   * is, devices and all, for the next daemon.
   */
  async close(forGood: boolean): Promise<void> {
    await this.#endDataPath(forGood);
    if (forGood) this.#side.remove();
    this.#side.close();
    closeSync(this.#masterNetns);
  }

  async #endDataPath(forGood: boolean): Promise<void> {
    this.#conflictLog.close();
    this.slaves.close();
    await (this.#engine as Engine | undefined)?.close(forGood);
  }

  async #start(): Promise<void> {
    const [engine, reason] = await engineFor(this.#choice, this.#engineParts);
    this.#engineReason = reason;
    this.#use(engine);
    this.#side.setMode(this.port.settings.mode, engine.name);
    engine.configure(this.port.settings);
  }

  #use(engine: Engine): void {
    this.#engine = engine;
    this.#hosts = new HostEnds(this.#hostPlace(engine.name));
  }

  #hostPlace(engine: EngineName): HostPlace {
    const { socket: observer, privateNetns } = this.#ground;
    if (engine === "userspace")
      return { observer, socket: observer, netns: privateNetns, nsid: undefined, number: this.id };
    const [netns, nsid] = [this.#masterNetns, this.masterNsid];
    return { observer, socket: this.#side.socket, netns, nsid, number: this.master.index };
  }

  get #engineParts(): EngineParts {
    const { privateNetns, stateDir, onDeath } = this.#ground;
    return {
      id: this.id,
      stateDir,
      privateNetns,
      masterNetns: this.#masterNetns,
      masterIfindex: this.master.index,
      side: this.#side,
      port: this.port,
      onMemberships: (id) => this.slaves.membershipsChanged(id),
      onDeath,
    };
  }

  #newDevices(spec: NewSlave, targetNetns: number): NewHostEnd {
    const { mac } = this.port;
    const mtu = spec.mtu ?? this.master.mtu;
    return {
      mac,
      mtu,
      peer: { name: spec.name, mac, mtu, noarp: this.noarp, netnsFd: targetNetns },
    };
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
      const { mtu } = change;
      const whole = mtu === undefined ? change : { ...change, mtu: hostMtu(mtu) };
      setLink(this.#hosts.place.socket, slave.hostIfindex, whole);
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== "ENODEV") throw error;
    }
  }

  /** Keeps the engine and the master's intake in step with the port. */
  #ownersChanged(ips: Iterable<Ip>): void {
    this.#conflictLog.lookLater();
    const all = [...ips];
    this.#engine.ownersChanged(all);
    const isOwned = (ip: Ip) => this.port.ownerOf(ip) !== NOBODY;
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

const isGone = (error: unknown): boolean =>
  (error instanceof NetlinkError || error instanceof PortError) && error.code === "ENODEV";

/** Ethernet devices have one. */
const macOf = (link: Link): Mac => link.mac!;
/** A master that is down, or whose cable is out, takes the slaves' carrier. */
const carries = (master: Link): boolean => master.up && master.carrier;
