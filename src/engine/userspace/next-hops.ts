/**
 * Routing of L3: where the master's namespace would send a packet out of the master, asked of the kernel
 * (routes with the master as output device, neighbours) and remembered per destination until the kernel tells
 * of a change: of a neighbour on the master for what goes through it, of anything else for all. Lives in the
 * data path's thread; asking takes some ten microseconds, remembering a hash look-up.
 *
 * As Linux's driver does it: an IPv4 destination without a route is on the master's link; for IPv6 that is an
 * error; 0.0.0.0 is the host itself. Kernel: ipvlan_process_v4_outbound(), ipvlan_process_v6_outbound().
 */
import { AddressTable } from "../../driver/address-table.ts";
import type { Message } from "../../linux/netlink/codec.ts";
import { RTM_DELNEIGH, RTM_NEWNEIGH } from "../../linux/netlink/constants.ts";
import * as link from "../../linux/netlink/link.ts";
import {
  askNeighbour,
  getNeighbour,
  NUD_FAILED,
  NUD_INCOMPLETE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  parseNeighbour,
} from "../../linux/netlink/neighbour.ts";
import { getRoute } from "../../linux/netlink/route.ts";
import { NetlinkError, NetlinkSocket } from "../../linux/netlink/socket.ts";
import { macHigh, macLow } from "../../wire/address.ts";
import * as eth from "../../wire/ethernet.ts";
import { type Frame, u32 } from "../../wire/frame.ts";
import * as ipv6 from "../../wire/ipv6.ts";

/** To be asked of the kernel (again). */
const UNKNOWN = 0;
export const NOWHERE = 1;
/** The master's namespace itself. */
export const HOST = 2;
export const NEIGHBOUR = 3;
/** The kernel is asking for the neighbour's MAC. */
export const WAITING = 4;
/** The kernel asked, and nobody answered. */
export const SILENT = 5;
/** An IPv6 group: its MAC follows from its address. */
export const GROUP = 6;

/** Destinations remembered at once. */
const HOPS_MAX = 4096;
/** A neighbour that is no longer fresh is asked for again this often, while it is sent to. */
const FORGET_MS = 15_000;

export class NextHops {
  readonly #master: number;
  readonly #kernel: NetlinkSocket;
  readonly #events: NetlinkSocket;
  #index = new AddressTable();
  #count = 0;
  #since = 0;
  #resolving = true;
  #asked = 0;
  /** Hops by the neighbour on the master that they go through. */
  readonly #through: Map<string, Set<number>> = new Map();
  readonly #kinds = new Uint8Array(HOPS_MAX + 1);
  readonly #macHighs = new Uint16Array(HOPS_MAX + 1);
  readonly #macLows = new Uint32Array(HOPS_MAX + 1);

