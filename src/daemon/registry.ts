/**
 * The ports of one host namespace and what people ask of them. Checks what the kernel would check for a real
 * ipvlan, in its order, and refuses in its words.
 */
import { closeSync, openSync } from "node:fs";
import { PortError } from "../driver/errors.ts";
import type { Said, Settings } from "../driver/port.ts";
import { movePair, removeLeftovers } from "../engine/userspace/master-side.ts";
import { deleteLink, dumpLinks, getLink, type Link } from "../linux/netlink/link.ts";
import { assignNsid } from "../linux/netlink/nsid.ts";
import { withNetns } from "../linux/netns.ts";
import { Follower } from "./follower.ts";
import {
  downName,
  PORTS_MAX,
  type PortId,
  type PortIdentity,
  parsePortAlias,
  parseSlaveAlias,
} from "./identity.ts";
import {
  type Ground,
  LivePort,
  type NewSlave,
  named,
  type PortSpec,
  savedPath,
} from "./live-port.ts";
import { findAnywhere, findMaster, findMovedTo, type Place, refuseUnfit } from "./masters.ts";
import { findNetnsPath } from "./namespaces.ts";
import type { Slave } from "./slave.ts";
import { watchHolders } from "./witness.ts";

/** Linux: ETH_MIN_MTU, ETH_MAX_MTU. */
const MTU_MIN = 68;
const MTU_MAX = 65535;
/** The namespace this daemon serves, where masters mostly are. */
export const OWN_NETNS: string = `/proc/${process.pid}/ns/net`;

const DEFAULTS: Settings = { mode: "l3", flag: "bridge", compat: "howto" };

/** A slave and its port. */
export interface Found {
  readonly port: LivePort;
  readonly slave: Slave;
}

export interface SlaveRequest extends NewSlave, Said {
  /** Paths that open to the namespace of the master, and of the new slave. */
  readonly netns: string;
  readonly target?: string | undefined;
  readonly master: string;
}

/** Whether who asks administers a network namespace, given as a path that opens to it. */
export type Rights = (netns: string) => boolean;

export interface Touched extends Found {
  /** Other slaves whose mode or flag changed with it. */
  readonly touched: readonly Slave[];
}

export class Registry {
  readonly #ground: Ground;
  readonly #ports: Map<string, LivePort> = new Map();
  readonly #follower: Follower;
  readonly #holders: { close(): void };
  /** Requests change devices one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#follower = new Follower(ground, {
      ports: () => this.#ports.values(),
      masterGone: (port) => this.#later(() => this.#followMaster(port)),
      masterMoved: (port, to) => this.#later(() => this.#followMaster(port, to)),
      slaveGone: (port, slave) => this.#slaveGone(port, slave),
    });
    this.#holders = watchHolders(() => this.#removeAbandoned());
  }

  get ports(): readonly LivePort[] {
    return [...this.#ports.values()];
  }

  /** Takes in what the kernel has told so far, so that an answer is true when it is given. */
  settle(): void {
    this.#follower.settle();
  }

