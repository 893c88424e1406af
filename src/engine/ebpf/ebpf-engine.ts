/**
 * The eBPF engine of one port: the driver's decisions run in the kernel, at traffic control, and frames never leave it.
 *
 *     slave ─veth─ host end ▸ xmit ─┐                      ┌─ receive ◂ master ── wire
 *     slave ─veth─ host end ▸ xmit ─┼─ redirect to a slave,┤
 *     slave ─veth─ host end ▸ xmit ─┘  the wire, the stack └─ input, flood ◂ pair's end ── the hooks of L3S
 *
 * We only keep its tables. Programs, tables and where they hang outlive us; the next daemon makes its own tables, fills
 * them from what the kernel tells, and puts its programs in the place of ours.
 */
import type { Slave } from "../../driver/decide/machine.ts";
import type { Groups } from "../../driver/group-table.ts";
import type { Port, Settings } from "../../driver/port.ts";
import type { SlaveStatistics } from "../../driver/statistics.ts";
import { loadProgram } from "../../linux/bpf/programs.ts";
import { RingBuffer } from "../../linux/bpf/ring-buffer.ts";
import { HOOKS } from "../../linux/netlink/tc.ts";
import { close, watch } from "../../linux/sys.ts";
import type { Ip, Mac } from "../../wire/address.ts";
import type { Engine } from "../engine.ts";
import type { MasterSide } from "../master/master-side.ts";
import { giveBackGroups, takeAllGroups } from "./all-groups.ts";
import { GroupLists } from "./group-lists.ts";
import { detachFilter, Hooks } from "./hooks.ts";
import { ADDRESSES_MAX, REPORTS, REPORTS_BYTES } from "./layout.ts";
import { LocalAddresses } from "./local-addresses.ts";
import { Pins, removePins } from "./pins.ts";
import { PROGRAM_NAMES, type ProgramName, readPrograms } from "./programs.ts";
import { Tables } from "./tables.ts";

export interface EbpfParts {
  /** The port's number. */
  readonly id: number;
  /** Folder of what outlives the daemon. */
  readonly stateDir: string;
  readonly masterNetns: number;
  readonly masterIfindex: number;
  readonly side: MasterSide;
  readonly port: Port;
  /** A slave joined or left a group. */
  readonly onMemberships: (id: Slave) => void;
}

interface Host {
  readonly ifindex: number;
  isWithMaster: boolean;
}

export class EbpfEngine implements Engine {
  readonly name = "ebpf";
  readonly #parts: EbpfParts;
  readonly #tables: Tables;
  readonly #pins: Pins;
  readonly #hooks: Hooks;
  readonly #programs: Readonly<Record<ProgramName, number>>;
  readonly #hosts: Map<Slave, Host> = new Map();
  readonly #groups: GroupLists;
  readonly #locals: LocalAddresses;
  readonly #reports: RingBuffer;
  readonly #watch: { close(): void };

  /**
   * Loads the programs and hangs one at the master: throws SysError, VerifierError or NetlinkError where the kernel does
   * not let us, and leaves nothing. What a former run left goes on until `takeOver`.
   */
  static start(parts: EbpfParts): EbpfEngine {
    const undo: (() => void)[] = [];
    try {
      return new EbpfEngine(parts, undo);
    } catch (error) {
      for (const action of undo.reverse()) action();
      throw error;
    }
  }