  /** Opened in the master's namespace. */
  constructor(masterIfindex: number) {
    this.#master = masterIfindex;
    this.#kernel = NetlinkSocket.open();
    this.#events = NetlinkSocket.open({
      groups: [
        link.RTNLGRP_LINK,
        link.RTNLGRP_NEIGH,
        link.RTNLGRP_IPV4_IFADDR,
        link.RTNLGRP_IPV4_ROUTE,
        link.RTNLGRP_IPV6_IFADDR,
        link.RTNLGRP_IPV6_ROUTE,
        link.RTNLGRP_IPV4_RULE,
        link.RTNLGRP_IPV6_RULE,
      ],
    });
  }

  /** Can be read when something that was remembered may have changed: call `forget`. */
  get fd(): number {
    return this.#events.fd;
  }

  /**
   * Index of the next hop of an IPv4 or IPv6 packet, for `kind`, `macHigh`, `macLow`. Where the kernel will
   * forward the packet itself (`resolve` false), the neighbour is its business and has no MAC here.
   */
  find(f: Frame, resolve: boolean): number {
    if (resolve !== this.#resolving) {
      this.#clear();
      this.#resolving = resolve;
    }
    const known = this.#known(f);
    if (this.#kinds[known] !== UNKNOWN) return known;
    const v4 = eth.type(f) === eth.ETH_P_IP;
    const at = v4 ? eth.HEADER + 16 : ipv6.dstAt(eth.HEADER);
    return this.#ask(f.view().slice(at, at + (v4 ? 4 : 16)), known);
  }

  /** Whether `find` need not ask the kernel of a destination it was never asked of. */
  isKnown(f: Frame): boolean {
    return this.#known(f) !== 0;
  }

  #known(f: Frame): number {
    return eth.type(f) === eth.ETH_P_IP
      ? this.#index.find4(u32(f, eth.HEADER + 16))
      : this.#index.find6(f, ipv6.dstAt(eth.HEADER));
  }

  /** How often the kernel has been asked, ever. */
  get asked(): number {
    return this.#asked;
  }

  kind(hop: number): number {
    return this.#kinds[hop]!;
  }
  macHigh(hop: number): number {
    return this.#macHighs[hop]!;
  }
  macLow(hop: number): number {
    return this.#macLows[hop]!;
  }

  /** The kernel is asked for this hop the next time that it is looked for. */
  askAgain(hop: number): void {
    this.#kinds[hop] = UNKNOWN;
  }

  /** Forgets what the kernel's events tell may have changed; false if that is nothing. */
  forget(): boolean {
    let changed = false;
    for (let told = this.#events.receive(); told !== undefined; told = this.#events.receive()) {
      if (told === "overrun") {
        this.#clear();
        changed = true;
      } else for (const event of told) changed = this.#forget(event) || changed;
    }
    return changed;
  }

  /** Now and then, so that the kernel keeps neighbours fresh. */
  forgetOld(nowMs: number): void {
    if (this.#count > 0 && nowMs - this.#since > FORGET_MS) this.#clear();
  }

  close(): void {
    this.#kernel.close();
    this.#events.close();
  }

  #forget(event: Message): boolean {
    if (event.type !== RTM_NEWNEIGH && event.type !== RTM_DELNEIGH) {
      this.#clear();
      return true;
    }
    const { ifindex, ip } = parseNeighbour(event.payload);
    if (ifindex !== this.#master) return false;
    for (const hop of this.#through.get(ip.join()) ?? []) this.askAgain(hop);
    return true;
  }

  #clear(): void {
    if (this.#count === 0) return;
    this.#index = new AddressTable();
    this.#through.clear();
    this.#count = 0;
  }

  #ask(dst: Uint8Array, known: number): number {
    const hop = known !== 0 ? known : this.#remember(dst);
    this.#asked++;
    this.#kinds[hop] = this.#tryResolve(dst, hop);
    return hop;
  }

  #remember(dst: Uint8Array): number {
    if (this.#count === HOPS_MAX) this.#clear();
    if (this.#count === 0) this.#since = performance.now();
    const hop = ++this.#count;
    this.#index.set(dst, hop, true);
    return hop;
  }

  /** What the kernel will not even look up has no way: nothing of a slave's packet may stop the loop. */
  #tryResolve(dst: Uint8Array, hop: number): number {
    try {
      return this.#resolve(dst, hop);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      return error.code === "ENOBUFS" ? SILENT : NOWHERE; // the kernel's table of neighbours is full, for now
    }
  }

  #resolve(dst: Uint8Array, hop: number): number {
    if (dst.length === 4 && dst.every((byte) => byte === 0)) return HOST;
    if (dst.length === 16 && dst[0] === 0xff) {
      this.#setMac(hop, Uint8Array.of(0x33, 0x33, ...dst.subarray(12))); // RFC 2464 §7
      return GROUP;
    }
    const route = getRoute(this.#kernel, { dst, oif: this.#master });
    if (route?.type === "local") return HOST;
    if (route?.type !== "unicast") return NOWHERE;
    if (!this.#resolving) return NEIGHBOUR;
    const ip = route.gateway ?? dst;
    this.#goesThrough(ip, hop);
    return this.#resolveNeighbour(ip, hop);
  }

  #goesThrough(ip: Uint8Array, hop: number): void {
    const key = ip.join();
    const hops = this.#through.get(key);
    if (hops !== undefined) hops.add(hop);
    else this.#through.set(key, new Set([hop]));
  }

  #resolveNeighbour(ip: Uint8Array, hop: number): number {
    const neighbour = getNeighbour(this.#kernel, this.#master, ip);
    const state = neighbour?.state ?? 0;
    if ((state & NUD_FRESH) === 0) askNeighbour(this.#kernel, this.#master, ip);
    if ((state & NUD_FAILED) !== 0) return SILENT;
    if (neighbour?.mac === undefined || (state & NUD_INCOMPLETE) !== 0) return WAITING;
    this.#setMac(hop, neighbour.mac);
    return NEIGHBOUR;
  }

  #setMac(hop: number, mac: Uint8Array): void {
    this.#macHighs[hop] = macHigh(mac);
    this.#macLows[hop] = macLow(mac);
  }
}

const NUD_FRESH = NUD_REACHABLE | NUD_NOARP | NUD_PERMANENT;
