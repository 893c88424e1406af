/**
 * Who else wants an address: slaves whose stack has set one that another holds already, in the order in which
 * they came. We learn of it only after the fact, and cannot refuse. A slave that sets an address twice, with
 * two prefix lengths, waits for itself.
 */
import { formatIp, type Ip } from "../wire/address.ts";
import type { Slave } from "./decide/machine.ts";
import { PortError } from "./errors.ts";

/** Claims of one port that wait. */
export const CLAIMS_MAX = 65_536;
/** Of one slave, so that who claims what others have leaves room for the others' claims. */
export const CLAIMS_PER_SLAVE_MAX = 1024;

export interface Claim {
  readonly ip: Ip;
  readonly claimants: readonly Slave[];
}

export class Claims {
  readonly #byIp: Map<string, { ip: Ip; claimants: Slave[] }> = new Map();
  readonly #counts: Map<Slave, number> = new Map();
  #count = 0;

  add(ip: Ip, slave: Slave): void {
    const ofSlave = this.#counts.get(slave) ?? 0;
    if (this.#count >= CLAIMS_MAX || ofSlave >= CLAIMS_PER_SLAVE_MAX)
      throw new PortError("ENOSPC", "Too many conflicting addresses");
    const key = formatIp(ip);
    const claim = this.#byIp.get(key) ?? { ip: ip.slice(), claimants: [] };
    claim.claimants.push(slave);
    this.#byIp.set(key, claim);
    this.#counts.set(slave, ofSlave + 1);
    this.#count++;
  }

  /** Takes back one claim of the slave's; whether it had one. */
  withdraw(ip: Ip, slave: Slave): boolean {
    const key = formatIp(ip);
    const at = this.#byIp.get(key)?.claimants.indexOf(slave) ?? -1;
    if (at < 0) return false;
    this.#take(key, at);
    return true;
  }

  /** Takes back all claims of the slave's. */
  withdrawAll(slave: Slave): void {
    for (const { ip } of this.list()) while (this.withdraw(ip, slave));
    this.#counts.delete(slave);
  }

  /** Takes the claim of whoever has waited longest. */
  takeFirst(ip: Ip): Slave | undefined {
    const key = formatIp(ip);
    return this.#byIp.has(key) ? this.#take(key, 0) : undefined;
  }

  list(): Claim[] {
    return [...this.#byIp.values()];
  }

  #take(key: string, at: number): Slave {
    const { claimants } = this.#byIp.get(key)!;
    const [slave] = claimants.splice(at, 1) as [Slave];
    if (claimants.length === 0) this.#byIp.delete(key);
    this.#counts.set(slave, this.#counts.get(slave)! - 1);
    this.#count--;
    return slave;
  }
}
