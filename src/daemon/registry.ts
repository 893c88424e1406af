/**
 * What people ask of the ports of one host namespace, and what the kernel tells, one after the other. Checks what the
 * kernel would check for a real ipvlan, in its order, and refuses in its words.
 */
import { closeSync, openSync } from "node:fs";
import { PortError } from "../driver/errors.ts";
import type { Said, Settings } from "../driver/port.ts";
import type { EngineChoice } from "../engine/engine.ts";
import { withNetns } from "../linux/netns.ts";
import { Follower } from "./follower.ts";
import type { Ground, LivePort, NewSlave } from "./live-port.ts";
import { findMaster, refuseUnfit } from "./masters.ts";
import { type Found, Ports } from "./ports.ts";
import type { Slave } from "./slave.ts";
import { watchHolders } from "./witness.ts";

/** Linux: ETH_MIN_MTU, ETH_MAX_MTU. */
const MTU_MIN = 68;
const MTU_MAX = 65535;

const DEFAULTS: Settings = { mode: "l3", flag: "bridge", compat: "howto" };

export interface SlaveRequest extends NewSlave, Said {
  /** Paths that open to the namespace of the master, and of the new slave. */
  readonly netns: string;
  readonly target?: string | undefined;
  readonly master: string;
  /** What a new port gets; one that is there has it, or refuses. */
  readonly engine?: EngineChoice | undefined;
  /** A port that has slaves refuses what would change its ways for them. */
  readonly keep?: boolean | undefined;
}

/** What somebody says of a port as a whole. */
export interface PortSaid {
  readonly compat?: Settings["compat"] | undefined;
  readonly engine?: EngineChoice | undefined;
}

/** Whether who asks administers a network namespace, given as a path that opens to it. */
export type Rights = (netns: string) => boolean;

export interface Touched extends Found {
  /** Other slaves whose mode or flag changed with it. */
  readonly touched: readonly Slave[];
}

export class Registry {
  readonly #ports: Ports;
  readonly #follower: Follower;
  readonly #holders: { close(): void };
  /** Requests change devices one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ground: Ground) {
    this.#ports = new Ports(ground, () => this.#follower.resync());
    this.#follower = new Follower(ground, {
      ports: () => this.#ports.all(),
      masterGone: (port) => this.#later(() => this.#ports.followMaster(port)),
      masterMoved: (port, to) => this.#later(() => this.#ports.followMaster(port, to)),
      slaveGone: (port, slave) => this.#slaveGone(port, slave),
    });
    this.#holders = watchHolders(() => this.#removeAbandoned());
  }

  get ports(): readonly LivePort[] {
    return this.#ports.all();
  }

  /** A namespace's id in the private one. */
  nsidOf(netns: string): number {
    return this.#ports.nsidOf(netns);
  }

  /** Takes in what the kernel has told so far, so that an answer is true when it is given. */
  settle(): void {
    this.#follower.settle();
  }

  /** Finds ports and slaves of a former run. */
  adopt(): Promise<void> {
    return this.#inTurn(() => this.#ports.adopt());
  }

