/**
 * What one master and all its slaves share: settings, device ids, addresses. Kernel: `struct ipvl_port`.
 *
 * Control side only: it says what is so, and refuses what must not be. Devices, sockets and threads are the
 * engine's; frames are the data path's, which reads `addresses`.
 */
import { formatIp, type Ip, type Mac } from "../wire/address.ts";
import { AddressTable, type AddressTableOptions } from "./address-table.ts";
import { type Claim, Claims } from "./claims.ts";
import { NOBODY, type Slave } from "./decide/machine.ts";
import { PortError } from "./errors.ts";
import { sharedLinkLocal } from "./link-local.ts";
import type { Compat, Flag, Mode, Settings } from "./settings.ts";
import { SLAVES_MAX } from "./statistics.ts";

export * from "./settings.ts";

export interface PortOptions extends AddressTableOptions, Partial<Settings> {
  /** The master's, and so every slave's. */
  readonly mac: Mac;
}

/** What somebody says of a port's settings. */
export interface Said {
  readonly mode?: Mode | undefined;
  readonly flag?: Flag | undefined;
}

export type Choice = Pick<Settings, "mode" | "flag">;

/** What a change of settings does to whom. */
export interface Change {
  readonly slaves: readonly Slave[];
  /** Whether the slaves' devices become NOARP, or cease to be. */
  readonly noarp: boolean;
}

/** An address that more than one has. `holder` is who holds it against the claimants. */
export interface Conflict extends Claim {
  readonly holder: Slave | "master";
}

export class Port {
  readonly addresses: AddressTable;
  #mac: Mac;
  #settings: Settings;
  /** Whether each slave is up. */
  readonly #slaves: Map<Slave, boolean> = new Map();
  #lastId = 0;
  readonly #claims = new Claims();
  #masterAddresses: readonly Ip[] = [];

  constructor(options: PortOptions) {
    const { mode = "l3", flag = "bridge", compat = "howto" } = options;
    this.addresses = new AddressTable(options);
    this.#mac = options.mac;
    this.#settings = { mode, flag, compat };
  }

  get mac(): Mac {
    return this.#mac;
  }

