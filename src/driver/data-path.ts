/**
 * The frame path of one port: asks `decide/` what happens to a frame, counts it, and hands it to the outlets
 * of whoever embeds it: the userspace engine's packet sockets, the simulated host's wires, a test's arrays.
 *
 * Nothing here makes an object or throws per frame. Copies of a flood wait in a bounded backlog, as on Linux's
 * work queue, so that unicast of everybody goes before anybody's floods; `flush` carries them out.
 */
import { type Mac, macHigh, macLow } from "../wire/address.ts";
import * as eth from "../wire/ethernet.ts";
import type { Frame } from "../wire/frame.ts";
import type { AddressTable } from "./address-table.ts";
import { Backlog } from "./backlog.ts";
import { type DecisionPort, NOBODY, type Slave } from "./decide/machine.ts";
import { input, receive } from "./decide/receive.ts";
import * as v from "./decide/verdict.ts";
import { xmit } from "./decide/xmit.ts";
import type { GroupTable } from "./group-table.ts";
import { compats, flags, modes, type Settings } from "./settings.ts";
import type { Statistics } from "./statistics.ts";

/** Where frames go. Each returns 0, or the reason (`decide/verdict.ts`) for which the frame was lost. */
export interface Outlets {
  /** Into the slave's stack. */
  deliver(to: Slave, f: Frame): number;
  /** Out of the master. */
  wire(f: Frame): number;
  /** Up into the master's own stack, from a slave. What came from the wire is there already. */
  stack(f: Frame): number;
  /** By the routes and neighbours of the master's namespace. */
  route(f: Frame, from: Slave): number;
}

export interface DataPathParts {
  readonly addresses: AddressTable;
  readonly groups: GroupTable;
  readonly statistics: Statistics;
  readonly outlets: Outlets;
  /** Bytes before each frame that belong to it (a vnet header) and are kept with queued copies. */
  readonly headroom?: number;
}

export class DataPath implements DecisionPort {
  mode = 0;
  flag = 0;
  compat = 0;
  macHigh = 0;
  macLow = 0;
  addresses: AddressTable;
  readonly groups: GroupTable;
  readonly statistics: Statistics;
  readonly #outlets: Outlets;
  readonly #backlog: Backlog;

  constructor(parts: DataPathParts) {
    this.addresses = parts.addresses;
    this.groups = parts.groups;
    this.statistics = parts.statistics;
    this.#outlets = parts.outlets;
    this.#backlog = new Backlog(parts.headroom ?? 0);
  }

  /** Takes over what the port says. */
  configure(settings: Settings, mac: Mac): void {
    this.mode = modes[settings.mode];
    this.flag = flags[settings.flag];
    this.compat = compats[settings.compat];
    this.macHigh = macHigh(mac);
    this.macLow = macLow(mac);
  }

  /** A frame that a slave sends. */
  xmit(from: Slave, f: Frame): void {
    const verdict = xmit(this, f);
    this.statistics.sent(from, f.length, this.#carryOut(verdict, f, from));
  }

  /** A frame that the master receives from the wire. */
  receive(f: Frame): void {
    this.#carryOut(receive(this, f), f, NOBODY);
  }

  /** A frame from the wire that has passed the hooks of the master's namespace (L3S). */
  input(f: Frame): void {
    this.#carryOut(input(this, f), f, NOBODY);
  }

  /** Carries out waiting floods until `copiesMax` copies are made; whether some still wait. */
  flush(copiesMax: number): boolean {
    let copies = 0;
    while (this.#backlog.count > 0 && copies < copiesMax) {
      const f = this.#backlog.first();
      copies += this.#flood(f, this.#backlog.firstSlave());
      this.#backlog.drop();
    }
    return this.#backlog.count > 0;
  }

  /** 0, or the reason for which the frame was lost. */
  #carryOut(verdict: v.Verdict, f: Frame, from: Slave): number {
    switch (v.kind(verdict)) {
      case v.DELIVER:
        return this.#deliver(v.value(verdict), f);
      case v.WIRE:
        return this.#outlets.wire(f);
      case v.STACK:
        return from === NOBODY ? 0 : this.#outlets.stack(f);
      case v.ROUTE:
        return this.#outlets.route(f, from);
      case v.FLOOD_OUT:
        this.#enqueue(f, from);
        return this.#outlets.wire(f);
      case v.FLOOD_IN:
        this.#enqueue(f, v.value(verdict));
        return 0;
    }
    return v.value(verdict);
  }

  /** For everybody but the sender, if that is a slave. */
  #enqueue(f: Frame, sender: Slave): void {
    if (this.groups.isEmpty(eth.dstHigh(f), eth.dstLow(f) | 0)) return; // signed: V8 boxes what is above 2^31
    const waits = this.#backlog.hasShare(f, sender) && this.#backlog.push(f, sender);
    if (!waits) this.statistics.dropped(sender, v.BACKLOG);
  }

  #flood(f: Frame, except: Slave): number {
    let copies = 1;
    const { groups } = this;
    for (let n = groups.first(eth.dstHigh(f), eth.dstLow(f) | 0); n !== 0; n = groups.next(n)) {
      const to = groups.member(n);
      if (to === except) continue;
      this.#deliver(to, f);
      copies++;
    }
    return copies;
  }

  #deliver(to: Slave, f: Frame): number {
    const lost = this.#outlets.deliver(to, f);
    if (lost === 0) this.statistics.received(to, f.length, eth.isGroup(f));
    else this.statistics.missed(to, lost);
    return lost;
  }
}