  addSlave(request: SlaveRequest, may: Rights): Promise<Touched> {
    return this.#inTurn(async () => {
      demand(may(request.netns) && may(request.target ?? request.netns));
      refuseMtu(request.mtu);
      if (request.label !== undefined && this.#ports.findLabelled(request.label) !== undefined)
        throw new PortError("EEXIST", `there is a slave for ${request.label}`);
      const target = openSync(request.target ?? request.netns, "r");
      try {
        const [port, isNew] = await this.#portFor(request, may);
        return await this.#addTo(port, request, target).catch(async (error) => {
          if (isNew) await this.#ports.remove(port);
          throw error;
        });
      } finally {
        closeSync(target);
      }
    });
  }

  setSlave(netns: string, name: string, said: Said, may: Rights): Promise<Touched> {
    return this.#inTurn(async () => {
      const { port, slave } = this.#getSlave(netns, name);
      demand(may(port.masterNetnsPath));
      const touched = port.configure(said);
      return { port, slave, touched: touched.filter((one) => one !== slave) };
    });
  }

  removeSlave(netns: string, name: string, may: Rights): Promise<void> {
    return this.#inTurn(async () => {
      const found = this.#getSlave(netns, name);
      demand(may(netns) || may(found.port.masterNetnsPath));
      await this.#remove(found);
    });
  }

  /** Wherever it is. */
  removeLabelled(label: string, may: Rights): Promise<void> {
    return this.#inTurn(async () => {
      const found = this.#ports.findLabelled(label);
      if (found === undefined) throw new PortError("ENODEV");
      demand(may(found.port.masterNetnsPath));
      await this.#remove(found);
    });
  }

  setPort(netns: string, master: string, said: PortSaid, may: Rights): Promise<LivePort> {
    return this.#inTurn(async () => {
      const port = this.#ports.findPort(netns, findMaster(netns, master)?.index ?? 0);
      if (port === undefined) throw new PortError("ENODEV");
      demand(may(port.masterNetnsPath));
      if (said.engine !== undefined) await port.setEngine(said.engine);
      if (said.compat !== undefined) port.setCompat(said.compat);
      return port;
    });
  }

  /** `remove`: slaves go too; else their devices stay for the next daemon. */
  close(remove: boolean): Promise<void> {
    return this.#inTurn(async () => {
      this.#follower.close();
      this.#holders.close();
      if (!remove) return this.#ports.close();
      for (const port of this.ports) await this.#ports.remove(port);
    });
  }

  /** The port of the named master, made if there is none; and whether it was made. */
  async #portFor(request: SlaveRequest, may: Rights): Promise<[LivePort, boolean]> {
    const below = this.#ports.findSlave(request.netns, request.master);
    if (below !== undefined) {
      demand(may(below.port.masterNetnsPath));
      refuseChange(below.port, request);
      return [below.port, false]; // a slave named as master means that slave's master
    }
    const master = findMaster(request.netns, request.master);
    if (master === undefined) throw new PortError("ENODEV");
    const port = this.#ports.findPort(request.netns, master.index);
    if (port !== undefined) {
      refuseChange(port, request);
      return [port, false];
    }
    withNetns(request.netns, () => refuseUnfit(master));
    const { mode = DEFAULTS.mode, flag = DEFAULTS.flag, engine } = request;
    const settings = { ...DEFAULTS, mode, flag };
    return [await this.#ports.add(request.netns, master, settings, engine), true];
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

  async #remove({ port, slave }: Found): Promise<void> {
    port.removeSlave(slave.id);
    await this.#ports.removeIfEmpty(port);
  }

  #getSlave(netns: string, name: string): Found {
    const found = this.#ports.findSlave(netns, name);
    if (found === undefined) throw new PortError("ENODEV");
    return found;
  }

  #slaveGone(port: LivePort, slave: Slave): void {
    port.forget(slave);
    this.#later(() => this.#ports.removeIfEmpty(port));
  }

  /** A namespace that only we still have has ended as far as others are concerned. */
  #removeAbandoned(): void {
    for (const port of this.ports)
      if (!port.witness.isHeld()) this.#later(() => this.#ports.remove(port));
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #later(action: () => Promise<void>): void {
    void this.#ports.attempt(() => this.#inTurn(action));
  }
}

function demand(isAllowed: boolean): void {
  if (!isAllowed) throw new PortError("EPERM");
}

/** What a port is, it is for all its slaves. */
function refuseChange(port: LivePort, { keep, engine = "auto", ...said }: SlaveRequest): void {
  const is = port.port.settings;
  const wanted = port.port.settingsOfNewSlave(said);
  const isLike = !keep || (wanted.mode === is.mode && wanted.flag === is.flag);
  if (isLike && (engine === "auto" || engine === port.engineName)) return;
  const ways = `mode ${is.mode} ${is.flag}${isLike ? ` with engine ${port.engineName}` : ""}`;
  const count = port.slaves.size;
  const slaves = `${count} ${count === 1 ? "slave" : "slaves"}`;
  throw new PortError("EBUSY", `${port.master.name} is in ${ways} for ${slaves}`);
}

/** Kernel: dev_validate_mtu(), where an MTU is a signed number. */
function refuseMtu(mtu: number = MTU_MIN): void {
  if ((mtu | 0) < MTU_MIN) throw new PortError("EINVAL", "mtu less than device minimum");
  if (mtu > MTU_MAX) throw new PortError("EINVAL", "mtu greater than device maximum");
}