  /** Slaves follow at once; addresses stay. */
  setMac(mac: Mac): void {
    this.#mac = mac;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Sets what is said. The settings are the port's: every slave is touched by a change. */
  configure(said: Said): Change {
    const before = this.#settings;
    const after = { ...before, ...this.#complete(said, before.mode) };
    this.#settings = after;
    const isChanged = after.mode !== before.mode || after.flag !== before.flag;
    return {
      slaves: isChanged ? this.slaves() : [],
      noarp: (after.mode === "l2") !== (before.mode === "l2"),
    };
  }

  setCompat(compat: Compat): void {
    this.#settings = { ...this.#settings, compat };
  }

  /** The port's settings once a slave is added of which this is said, for `configure`. */
  settingsOfNewSlave(said: Said): Choice {
    // D7: Linux takes silence for l3, though the port be another mode's.
    return this.#complete(said, this.#settings.compat === "kernel" ? "l3" : this.#settings.mode);
  }

  /** A new slave, down; or one of before a restart, whose id is known. */
  addSlave(id: Slave = this.#nextId()): Slave {
    if (this.#slaves.has(id)) throw new PortError("EEXIST");
    if (!Number.isInteger(id) || id < 1 || id > SLAVES_MAX) throw new PortError("EINVAL");
    this.#lastId = id;
    this.#slaves.set(id, false);
    return id;
  }

  /** Its addresses go to whoever claims them. */
  removeSlave(id: Slave): void {
    this.#claims.withdrawAll(id);
    for (const ip of this.addresses.addressesOf(id)) this.#passOn(ip);
    this.#slaves.delete(id);
  }

  /** A slave that is down keeps its addresses reserved, and owns no traffic. */
  setUp(id: Slave, up: boolean): void {
    if (this.isUp(id) === up) return;
    this.#slaves.set(id, up);
    this.addresses.setActive(id, up);
  }

  isUp(id: Slave): boolean {
    const up = this.#slaves.get(id);
    if (up === undefined) throw new PortError("ENODEV");
    return up;
  }

  /** Who gets the frames for an address: its holder, if that is up. */
  ownerOf(ip: Ip): Slave {
    const holder = this.addresses.holder(ip);
    return holder !== NOBODY && this.isUp(holder) ? holder : NOBODY;
  }

  slaves(): Slave[] {
    return [...this.#slaves.keys()];
  }

  /** Kernel: ipvlan_addr4_validator_event() and ipvlan_addr6_validator_event(). */
  addAddress(id: Slave, ip: Ip): void {
    const up = this.isUp(id);
    if (this.addresses.holder(ip) !== NOBODY || this.#isShared(ip))
      throw new PortError("EADDRINUSE", "Address already assigned to an ipvlan device");
    this.addresses.set(ip, id, up);
  }

  /**
   * An address that the slave's stack has already. The first holder keeps the traffic; who comes later gets
   * it when the holder lets go. Whether the slave holds it now.
   */
  claimAddress(id: Slave, ip: Ip): boolean {
    const up = this.isUp(id);
    if (this.#isShared(ip)) return false; // every slave's stack forms it; it would be one's by chance
    const holder = this.addresses.holder(ip);
    if (holder === NOBODY) this.addresses.set(ip, id, up);
    else this.#claims.add(ip, id);
    return holder === NOBODY || holder === id;
  }

  /** One claim less; one that waits first, so that who sets an address twice keeps it till both are gone. */
  releaseAddress(id: Slave, ip: Ip): void {
    if (this.#claims.withdraw(ip, id)) return;
    if (this.addresses.holder(ip) === id) this.#passOn(ip);
  }

  /** A slave may have the master's address too (D5); it wins, and `conflicts` tells. */
  setMasterAddresses(ips: readonly Ip[]): void {
    this.#masterAddresses = ips;
  }

  conflicts(): Conflict[] {
    const amongSlaves = this.#claims.list().map(({ ip, claimants }) => {
      return { ip, holder: this.addresses.holder(ip), claimants: [...claimants] };
    });
    if (this.#settings.compat === "kernel") return amongSlaves; // D5: Linux does not compare them
    const withMaster = this.#masterAddresses.flatMap((ip): Conflict[] => {
      const slave = this.addresses.holder(ip);
      return slave === NOBODY ? [] : [{ ip, holder: "master", claimants: [slave] }];
    });
    return [...amongSlaves, ...withMaster];
  }

  #complete(said: Said, modeUnsaid: Mode): Choice {
    // D7: a mode alone means bridge to Linux's `ip`, which always sends a flag along with it.
    const isReset = this.#settings.compat === "kernel" && said.mode !== undefined;
    const flagUnsaid = isReset ? "bridge" : this.#settings.flag;
    return { mode: said.mode ?? modeUnsaid, flag: said.flag ?? flagUnsaid };
  }

  /** A freed id is not the next handed out. Kernel: ida_alloc_range() from `port->dev_id_start` on. */
  #nextId(): Slave {
    if (this.#slaves.size >= SLAVES_MAX) throw new PortError("ENOSPC");
    let id = this.#lastId;
    do id = (id % SLAVES_MAX) + 1;
    while (this.#slaves.has(id));
    return id;
  }

  #passOn(ip: Ip): void {
    const heir = this.#claims.takeFirst(ip);
    if (heir === undefined) this.addresses.delete(ip);
    else this.addresses.set(ip, heir, this.isUp(heir));
  }

  /** D10. */
  #isShared(ip: Ip): boolean {
    return ip.length === 16 && formatIp(ip) === formatIp(sharedLinkLocal(this.#mac));
  }
}