  /** Finds ports and slaves of a former run. */
  async adopt(): Promise<void> {
    await this.#inTurn(async () => {
      const links = dumpLinks(this.#ground.socket);
      for (const link of links) if (isHalfMade(link)) this.#deleteDevice(link.index);
      for (const link of links) await this.#told(() => this.#adoptPort(link));
      for (const link of links) await this.#told(() => this.#adoptSlave(link));
      for (const port of this.ports)
        if (port.slaves.size === 0) await this.#removePort(port);
        else port.changed();
    });
  }

  addSlave(request: SlaveRequest, may: Rights): Promise<Touched> {
    return this.#inTurn(async () => {
      demand(may(request.netns) && may(request.target ?? request.netns));
      refuseMtu(request.mtu);
      const target = openSync(request.target ?? request.netns, "r");
      try {
        const [port, isNew] = await this.#portFor(request, may);
        return await this.#addTo(port, request, target).catch(async (error) => {
          if (isNew) await this.#removePort(port);
          throw error;
        });
      } finally {
        closeSync(target);
      }
    });
  }

  setSlave(netns: string, name: string, said: Said, may: Rights): Promise<Touched> {
    return this.#inTurn(async () => {
      const { port, slave } = this.#get(netns, name);
      demand(may(port.masterNetnsPath));
      const touched = port.configure(said);
      return { port, slave, touched: touched.filter((one) => one !== slave) };
    });
  }

  removeSlave(netns: string, name: string, may: Rights): Promise<void> {
    return this.#inTurn(async () => {
      const { port, slave } = this.#get(netns, name);
      demand(may(netns) || may(port.masterNetnsPath));
      port.removeSlave(slave.id);
      await this.#removeIfEmpty(port);
    });
  }

  setCompat(
    netns: string,
    master: string,
    compat: Settings["compat"],
    may: Rights,
  ): Promise<LivePort> {
    return this.#inTurn(async () => {
      const port = this.#findPort(netns, findMaster(netns, master)?.index ?? 0);
      if (port === undefined) throw new PortError("ENODEV");
      demand(may(port.masterNetnsPath));
      port.setCompat(compat);
      return port;
    });
  }

  /** The slave of that name in a namespace. */
  find(netns: string, name: string): Found | undefined {
    const nsid = this.nsidOf(netns);
    for (const port of this.#ports.values())
      for (const slave of port.slaves.all())
        if (slave.nsid === nsid && slave.name === name) return { port, slave };
    return undefined;
  }

  /** A namespace's id in the private one. */
  nsidOf(netns: string): number {
    const fd = openSync(netns, "r");
    try {
      return assignNsid(this.#ground.socket, fd);
    } finally {
      closeSync(fd);
    }
  }

  /** `remove`: slaves go too; else their devices stay for the next daemon. */
  async close(remove: boolean): Promise<void> {
    await this.#inTurn(async () => {
      this.#follower.close();
      this.#holders.close();
      for (const port of this.ports)
        if (remove) await this.#removePort(port);
        else await port.close(false);
    });
  }

  async #addTo(port: LivePort, request: SlaveRequest, target: number): Promise<Touched> {
    const slave = await port.addSlave(request, target);
    try {
      const touched = port.configure(port.port.settingsOfNewSlave(request));
      port.confirm(slave);
      return { port, slave, touched: touched.filter((one) => one !== slave) };
    } catch (error) {
      port.removeSlave(slave.id);
      throw error;
    }
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #later(action: () => Promise<void>): void {
    void this.#told(() => this.#inTurn(action));
  }

  /** Carries out what nobody waits for; a failure is told in the log, and the rest goes on. */
  async #told(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#ground.log.error({ err: error });
    }
  }

  #get(netns: string, name: string): Found {
    const found = this.find(netns, name);
    if (found === undefined) throw new PortError("ENODEV");
    return found;
  }

  /** The port of the named master, made if there is none; and whether it was made. */
  async #portFor(request: SlaveRequest, may: Rights): Promise<[LivePort, boolean]> {
    const below = this.find(request.netns, request.master);
    if (below !== undefined) {
      demand(may(below.port.masterNetnsPath));
      return [below.port, false]; // a slave named as master means that slave's master
    }
    const master = findMaster(request.netns, request.master);
    if (master === undefined) throw new PortError("ENODEV");
    const port = this.#findPort(request.netns, master.index);
    if (port !== undefined) return [port, false];
    withNetns(request.netns, () => refuseUnfit(master));
    const { mode = DEFAULTS.mode, flag = DEFAULTS.flag } = request;
    const settings = { ...DEFAULTS, mode, flag };
    const spec = { id: this.#newPortId(), master, settings, isNew: true };
    return [await this.#startPort(request.netns, spec), true];
  }

  /** Numbers of ports of a former run that could not be started are taken, too. */
  #newPortId(): PortId {
    for (let id = 1; id <= PORTS_MAX; id++)
      if (getLink(this.#ground.socket, downName(id)) === undefined) return id;
    throw new PortError("ENOSPC");
  }

  #findPort(netns: string, ifindex: number): LivePort | undefined {
    return this.#ports.get(keyOf(this.nsidOf(netns), ifindex));
  }

  async #startPort(netns: string, spec: Omit<PortSpec, "masterNetns">): Promise<LivePort> {
    const port = await LivePort.start(this.#ground, { ...spec, masterNetns: openSync(netns, "r") });
    this.#ports.set(keyOf(port.masterNsid, port.master.index), port);
    port.tell("port started", port.state);
    this.#follower.resync();
    return port;
  }

  /** The pair tells which namespace its master was in. */
  async #adoptPort(down: Link): Promise<void> {
    const told = parsePortAlias(down.alias);
    const netns = told && down.linkNsid !== undefined && this.#findNetns(down.linkNsid);
    if (!netns) return;
    const { port: id, settings, isChanging } = told;
    const master = findMaster(netns, told.master.ifindex);
    if (master !== undefined) {
      await this.#startPort(netns, { id, master, settings, isChanging, isNew: false });
      return;
    }
    const moved = findAnywhere(told.master.name, down.mac!, this.#ground.privateNetns);
    await this.#moveOn(told, openSync(netns, "r"), moved);
  }

  /** A slave whose port has gone goes, too. */
  async #adoptSlave(host: Link): Promise<void> {
    const told = parseSlaveAlias(host.alias);
    if (told === undefined) return;
    const port = this.ports.find(({ id }) => id === told.port);
    if (port !== undefined) port.tell("slave found again", named(await port.adopt(host, told.id)));
    else if (getLink(this.#ground.socket, downName(told.port)) === undefined)
      deleteLink(this.#ground.socket, host.index);
  }

  /** The master is not where it was. `to`: the last that was heard of it. */
  async #followMaster(port: LivePort, to?: Link): Promise<void> {
    const { socket, privateNetns } = this.#ground;
    const { index, name, mac } = port.master;
    if (getLink(socket, index, { targetNsid: port.masterNsid }) !== undefined) return;
    if (!this.#ports.delete(keyOf(port.masterNsid, index))) return;
    const netns = await port.detach();
    port.tell("master left its namespace");
    const moved = (to && findMovedTo(netns, to)) ?? findAnywhere(name, mac!, privateNetns);
    await this.#moveOn(port.identity, netns, moved);
    for (const host of dumpLinks(socket)) await this.#told(() => this.#adoptSlave(host));
  }

  /** A port goes on where its master is now, or it ends. `netns` is where the master was; it is closed. */
  async #moveOn(
    { port: id, master: former, settings }: PortIdentity,
    netns: number,
    moved: Place | undefined,
  ): Promise<void> {
    try {
      withNetns(netns, () => removeLeftovers(former, savedPath(this.#ground, id)));
      if (moved === undefined) return this.#deleteDevice(downName(id));
      const { netns: target, master } = moved;
      withNetns(netns, () => movePair(former.ifindex, target, master.index));
      return void (await this.#startPort(target, { id, master, settings, isNew: false }));
    } finally {
      closeSync(netns);
    }
  }

  #deleteDevice(nameOrIndex: string | number): void {
    const { socket } = this.#ground;
    const link = getLink(socket, nameOrIndex);
    if (link !== undefined) deleteLink(socket, link.index);
  }

  #findNetns(nsid: number): string | undefined {
    return findNetnsPath(this.#ground.socket, nsid, OWN_NETNS);
  }

  #slaveGone(port: LivePort, slave: Slave): void {
    port.forget(slave);
    this.#later(() => this.#removeIfEmpty(port));
  }

  /** A namespace that only we still have has ended as far as others are concerned. */
  #removeAbandoned(): void {
    for (const port of this.ports)
      if (!port.witness.isHeld()) this.#later(() => this.#removePort(port));
  }

  /** The last slave takes the port. */
  async #removeIfEmpty(port: LivePort): Promise<void> {
    if (port.slaves.size === 0) await this.#removePort(port);
  }

  /** With its slaves: a master takes them along. */
  async #removePort(port: LivePort): Promise<void> {
    if (!this.#ports.delete(keyOf(port.masterNsid, port.master.index))) return;
    for (const { id } of port.slaves.all()) port.removeSlave(id);
    await port.close(true);
    port.tell("port ended");
  }
}

function demand(isAllowed: boolean): void {
  if (!isAllowed) throw new PortError("EPERM");
}

/** What a daemon that was killed had not finished making. */
const isHalfMade = ({ name, alias }: Link): boolean => name !== "lo" && alias === undefined;

const keyOf = (nsid: number, ifindex: number): string => `${nsid}.${ifindex}`;

/** Kernel: dev_validate_mtu(), where an MTU is a signed number. */
function refuseMtu(mtu: number = MTU_MIN): void {
  if ((mtu | 0) < MTU_MIN) throw new PortError("EINVAL", "mtu less than device minimum");
  if (mtu > MTU_MAX) throw new PortError("EINVAL", "mtu greater than device maximum");
}
