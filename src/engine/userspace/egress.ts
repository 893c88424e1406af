/**
 * The way out of L3 and L3S: packets that the master's namespace routes. In L3 the frame gets its next hop's
 * MAC here and leaves by the master's ring, untouched otherwise. In L3S the namespace forwards the packet
 * itself, behind its netfilter hooks, and finds the next hop on its own.
 */
import { Backlog } from "../../driver/backlog.ts";
import { type DecisionPort, L3S, type Slave } from "../../driver/decide/machine.ts";
import * as reason from "../../driver/decide/verdict.ts";
import type { Statistics } from "../../driver/statistics.ts";
import { VNET_HEADER } from "../../linux/vnet.ts";
import * as eth from "../../wire/ethernet.ts";
import { Frame } from "../../wire/frame.ts";
import { FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW } from "../master/hop-mark.ts";
import { GROUP, HOST, NEIGHBOUR, NextHops, NOWHERE, SILENT } from "./next-hops.ts";
import { addHop, haveSameDst } from "./packets.ts";

// Places of frames that wait for a neighbour, so that who sends to the dead keeps no other slave from waiting.
const WAITING_MAX = 256;
const WAITING_PER_SLAVE_MAX = 32;
/** Frames, whose slaves may differ; Linux, too, keeps few (sysctl unres_qlen). */
const WAITING_PER_DST_MAX = 3;
/** Bytes of one place; a super-frame takes several. All together are what a backlog has room for. */
const PLACE = 8192;

/** Ways out; each returns 0 or the reason of a loss. */
export interface Ways {
  wire(f: Frame): number;
  /** To whoever listens in the master's namespace. */
  host(f: Frame): number;
  /** Into the hooks of the master's namespace. */
  hooks(f: Frame): number;
}

/** What the egress asks of the port, and where it counts frames that are lost after they waited. */
export interface EgressPort extends DecisionPort {
  readonly statistics: Statistics;
}

export class Egress {
  readonly #port: EgressPort;
  readonly #ways: Ways;
  readonly #hops: NextHops;
  /** Frames whose neighbour the kernel is still asking for. */
  readonly #waiting: Backlog = new Backlog(VNET_HEADER);
  /** One of them. */
  readonly #other: Frame = new Frame();
  /** Slaves that had no room for one more. */
  readonly #full: Set<Slave> = new Set();

  /** Opened in the master's namespace. */
  constructor(port: EgressPort, ways: Ways, masterIfindex: number) {
    this.#port = port;
    this.#ways = ways;
    this.#hops = new NextHops(masterIfindex);
  }

  /** Can be read when routes or neighbours have changed: call `changed`. */
  get fd(): number {
    return this.#hops.fd;
  }

  /** How often the kernel has been asked for a next hop, ever: what takes time. */
  get asked(): number {
    return this.#hops.asked;
  }

  send(f: Frame, from: Slave): number {
    // The kernel's table of neighbours is one for the whole machine: who sends to the dead shall not fill it.
    if (this.#full.has(from) && !this.#hops.isKnown(f)) return reason.NO_NEIGHBOUR;
    const hop = this.#find(f);
    if (this.#hops.kind(hop) !== SILENT) return this.#sendTo(f, from, hop);
    this.#hops.askAgain(hop); // the kernel tries anew: this is no longer the answer to frames that wait
    return this.#wait(f, from);
  }

  /** To the master's own stack by the way of L3: what is not for the host itself that stack would lose. */
  sendUp(f: Frame): number {
    const type = eth.type(f);
    if (type !== eth.ETH_P_IP && type !== eth.ETH_P_IPV6) return 0;
    return this.#hops.kind(this.#hops.find(f, false)) === HOST ? this.#ways.host(f) : 0;
  }

  /** Looks again at what waits. */
  changed(): void {
    if (!this.#hops.forget()) return;
    for (let n = this.#waiting.count; n > 0; n--) {
      const f = this.#waiting.first();
      const from = this.#waiting.firstSlave();
      this.#waiting.drop(); // before, so that its own place is free if it has to wait again
      this.#full.delete(from);
      const lost = this.#sendTo(f, from, this.#find(f));
      if (lost !== 0) this.#port.statistics.dropped(from, lost);
    }
  }

  /** Now and then, so that neighbours that are sent to are kept fresh. */
  tick(nowMs: number): void {
    this.#hops.forgetOld(nowMs);
  }

  close(): void {
    this.#hops.close();
  }

  #find(f: Frame): number {
    return this.#hops.find(f, this.#port.mode !== L3S);
  }

  #sendTo(f: Frame, from: Slave, hop: number): number {
    switch (this.#hops.kind(hop)) {
      case HOST:
        return this.#ways.host(f);
      case NOWHERE:
        return reason.NO_ROUTE;
      case SILENT:
        return reason.NO_NEIGHBOUR;
      case NEIGHBOUR:
        if (this.#port.mode === L3S) return this.#forward(f);
        break;
      case GROUP:
        break;
      default:
        return this.#wait(f, from);
    }
    eth.setDst(f, this.#hops.macHigh(hop), this.#hops.macLow(hop));
    eth.setSrc(f, this.#port.macHigh, this.#port.macLow);
    return this.#ways.wire(f);
  }

  /** The pair's far end has the master's MAC. */
  #forward(f: Frame): number {
    eth.setDst(f, this.#port.macHigh, this.#port.macLow);
    if (addHop(f)) eth.setSrc(f, this.#port.macHigh, this.#port.macLow);
    else eth.setSrc(f, FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW);
    return this.#ways.hooks(f);
  }

  #wait(f: Frame, from: Slave): number {
    const waits = this.#mayWait(f, from) && this.#waiting.push(f, from);
    return waits ? 0 : reason.NO_NEIGHBOUR;
  }

  #mayWait(f: Frame, from: Slave): boolean {
    const other = this.#other;
    let all = places(f);
    let ofSlave = all;
    let forDst = 1;
    for (let n = 0; n < this.#waiting.count; n++) {
      const slave = this.#waiting.peek(n, other);
      all += places(other);
      if (slave === from) ofSlave += places(other);
      if (haveSameDst(f, other)) forDst++;
    }
    if (ofSlave > WAITING_PER_SLAVE_MAX) this.#full.add(from);
    return all <= WAITING_MAX && ofSlave <= WAITING_PER_SLAVE_MAX && forDst <= WAITING_PER_DST_MAX;
  }
}

const places = (f: Frame): number => Math.ceil((VNET_HEADER + f.length) / PLACE);
