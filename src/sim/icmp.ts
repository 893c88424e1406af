/** ICMP of a namespace: who is pinged and answers, what others tell of our packets, and what is told of theirs. */
import type { Ip } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import type { Device } from "./device.ts";
import {
  errorPacket,
  type Failure,
  findAbout,
  findFailure,
  mayBeTold,
  redirectPacket,
} from "./icmp-errors.ts";
import type { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";
import { keyOf } from "./routes.ts";
import type { Simulation } from "./simulation.ts";

/** What a ping has heard. */
export interface Heard {
  readonly from: Ip;
  readonly tookMs: number;
  /** Undefined: it was the answer. */
  readonly failure?: Failure;
  /** Of "too big": what the link would carry. */
  readonly mtu?: number;
}

export interface EchoOptions {
  readonly ttl?: number;
  /** Behind the ICMP header. */
  readonly bytes?: number;
  /** A router tells of a better one. */
  readonly onRedirect?: (from: Ip, via: Ip) => void;
}

interface Ping extends EchoOptions {
  readonly end: (heard: Heard | undefined) => void;
}

/** ICMP errors that a namespace tells in a second. Linux: `icmp_msgs_per_sec`. */
const ERRORS_PER_SECOND_MAX = 1000;
/** What `ping` sends. */
const ECHO_BYTES = 56;
const TTL = 64;
/** Pings of a namespace that wait for their answer. */
const PINGS_MAX = 65_536;

export class Icmp {
  readonly #netns: Namespace;
  readonly #simulation: Simulation;
  /** By identifier. */
  readonly #pings: Map<number, Ping> = new Map();
  #lastPing = 0;
  /** Errors that were told since `#toldSinceMs`. */
  #told = 0;
  #toldSinceMs = 0;

  constructor(netns: Namespace, simulation: Simulation) {
    this.#netns = netns;
    this.#simulation = simulation;
  }

  /** Asks for an echo. `onEnd` hears who said what, or undefined: nobody anything in this time. False: there is no way. */
  ping(
    to: Ip,
    timeoutMs: number,
    onEnd: (heard: Heard | undefined) => void,
    options: EchoOptions,
  ): boolean {
    const src = this.#netns.sourceFor(to);
    if (src === undefined || this.#pings.size >= PINGS_MAX) return false;
    do this.#lastPing = (this.#lastPing + 1) & 0xffff;
    while (this.#pings.has(this.#lastPing));
    const identifier = this.#lastPing;
    const startMs = this.#simulation.clock.nowMs;
    const timer = this.#simulation.clock.after(timeoutMs, () => end(undefined));
    const end = (heard: Heard | undefined) => {
      timer.isCancelled = true;
      this.#pings.delete(identifier);
      onEnd(heard && { ...heard, tookMs: heard.tookMs - startMs });
    };
    this.#pings.set(identifier, { ...options, end });
    const { ttl = TTL, bytes = ECHO_BYTES } = options;
    const header = { src, dst: to, ttl };
    return this.#netns.output(packets.echo(header, false, identifier, 1, new Uint8Array(bytes)));
  }

  /** An ICMP packet for this namespace. */
  hear(device: Device | undefined, f: Frame): void {
    const at = packets.payloadAt(f);
    const is6 = packets.isIpv6(f);
    const isOfFamily = packets.protocolOf(f) === (is6 ? icmp.PROTOCOL6 : icmp.PROTOCOL);
    if (!isOfFamily || !icmp.check(f, at)) return;
    const failure = findFailure(f);
    const type = icmp.type(f, at);
    if (failure !== undefined) this.#hearFailure(f, failure);
    else if (!is6 && type === icmp.REDIRECT) this.#hearRedirect(device, f);
    else if (type === (is6 ? icmp.ECHO_REPLY6 : icmp.ECHO_REPLY)) this.#hearReply(f, at);
    else if (type === (is6 ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST)) this.#reply(f, at);
  }

  /** Tells a packet's sender, who may be here, why it does not go on. */
  tell(failure: Failure, translated: Frame, mtu: number): void {
    const about = this.#netns.netfilter?.findUntranslated(translated) ?? translated;
    const sender = packets.srcOf(about);
    if (this.#netns.isLocal(sender)) {
      this.#fail(about, { failure, from: sender, mtu });
      return;
    }
    // As what it was translated to the sender is here, and that is where Linux says it from.
    const here = packets.srcOf(translated);
    const from = about !== translated && this.#netns.isLocal(here) ? here : undefined;
    this.#say(about, (src) => errorPacket(failure, from ?? src, about, mtu));
  }

  /** Tells a packet's sender that its next hop is on the same link. */
  redirect(about: Frame, next: Ip): void {
    this.#say(about, (src) => redirectPacket(next, src, about));
  }

  #say(about: Frame, make: (src: Ip) => Frame): void {
    const { nowMs } = this.#simulation.clock;
    if (nowMs - this.#toldSinceMs >= 1000) [this.#told, this.#toldSinceMs] = [0, nowMs];
    const src = this.#netns.sourceFor(packets.srcOf(about));
    if (src === undefined || !mayBeTold(about) || this.#told++ >= ERRORS_PER_SECOND_MAX) return;
    this.#netns.output(make(src));
  }

  #hearReply(f: Frame, at: number): void {
    const tookMs = this.#simulation.clock.nowMs;
    this.#pings.get(icmp.identifier(f, at))?.end({ from: packets.srcOf(f), tookMs });
  }

  #reply(f: Frame, at: number): void {
    const payload = packets.bytesAt(f, at + icmp.HEADER, f.length - at - icmp.HEADER);
    const header = { src: packets.dstOf(f), dst: packets.srcOf(f) };
    const [identifier, sequence] = [icmp.identifier(f, at), icmp.sequence(f, at)];
    this.#netns.output(packets.echo(header, true, identifier, sequence, payload));
  }

  #hearFailure(f: Frame, failure: Failure): void {
    const about = findAbout(f);
    const mtu = icmp.mtu(f, packets.payloadAt(f));
    if (about !== undefined) this.#fail(about, { failure, from: packets.srcOf(f), mtu });
  }

  /** Believed of the router that was asked, by who is no router itself. Linux: __ip_do_redirect(). */
  #hearRedirect(device: Device | undefined, f: Frame): void {
    const about = findAbout(f);
    const via = packets.bytesAt(f, icmp.gatewayAt(packets.payloadAt(f)), 4);
    if (about === undefined || device === undefined || this.#netns.isForwarding[4]) return;
    const [dst, from] = [packets.dstOf(about), packets.srcOf(f)];
    const route = this.#netns.routing[4].find(dst);
    if (route?.via === undefined || !isSame(route.via, from) || this.#netns.isLocal(via)) return;
    if (this.#netns.routing[4].find(via)?.device !== device) return;
    this.#netns.routing[4].redirect(dst, device, via);
    this.#findPing(about)?.onRedirect?.(from, via);
  }

  /** A packet of ours has come to nothing. */
  #fail(about: Frame, told: Omit<Heard, "tookMs"> & { readonly failure: Failure }): void {
    const protocol = packets.protocolOf(about);
    const tookMs = this.#simulation.clock.nowMs;
    if (protocol === udp.PROTOCOL) this.#netns.udp.fail(about, told.failure);
    else if (protocol === tcp.PROTOCOL) this.#netns.tcp.fail(about, told.failure);
    else this.#findPing(about)?.end({ ...told, tookMs });
  }

  #findPing(request: Frame): Ping | undefined {
    const at = packets.payloadAt(request);
    const type = packets.isIpv6(request) ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST;
    const isEcho = icmp.check(request, at) && icmp.type(request, at) === type;
    return isEcho ? this.#pings.get(icmp.identifier(request, at)) : undefined;
  }
}

const isSame = (a: Ip, b: Ip): boolean => keyOf(a) === keyOf(b);
