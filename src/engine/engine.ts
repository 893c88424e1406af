/**
 * What moves the frames of one port. Whichever it is, it asks the same decisions (`driver/decide/`); it is told what
 * they need to know, and keeps count of what became of the frames.
 */
import type { Slave } from "../driver/decide/machine.ts";
import type { Groups } from "../driver/group-table.ts";
import type { Settings } from "../driver/settings.ts";
import type { SlaveStatistics } from "../driver/statistics.ts";
import type { Ip, Mac } from "../wire/address.ts";

export type EngineName = "ebpf" | "userspace";

/** What a person wants: "auto" is eBPF where the kernel lets us, else userspace. */
export type EngineChoice = EngineName | "auto";
export const ENGINE_CHOICES: readonly EngineChoice[] = ["auto", "ebpf", "userspace"];

export interface Engine {
  readonly name: EngineName;
  /** Makes the settings those of every frame, at once. */
  configure(settings: Settings): void;
  setMac(mac: Mac): void;
  /** Its frames are received when this resolves. `hostIfindex`: its host end, which is where `hostEnds` says. */
  addSlave(id: Slave, hostIfindex: number): Promise<void>;
  removeSlave(id: Slave): void;
  /** Where the slave is now: in the master's own namespace, or in another. */
  setPlace(id: Slave, isWithMaster: boolean): void;
  /** What a slave takes of group frames; undefined: it is down and takes none. */
  setGroups(id: Slave, groups: Groups | undefined): void;
  /** Who gets the frames for these addresses now: see the port's table. */
  ownersChanged(ips: readonly Ip[]): void;
  /** Routes or addresses of the master's namespace have changed. */
  routesChanged(): void;
  /** All slaves of a former run are there: what it left may be replaced. */
  takeOver(): void;
  /** Of a slave, or 0 for what is nobody's. */
  statistics(id: Slave): SlaveStatistics;
  /** The id is handed out anew. */
  clearStatistics(id: Slave): void;
  /** `forGood`: nothing of it stays; else frames are moved on without us if that can be. */
  close(forGood: boolean): Promise<void>;
}
