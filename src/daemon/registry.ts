/**
 * The ports of one host namespace and what people ask of them. Checks what the kernel would check for a real
 * ipvlan, in its order, and refuses in its words.
 */
import { closeSync, openSync } from "node:fs";
import { PortError } from "../driver/errors.ts";
import type { Said, Settings } from "../driver/port.ts";
import { removeLeftovers } from "../engine/userspace/master-side.ts";
import { deleteLink, dumpLinks, getLink, type Link } from "../linux/netlink/link.ts";
import { assignNsid } from "../linux/netlink/nsid.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { Follower } from "./follower.ts";
import { parsePortAlias, parseSlaveAlias } from "./identity.ts";
import { type Ground, LivePort, type NewSlave } from "./live-port.ts";
import type { Slave } from "./slave.ts";

const ARPHRD_ETHER = 1;
const IFF_LOOPBACK = 0x8;
/** Linux: ETH_MIN_MTU, ETH_MAX_MTU. */
const MTU_MIN = 68;
const MTU_MAX = 65535;
/** A device with one of these on it, or that is one's port, has its receive handler taken. */
const PORT_KINDS: readonly string[] = ["bridge", "bond", "team"];
const UPPER_KINDS: readonly string[] = ["macvlan", "macvtap"];

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

export interface Touched extends Found {
  /** Other slaves whose mode or flag changed with it. */
  readonly touched: readonly Slave[];
}

export class Registry {
  readonly #ground: Ground;
  readonly #ports: Map<string, LivePort> = new Map();
  readonly #follower: Follower;
  /** Requests change devices one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#follower = new Follower(ground, {
      ports: () => this.#ports.values(),
      masterGone: (port) => this.#later(() => this.#removePort(port)),
      slaveGone: (port, slave) => this.#slaveGone(port, slave),
    });
  }

  get ports(): readonly LivePort[] {
    return [...this.#ports.values()];
  }

  /** Takes in what the kernel has told so far, so that an answer is true when it is given. */
  settle(): void {
    this.#follower.settle();
  }

