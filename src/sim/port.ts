/** An ipvlan port of the simulated host: the driver's own files between a master's device and its slaves'. */
import { DataPath } from "../driver/data-path.ts";
import { type DecisionPort, NOBODY, type Slave } from "../driver/decide/machine.ts";
import * as v from "../driver/decide/verdict.ts";
import type { Hook } from "../driver/explain.ts";
import { GroupTable } from "../driver/group-table.ts";
import { type Change, type Compat, Port, type Said } from "../driver/port.ts";
import { reasons, Statistics } from "../driver/statistics.ts";
import type { Mac } from "../wire/address.ts";
import { Frame } from "../wire/frame.ts";
import { Device, type Follower } from "./device.ts";
import * as packets from "./packets.ts";
import type { Simulation } from "./simulation.ts";

/** Copies of floods that are made at once. */
const COPIES_AT_ONCE = 64;

const LOOPBACK_NET = 127;
/** The engines add the master's number to it: rules that are for both say `ipvlup*`. */
const UP_NAME = "ipvlup";

export class SimulatedPort {
  readonly master: Device;
  readonly port: Port;
  readonly statistics: Statistics = new Statistics();
  /** Where slaves are, as the hooks of the master's namespace see it in L3S. No namespace has it. */
  readonly #up: Device;
  readonly #simulation: Simulation;
  readonly #path: DataPath;
  readonly #groups: GroupTable = new GroupTable();
  /** By id. */
  readonly #slaves: (Device | undefined)[] = [];
  #isFlushDue = false;
  #isFlushing = false;
  /** Whether the frame at hand went to a slave, and so is not the master's stack's. */
  #isTaken = false;
  /** Where the frame at hand comes from. */
  #at: Device;

  // One of each for all slaves, of which there may be many.
  readonly #xmit = (f: Frame, device: Device): void => {
    this.#simulation.witness?.decides(this, "xmit", device, f);
    this.#at = device;
    this.#path.xmit(device.deviceId, f);
    this.#flushSoon();
  };
  readonly #follower: Follower = {
    upChanged: (device) => this.#follow(device),
    groupsChanged: (device) => this.#follow(device),
    addressAdded: ({ deviceId }, ip) => void this.port.claimAddress(deviceId, ip),
    addressRemoved: ({ deviceId }, ip) => this.port.releaseAddress(deviceId, ip),
  };

  constructor(master: Device, simulation: Simulation, said: Said) {
    this.master = master;
    this.#at = master;
    this.#up = new Device({ name: UP_NAME, mac: master.mac });
    this.#simulation = simulation;
    this.port = new Port({ mac: master.mac });
    this.#path = new DataPath({
      addresses: this.port.addresses,
      groups: this.#groups,
      statistics: this.statistics,
      outlets: {
        deliver: (to, f) => this.#deliver(to, f),
        wire: (f) => this.#send(f),
        stack: (f) => {
          this.#hop(master, f);
          return this.#later(() => master.netns?.receive(master, f));
        },
        route: (f) => this.#route(f),
      },
    });
    master.intake = (f) => this.#take("receive", f);
    master.input = (f) => this.port.settings.mode === "l3s" && this.#input(f);
    this.configure(said);
  }

  get slaves(): readonly Device[] {
    return this.#slaves.filter((slave) => slave !== undefined);
  }

  findSlave(id: Slave): Device | undefined {
    return this.#slaves[id];
  }

  /** What decisions ask. */
  get decisionPort(): DecisionPort {
    return this.#path;
  }

  configure(said: Said): Change {
    const change = this.port.configure(said);
    this.#path.configure(this.port.settings, this.port.mac);
    for (const device of this.slaves) device.isNoarp = this.port.settings.mode !== "l2";
    return change;
  }

  /** The master has another one, and so have its slaves. */
  setMac(mac: Mac): void {
    this.port.setMac(mac);
    this.#path.configure(this.port.settings, mac);
    for (const device of [this.master, ...this.slaves]) device.mac = mac;
  }

  setCompat(compat: Compat): void {
    this.port.setCompat(compat);
    this.#path.configure(this.port.settings, this.port.mac);
  }

  /** In no namespace yet, and down. */
  addSlave(name: string): Device {
    const { mac, mtu } = this.master;
    const id = this.port.addSlave();
    const device = new Device({ name, mac, mtu });
    device.deviceId = id;
    device.isNoarp = this.port.settings.mode !== "l2";
    device.out = this.#xmit;
    device.follower = this.#follower;
    this.#slaves[id] = device;
    return device;
  }

  #follow(device: Device): void {
    this.port.setUp(device.deviceId, device.isUp);
    if (device.isUp) this.#groups.set(device.deviceId, device.groups);
    else this.#groups.remove(device.deviceId);
  }

  /** Takes it out of its namespace. */
  removeSlave(device: Device): void {
    device.netns?.remove(device);
    this.#groups.remove(device.deviceId);
    this.port.removeSlave(device.deviceId);
    this.#slaves[device.deviceId] = undefined;
  }

  /** The master is its namespace's alone again. */
  close(): void {
    this.master.intake = undefined;
    this.master.input = undefined;
  }

  /** L3S: forwarded to its slave, if it has one, when the rules let it pass. Whether the master's stack is not to get it. */
  #input(f: Frame): boolean {
    const { master } = this;
    if (this.port.ownerOf(packets.dstOf(f)) === NOBODY) return false;
    return !master.netns?.forwardTo(this.#up, master, f) || this.#take("input", f);
  }

  #take(hook: Exclude<Hook, "xmit">, f: Frame): boolean {
    this.#simulation.witness?.decides(this, hook, this.master, f);
    this.#isTaken = false;
    this.#at = this.master;
    this.#path[hook](f);
    this.#flushSoon();
    return this.#isTaken;
  }

  #deliver(to: Slave, f: Frame): number {
    this.#isTaken = true;
    // A frame of the backlog is a window that moves on.
    const own = this.#isFlushing ? Frame.of(f.view().slice()) : f;
    const slave = this.#slaves[to];
    if (slave !== undefined) this.#hop(slave, own);
    return this.#later(() => slave?.receive(own));
  }

  #send(f: Frame): number {
    this.#hop(this.master, f);
    if (!this.master.isUp) return this.#lose(f, v.SEND_FAILED);
    this.master.send(f);
    return 0;
  }

  #route(f: Frame): number {
    const { master } = this;
    this.#hop(master, f);
    const src = packets.srcOf(f);
    if (src.length === 4 && src[0] === LOOPBACK_NET) return this.#lose(f, v.BAD_SOURCE);
    const up = this.port.settings.mode === "l3s" ? this.#up : undefined;
    const hasWay = master.netns?.outputBy(master, f, src.length === 4, up);
    return hasWay ? 0 : this.#lose(f, v.NO_ROUTE);
  }

  #hop(to: Device, f: Frame): void {
    this.#simulation.witness?.hop(this.#at, to, f, 0);
  }

  #lose(f: Frame, reason: number): number {
    this.#simulation.witness?.lost(this.master, f, reasons[reason]!);
    return reason;
  }

  #later(act: () => void): number {
    this.#simulation.clock.after(0, act);
    return 0;
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#simulation.clock.after(0, () => {
      this.#isFlushDue = false;
      this.#isFlushing = true;
      this.#at = this.master;
      const isMore = this.#path.flush(COPIES_AT_ONCE);
      this.#isFlushing = false;
      if (isMore) this.#flushSoon();
    });
  }
}
