/**
 * What the master's own stack does with packets for the slaves' addresses. A packet socket of the userspace engine
 * takes copies only: the stack sees every frame as well, and might answer, redirect or forward it. In L2 and L3 it
 * must not; in L3S it is the stack, behind its hooks, that hands the packet on.
 */
import * as nft from "../../linux/netlink/nftables.ts";
import type { RouteSpec } from "../../linux/netlink/route.ts";
import type { NetlinkSocket } from "../../linux/netlink/socket.ts";
import {
  BLACKHOLE_RULES,
  BLACKHOLES,
  FAMILIES,
  hostRoute,
  OwnRouting,
  RULE_PRIORITY,
} from "./own-routing.ts";

export interface Intake {
  /** Shown to the user: how frames for slaves are kept from the master's stack. */
  readonly name: string;
  /** Addresses that slaves which are up hold; many at once cost little more than one. */
  add(ips: readonly Uint8Array[]): void;
  remove(ips: readonly Uint8Array[]): void;
  /** Forgets what a former run has left of others. */
  keepOnly?(ips: readonly Uint8Array[]): void;
  /** Leaves the master's namespace as it was found. */
  close(): void;
}

export interface Master {
  /** rtnetlink in the master's namespace. */
  readonly socket: NetlinkSocket;
  /** As it is called now. */
  name: string;
  readonly ifindex: number;
}

/** The eBPF engine's programs take them at the master's ingress, before anybody else sees them. */
export class NoIntake implements Intake {
  readonly name = "tc";
  add(): void {}
  remove(): void {}
  close(): void {}
}

/** Drops them at the master's ingress: nothing of the stack sees them. Needs nf_tables with netdev hooks. */
export class NftablesIntake implements Intake {
  readonly name = "nftables";
  readonly #socket: NetlinkSocket;
  readonly #table: string;

  /** `groups`: frames to group MACs too (L3), or only those the owner alone gets (L2). `socket`: of nf_tables. */
  constructor(socket: NetlinkSocket, master: Master, groups: boolean) {
    this.#socket = socket;
    this.#table = tableName(master);
    nft.installConsumption(socket, { table: this.#table, device: master.name, groups });
  }
  add(ips: readonly Uint8Array[]): void {
    nft.addElements(this.#socket, this.#table, ips);
  }
  remove(ips: readonly Uint8Array[]): void {
    nft.deleteElements(this.#socket, this.#table, ips);
  }
  close(): void {
    nft.removeTable(this.#socket, this.#table);
  }
}

export const tableName = (master: Pick<Master, "ifindex">): string => `ipvlan-${master.ifindex}`;

export const blackholeRouting = ({ socket, name, ifindex }: Master): OwnRouting =>
  new OwnRouting(socket, BLACKHOLE_RULES, [name], [BLACKHOLES + ifindex]);

/**
 * Swallows them by routing: a rule for what comes in by the master, and a blackhole per address. Needs only
 * rtnetlink; packet sockets and PREROUTING of the master's namespace still see the frames.
 */
export class RoutesIntake implements Intake {
  readonly name = "routes";
  readonly #routing: OwnRouting;

  constructor(master: Master) {
    this.#routing = blackholeRouting(master);
    this.#routing.clear();
    for (const family of FAMILIES)
      this.#routing.addRule({
        family,
        priority: RULE_PRIORITY,
        iif: master.name,
        table: BLACKHOLES + master.ifindex,
      });
    this.#master = master;
  }
  add(ips: readonly Uint8Array[]): void {
    for (const ip of ips) this.#routing.addRoute(this.#blackhole(ip));
  }
  remove(ips: readonly Uint8Array[]): void {
    for (const ip of ips) this.#routing.deleteRoute(this.#blackhole(ip));
  }
  close(): void {
    this.#routing.clear();
  }

  readonly #master: Master;
  #blackhole(ip: Uint8Array): RouteSpec {
    return { ...hostRoute(ip), table: BLACKHOLES + this.#master.ifindex, type: "blackhole" };
  }
}