  private constructor(parts: EbpfParts, undo: (() => void)[]) {
    const { id, stateDir, side, port, masterIfindex } = parts;
    const { masterNetns } = parts;
    const { socket } = side;
    this.#parts = parts;
    this.#pins = new Pins(stateDir, id);
    this.#hooks = new Hooks({ socket, masterNetns, masterIfindex, pins: this.#pins });
    const isFirst = !this.#hooks.has("receive", masterIfindex, "ingress");
    if (isFirst) undo.push(() => removePins(stateDir, id));
    this.#tables = new Tables(masterIfindex, side.up.ifindex);
    undo.push(() => this.#tables.close());
    const { descriptors } = this.#tables;
    this.#programs = loadAll(descriptors, undo);
    this.#tables.configure(port.settings);
    this.#tables.setMac(port.mac);
    this.#groups = new GroupLists((key, piece) => this.#tables.setPiece(key, piece));
    this.#locals = new LocalAddresses(socket, this.#tables);
    this.#reports = new RingBuffer(descriptors[REPORTS]!, REPORTS_BYTES);
    undo.push(() => this.#reports.close());
    if (isFirst) {
      this.#hooks.tryFilters(side.up.ifindex, this.#programs.input);
      undo.push(() => detachFilter(socket, masterIfindex, "ingress"));
      this.#hooks.attach("receive", this.#programs.receive, masterIfindex, "ingress");
    }
    takeAllGroups(socket, masterIfindex, stateDir, id);
    undo.push(() => giveBackGroups(socket, masterIfindex, stateDir, id));
    this.#watch = watch(this.#reports.fd, () => this.#readReports());
    port.addresses.limit = ADDRESSES_MAX;
  }

  configure(settings: Settings): void {
    this.#tables.configure(settings);
  }
  setMac(mac: Mac): void {
    this.#tables.setMac(mac);
  }

  async addSlave(id: Slave, hostIfindex: number): Promise<void> {
    this.#tables.addHost(id, hostIfindex);
    this.#hosts.set(id, { ifindex: hostIfindex, isWithMaster: false });
    this.#hooks.addHost(hostIfindex, this.#programs.xmit);
  }

  removeSlave(id: Slave): void {
    const host = this.#hosts.get(id);
    if (host === undefined) return;
    this.#hosts.delete(id);
    this.#groups.set(host.ifindex, undefined);
    this.#tables.removeHost(id, host.ifindex);
  }

  setPlace(id: Slave, isWithMaster: boolean): void {
    const host = this.#hosts.get(id);
    if (host === undefined || host.isWithMaster === isWithMaster) return;
    host.isWithMaster = isWithMaster;
    this.#tables.setSlave(id, host.ifindex, isWithMaster);
  }

  setGroups(id: Slave, groups: Groups | undefined): void {
    const host = this.#hosts.get(id);
    if (host !== undefined) this.#groups.set(host.ifindex, groups);
  }

  ownersChanged(ips: readonly Ip[]): void {
    for (const ip of ips) this.#tables.setOwner(ip, this.#parts.port.ownerOf(ip));
  }

  routesChanged(): void {
    this.#locals.changed();
  }

  takeOver(): void {
    const { masterIfindex, side } = this.#parts;
    const { xmit, receive, flood, input } = this.#programs;
    this.#locals.read();
    this.#hooks.attach("flood", flood, side.up.ifindex, "ingress");
    this.#hooks.attach("input", input, side.up.ifindex, "egress");
    this.#hooks.replaceAtHosts(xmit);
    this.#hooks.attach("receive", receive, masterIfindex, "ingress");
    this.#tables.takeStatistics(this.#pins);
    this.#tables.pin(this.#pins);
  }

  statistics(id: Slave): SlaveStatistics {
    return this.#tables.statistics(this.#hosts.get(id)?.ifindex ?? 0);
  }

  /** A slave's row is as new as its host end. */
  clearStatistics(): void {}

  async close(forGood: boolean): Promise<void> {
    const { id, stateDir, masterIfindex, side } = this.#parts;
    this.#watch.close();
    this.#locals.close();
    if (forGood) {
      this.#hooks.detach("receive", masterIfindex, "ingress");
      this.#hooks.detach("flood", side.up.ifindex, "ingress");
      this.#hooks.detach("input", side.up.ifindex, "egress");
      removePins(stateDir, id);
      giveBackGroups(side.socket, masterIfindex, stateDir, id);
    }
    this.#reports.close();
    for (const name of PROGRAM_NAMES) close(this.#programs[name]);
    this.#tables.close();
  }

  #readReports(): void {
    this.#reports.drain((record) => this.#parts.onMemberships(record.getUint32(0, true)));
  }
}

/** What a former run of the engine left at the master and the pair, where another engine has taken its place. */
export function removeLeftovers({ id, stateDir, masterIfindex, side }: EbpfParts): void {
  removePins(stateDir, id);
  giveBackGroups(side.socket, masterIfindex, stateDir, id);
  detachFilter(side.socket, masterIfindex, "ingress");
  for (const hook of HOOKS) detachFilter(side.socket, side.up.ifindex, hook);
}

function loadAll(
  maps: Readonly<Record<string, number>>,
  undo: (() => void)[],
): Record<ProgramName, number> {
  const programs = readPrograms();
  const load = (name: ProgramName): [ProgramName, number] => {
    const fd = loadProgram(programs[name], maps);
    undo.push(() => close(fd));
    return [name, fd];
  };
  return Object.fromEntries(PROGRAM_NAMES.map(load)) as Record<ProgramName, number>;
}
