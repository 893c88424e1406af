/**
 * The way out of L3 and L3S: packets that the master's namespace routes. In L3 the frame gets its next hop's
 * MAC here and leaves by the master's ring, untouched otherwise. In L3S the namespace forwards the packet
 * itself, behind its netfilter hooks, and finds the next hop on its own.
 */
import { Backlog } from "../../driver/backlog.ts";
import { type DecisionPort, L3S, NOBODY } from "../../driver/decide/machine.ts";
import * as reason from "../../driver/decide/verdict.ts";
import { VNET_HEADER } from "../../linux/vnet.ts";
import * as eth from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import { GROUP, HOST, NEIGHBOUR, NextHops, NOWHERE, SILENT } from "./next-hops.ts";
import { addHop, FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW } from "./packets.ts";

/** Frames that wait for a neighbour at once; each is asked about again whenever one answers. */
const WAITING_MAX = 64;

/** Ways out; each returns 0 or the reason of a loss. */
export interface Ways {
  wire(f: Frame): number;
  /** To whoever listens in the master's namespace. */
  host(f: Frame): number;
  /** Into the hooks of the master's namespace. */
  hooks(f: Frame): number;
}

export class Egress {
  readonly #port: DecisionPort;
  readonly #ways: Ways;
  readonly #hops: NextHops;
  /** Frames whose neighbour the kernel is still asking for. */
  readonly #waiting: Backlog = new Backlog(VNET_HEADER);

  /** Opened in the master's namespace. */
  constructor(port: DecisionPort, ways: Ways, masterIfindex: number) {
    this.#port = port;
    this.#ways = ways;
    this.#hops = new NextHops(masterIfindex);
  }

  /** Can be read when routes or neighbours have changed: call `changed`. */
  get fd(): number {
    return this.#hops.fd;
  }

  send(f: Frame): number {
    const hop = this.#find(f);
    const kind = this.#hops.kind(hop);
    if (kind === SILENT) return this.#wait(f); // it has been asked again
    return this.#sendTo(f, hop, kind);
  }

  /** To the master's own stack by the way of L3: what is not for the host itself that stack would lose. */
  sendUp(f: Frame): number {
    const type = eth.type(f);
    if (type !== eth.ETH_P_IP && type !== eth.ETH_P_IPV6) return 0;
    return this.#hops.kind(this.#hops.find(f, false)) === HOST ? this.#ways.host(f) : 0;
  }

  /** Looks again at what waits. */
  changed(): void {
    this.#hops.forget();
    for (let n = this.#waiting.count; n > 0; n--) {
      const f = this.#waiting.first();
      const hop = this.#find(f);
      this.#sendTo(f, hop, this.#hops.kind(hop));
      this.#waiting.drop();
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

  #sendTo(f: Frame, hop: number, kind: number): number {
    switch (kind) {
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
        return this.#wait(f);
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

  #wait(f: Frame): number {
    const waits = this.#waiting.count < WAITING_MAX && this.#waiting.push(f, NOBODY);
    return waits ? 0 : reason.NO_NEIGHBOUR;
  }
}
