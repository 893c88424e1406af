/**
 * The ports that there are: made for a request, found again after a restart, taken along when a master moves, ended
 * with the last slave, the master or its namespace. They change one at a time: the registry sees to that.
 */
import { closeSync, openSync } from "node:fs";
import { PortError } from "../driver/errors.ts";
import type { Settings } from "../driver/port.ts";
import { removePins } from "../engine/ebpf/pins.ts";
import type { EngineChoice } from "../engine/engine.ts";
import { movePair, removeLeftovers } from "../engine/master/master-side.ts";
import { deleteLink, dumpLinks, getLink, type Link } from "../linux/netlink/link.ts";
import { assignNsid } from "../linux/netlink/nsid.ts";
import { withNetns } from "../linux/netns.ts";
import { fetchHostEnds, type HostEnds } from "./host-ends.ts";
import {
  downName,
  PORTS_MAX,
  type PortId,
  type PortIdentity,
  parsePortAlias,
  parseSlaveAlias,
} from "./identity.ts";
import { type Ground, LivePort, named, type PortSpec, savedPath } from "./live-port.ts";
import { findAnywhere, findMaster, findMovedTo, type Place } from "./masters.ts";
import { findNetnsPath } from "./namespaces.ts";
import type { Slave } from "./slave.ts";

/** The namespace this daemon serves, where masters mostly are. */
export const OWN_NETNS: string = `/proc/${process.pid}/ns/net`;

/** A slave and its port. */
export interface Found {
  readonly port: LivePort;
  readonly slave: Slave;
}

export class Ports {
  readonly #ground: Ground;
  readonly #ports: Map<string, LivePort> = new Map();
  readonly #onStart: () => void;

  /** `onStart`: there is a port whose devices have yet to be listed. */
  constructor(ground: Ground, onStart: () => void) {
    this.#ground = ground;
    this.#onStart = onStart;
  }