  /** Finds ports and slaves of a former run. `netns`: the namespace this daemon serves. */
  async adopt(netns: string): Promise<void> {
    await this.#inTurn(async () => {
      const links = dumpLinks(this.#ground.socket);
      for (const link of links) await told(() => this.#adoptPort(netns, link));
      for (const link of links) await told(() => this.#adoptSlave(netns, link));
      for (const port of this.ports) if (port.slaves.size === 0) await this.#removePort(port);
    });
  }

  addSlave(request: SlaveRequest): Promise<Touched> {
    return this.#inTurn(async () => {
      refuseMtu(request.mtu);
      const target = openSync(request.target ?? request.netns, "r");
      try {
        const [port, isNew] = await this.#portFor(request);
        return await this.#addTo(port, request, target).catch(async (error) => {
          if (isNew) await this.#removePort(port);
          throw error;
        });
      } finally {
        closeSync(target);
      }
    });
  }

  setSlave(netns: string, name: string, said: Said): Promise<Touched> {
    return this.#inTurn(async () => {
      const { port, slave } = this.#get(netns, name);
      const touched = port.configure(said);
      return { port, slave, touched: touched.filter((one) => one !== slave) };
    });
  }

  removeSlave(netns: string, name: string): Promise<void> {
    return this.#inTurn(async () => {
      const { port, slave } = this.#get(netns, name);
      port.removeSlave(slave.id);
      await this.#removeIfEmpty(port);
    });
  }

  setCompat(netns: string, master: string, compat: Settings["compat"]): Promise<LivePort> {
    return this.#inTurn(async () => {
      const port = this.#findPort(netns, findMaster(netns, master)?.index ?? 0);
      if (port === undefined) throw new PortError("ENODEV");
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
      for (const port of this.ports)
        if (remove) await this.#removePort(port);
        else await port.close(false);
    });
  }

  async #addTo(port: LivePort, request: SlaveRequest, target: number): Promise<Touched> {
    const slave = await port.addSlave(request, target);
    try {
      const touched = port.configure(port.port.settingsOfNewSlave(request));
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
    void told(() => this.#inTurn(action));
  }

  #get(netns: string, name: string): Found {
    const found = this.find(netns, name);
    if (found === undefined) throw new PortError("ENODEV");
    return found;
  }

  /** The port of the named master, made if there is none; and whether it was made. */
  async #portFor(request: SlaveRequest): Promise<[LivePort, boolean]> {
    const below = this.find(request.netns, request.master);
    if (below !== undefined) return [below.port, false]; // a slave named as master means that slave's master
    const master = findMaster(request.netns, request.master);
    if (master === undefined) throw new PortError("ENODEV");
    const port = this.#findPort(request.netns, master.index);
    if (port !== undefined) return [port, false];
    withNetns(request.netns, () => refuseUnfit(master));
    const { mode = DEFAULTS.mode, flag = DEFAULTS.flag } = request;
    return [await this.#startPort(request.netns, master, { ...DEFAULTS, mode, flag }, true), true];
  }

  #findPort(netns: string, ifindex: number): LivePort | undefined {
    return this.#ports.get(keyOf(this.nsidOf(netns), ifindex));
  }

  async #startPort(
    netns: string,
    master: Link,
    settings: Settings,
    isNew: boolean,
  ): Promise<LivePort> {
    const port = await LivePort.start(this.#ground, openSync(netns, "r"), master, settings, isNew);
    this.#ports.set(keyOf(port.masterNsid, master.index), port);
    this.#follower.resync();
    return port;
  }

  /** A master that has gone meanwhile leaves things of the port behind. */
  async #adoptPort(netns: string, pairEnd: Link): Promise<void> {
    const told = parsePortAlias(pairEnd.alias);
    if (told === undefined) return;
    const master = findMaster(netns, told.master.ifindex);
    if (master !== undefined) {
      await this.#startPort(netns, master, told.settings, false);
      return;
    }
    deleteLink(this.#ground.socket, pairEnd.index);
    withNetns(netns, () => removeLeftovers(told.master, this.#ground.stateDir));
  }

  /** A slave whose master has gone goes, too. */
  async #adoptSlave(netns: string, hostEnd: Link): Promise<void> {
    const told = parseSlaveAlias(hostEnd.alias);
    if (told === undefined) return;
    const port = this.ports.find((one) => one.master.index === told.masterIfindex);
    if (port !== undefined) await port.adopt(hostEnd, told.id);
    else if (findMaster(netns, told.masterIfindex) === undefined)
      deleteLink(this.#ground.socket, hostEnd.index);
  }

  #slaveGone(port: LivePort, slave: Slave): void {
    port.forget(slave);
    this.#later(() => this.#removeIfEmpty(port));
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
  }
}

/** Carries out what nobody waits for; a failure is told in the log, and the rest goes on. */
async function told(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    process.stderr.write(`${error}\n`);
  }
}

const keyOf = (nsid: number, ifindex: number): string => `${nsid}.${ifindex}`;

const findMaster = (netns: string, nameOrIndex: string | number): Link | undefined =>
  withNetns(netns, () => inSocket((socket) => getLink(socket, nameOrIndex)));

/** Kernel: dev_validate_mtu(), where an MTU is a signed number. */
function refuseMtu(mtu: number = MTU_MIN): void {
  if ((mtu | 0) < MTU_MIN) throw new PortError("EINVAL", "mtu less than device minimum");
  if (mtu > MTU_MAX) throw new PortError("EINVAL", "mtu greater than device maximum");
}

/** Kernel: ipvlan_port_create(), netdev_rx_handler_register(). In the master's namespace. */
function refuseUnfit(master: Link): void {
  if ((master.flags & IFF_LOOPBACK) !== 0 || master.type !== ARPHRD_ETHER || master.kind === "vrf")
    throw new PortError("EINVAL");
  const taken =
    PORT_KINDS.includes(master.slaveKind ?? "") ||
    inSocket(dumpLinks).some(
      (link) => UPPER_KINDS.includes(link.kind ?? "") && link.link === master.index,
    );
  if (taken) throw new PortError("EBUSY");
}

function inSocket<T>(section: (socket: NetlinkSocket) => T): T {
  const socket = NetlinkSocket.open();
  try {
    return section(socket);
  } finally {
    socket.close();
  }
}