  /** A copy: ports may end while somebody looks at it. */
  all(): LivePort[] {
    return [...this.#ports.values()];
  }

  /** The port of a master, by its index in a namespace. */
  findPort(netns: string, ifindex: number): LivePort | undefined {
    return this.#ports.get(keyOf(this.nsidOf(netns), ifindex));
  }

  /** The slave of that name in a namespace. */
  findSlave(netns: string, name: string): Found | undefined {
    const nsid = this.nsidOf(netns);
    for (const port of this.#ports.values())
      for (const slave of port.slaves.all())
        if (slave.nsid === nsid && slave.name === name) return { port, slave };
    return undefined;
  }

  /** The slave that was made for somebody. */
  findLabelled(label: string): Found | undefined {
    for (const port of this.#ports.values())
      for (const slave of port.slaves.all()) if (slave.label === label) return { port, slave };
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

  /** A port that there was not before. */
  add(
    netns: string,
    master: Link,
    settings: Settings,
    engine: EngineChoice = this.#ground.engine,
  ): Promise<LivePort> {
    return this.#start(netns, { id: this.#newId(), master, settings, engine, isNew: true });
  }

  /** With its slaves: a master takes them along. */
  async remove(port: LivePort): Promise<void> {
    if (!this.#ports.delete(keyOf(port.masterNsid, port.master.index))) return;
    port.removeSlaves();
    await port.close(true);
    port.tell("port ended");
  }

  /** The last slave takes the port. */
  async removeIfEmpty(port: LivePort): Promise<void> {
    if (port.slaves.size === 0) await this.remove(port);
  }

  /** Ends the data paths; the devices stay for the next daemon. */
  async close(): Promise<void> {
    for (const port of this.all()) await port.close(false);
  }

  /** Finds what a former run left: the devices tell. */
  async adopt(): Promise<void> {
    const links = dumpLinks(this.#ground.socket);
    for (const link of links) if (isHalfMade(link)) this.#deleteDevice(link.index);
    for (const link of links) await this.attempt(() => this.#adoptPort(link));
    for (const port of this.all()) await this.#adoptSlaves(port);
    this.#removeOrphans();
    for (const port of this.all())
      if (port.slaves.size === 0) await this.remove(port);
      else port.adopted();
  }

  /** The master is not where it was. `to`: the last that was heard of it. */
  async followMaster(port: LivePort, to?: Link): Promise<void> {
    const { socket } = this.#ground;
    const { index, name, mac } = port.master;
    if (getLink(socket, index, { targetNsid: port.masterNsid }) !== undefined) return;
    if (!this.#ports.delete(keyOf(port.masterNsid, index))) return;
    const netns = await port.detach();
    port.tell("master left its namespace");
    const moved = (to && findMovedTo(netns, to)) ?? findAnywhere(name, mac!);
    await this.attempt(() => this.#moveOn(port.identity, netns, moved));
    const next = this.all().find(({ id }) => id === port.id);
    if (next !== undefined) {
      await this.#adoptSlaves(next);
      next.adopted();
    }
    this.#removeOrphans();
  }

  /** Carries out what nobody waits for; a failure is told in the log, and the rest goes on. */
  async attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#ground.log.error({ err: error });
    }
  }

  async #start(netns: string, spec: Omit<PortSpec, "masterNetns">): Promise<LivePort> {
    const port = await LivePort.start(this.#ground, { ...spec, masterNetns: openSync(netns, "r") });
    this.#ports.set(keyOf(port.masterNsid, port.master.index), port);
    port.tell("port started", { ...port.state, reason: port.engineReason });
    this.#onStart();
    return port;
  }

  /** Numbers of ports of a former run that could not be started are taken, too. */
  #newId(): PortId {
    for (let id = 1; id <= PORTS_MAX; id++)
      if (getLink(this.#ground.socket, downName(id)) === undefined) return id;
    throw new PortError("ENOSPC");
  }

  /** The pair tells which namespace its master was in. */
  async #adoptPort(down: Link): Promise<void> {
    const told = parsePortAlias(down.alias);
    const netns = told && down.linkNsid !== undefined && this.#findNetns(down.linkNsid);
    if (!netns) return;
    const { port: id, settings, isChanging } = told;
    const engine = this.#engineOf(told);
    const master = findMaster(netns, told.master.ifindex);
    if (master !== undefined) {
      await this.#start(netns, { id, master, settings, engine, isChanging, isNew: false });
      return;
    }
    const moved = findAnywhere(told.master.name, down.mac!);
    await this.#moveOn(told, openSync(netns, "r"), moved);
  }

  /** Those of a former run, wherever their host ends are. */
  async #adoptSlaves(port: LivePort): Promise<void> {
    for (const hosts of port.allHosts())
      for (const host of hosts.list()) await this.attempt(() => adoptSlave(port, hosts, host));
  }

  /** A slave whose port has gone goes, too. */
  #removeOrphans(): void {
    for (const { index, alias } of dumpLinks(this.#ground.socket)) {
      const told = parseSlaveAlias(alias);
      if (told !== undefined && getLink(this.#ground.socket, downName(told.port)) === undefined)
        this.#deleteDevice(index);
    }
  }

  /** What was said when the daemon was started goes before what was said to a former one. */
  #engineOf({ engine }: PortIdentity): EngineChoice {
    return this.#ground.engine === "auto" ? engine : this.#ground.engine;
  }

  /** A port goes on where its master is now, or it ends. `netns` is where the master was; it is closed. */
  async #moveOn(identity: PortIdentity, netns: number, moved: Place | undefined): Promise<void> {
    const { port: id, master: former, settings } = identity;
    const { stateDir, privateNetns } = this.#ground;
    try {
      removePins(stateDir, id);
      withNetns(netns, () => {
        removeLeftovers(former, savedPath(this.#ground, id));
        fetchHostEnds(former.ifindex, id, privateNetns);
      });
      if (moved === undefined) return this.#deleteDevice(downName(id));
      const { netns: target, master } = moved;
      const targetFd = openSync(target, "r"); // here: in another namespace the path may lead elsewhere
      try {
        withNetns(netns, () => movePair(former.ifindex, targetFd, master.index));
      } finally {
        closeSync(targetFd);
      }
      const engine = this.#engineOf(identity);
      await this.#start(target, { id, master, settings, engine, isNew: false });
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
}

/** One that a killed daemon had not finished making is taken away. */
async function adoptSlave(port: LivePort, hosts: HostEnds, host: Link): Promise<void> {
  const told = parseSlaveAlias(host.alias);
  if (told === undefined) return deleteLink(hosts.place.socket, host.index);
  const isInPlace = hosts.nsid === port.hosts.nsid;
  const slave = await (isInPlace ? port.adopt(host, told) : port.bring(host, told, hosts.place));
  port.tell("slave found again", named(slave));
}

/** What a daemon that was killed had not finished making. */
const isHalfMade = ({ name, alias }: Link): boolean => name !== "lo" && alias === undefined;

const keyOf = (nsid: number, ifindex: number): string => `${nsid}.${ifindex}`;
