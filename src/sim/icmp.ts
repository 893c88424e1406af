/** ICMP of a namespace: who is pinged and answers, what others tell of our packets, and what is told of theirs. */
import type { Ip } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { errorPacket, type Failure, findAbout, findFailure, mayBeTold } from "./icmp-errors.ts";
import type { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";
import type { Simulation } from "./simulation.ts";

/** What a ping has heard. */
export interface Heard {
  readonly from: Ip;
  readonly tookMs: number;
  /** Undefined: it was the answer. */
  readonly failure?: Failure;
}

/** ICMP errors that a namespace tells in a second. Linux: `icmp_msgs_per_sec`. */
export const ERRORS_PER_SECOND_MAX = 1000;
/** What `ping` sends. */
const ECHO_BYTES = 56;
/** Pings of a namespace that wait for their answer. */
export const PINGS_MAX = 65_536;

export class Icmp {
  readonly #netns: Namespace;
  readonly #simulation: Simulation;
  /** By identifier. */
  readonly #pings: Map<number, (heard: Heard | undefined) => void> = new Map();
  #lastPing = 0;
  /** Errors that were told since `#toldSinceMs`. */
  #told = 0;
  #toldSinceMs = 0;

  constructor(netns: Namespace, simulation: Simulation) {
    this.#netns = netns;
    this.#simulation = simulation;
  }

  /** Asks for an echo. `onEnd` hears who said what, or undefined: nobody anything in this time. False: there is no way. */
  ping(to: Ip, timeoutMs: number, onEnd: (heard: Heard | undefined) => void, ttl: number): boolean {
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
    this.#pings.set(identifier, end);
    const header = { src, dst: to, ttl };
    return this.#netns.output(
      packets.echo(header, false, identifier, 1, new Uint8Array(ECHO_BYTES)),
    );
  }

  /** An ICMP packet for this namespace. */
  hear(f: Frame): void {
    const at = packets.payloadAt(f);
    const is6 = packets.isIpv6(f);
    const isOfFamily = packets.protocolOf(f) === (is6 ? icmp.PROTOCOL6 : icmp.PROTOCOL);
    if (!isOfFamily || !icmp.check(f, at)) return;
    const failure = findFailure(f);
    const type = icmp.type(f, at);
    if (failure !== undefined) this.#hearFailure(f, failure);
    else if (type === (is6 ? icmp.ECHO_REPLY6 : icmp.ECHO_REPLY)) this.#hearReply(f, at);
    else if (type === (is6 ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST)) this.#reply(f, at);
  }

  /** Tells a packet's sender, who may be here, why it does not go on. */
  tell(failure: Failure, translated: Frame): void {
    const about = this.#netns.netfilter?.findUntranslated(translated) ?? translated;
    const sender = packets.srcOf(about);
    if (this.#netns.isLocal(sender)) {
      this.#fail(about, failure, sender);
      return;
    }
    const { nowMs } = this.#simulation.clock;
    if (nowMs - this.#toldSinceMs >= 1000) [this.#told, this.#toldSinceMs] = [0, nowMs];
    const src = this.#netns.sourceFor(sender);
    if (src === undefined || !mayBeTold(about) || this.#told++ >= ERRORS_PER_SECOND_MAX) return;
    this.#netns.output(errorPacket(failure, src, about));
  }

  #hearReply(f: Frame, at: number): void {
    const tookMs = this.#simulation.clock.nowMs;
    this.#pings.get(icmp.identifier(f, at))?.({ from: packets.srcOf(f), tookMs });
  }

  #reply(f: Frame, at: number): void {
    const payload = packets.bytesAt(f, at + icmp.HEADER, f.length - at - icmp.HEADER);
    const header = { src: packets.dstOf(f), dst: packets.srcOf(f) };
    const [identifier, sequence] = [icmp.identifier(f, at), icmp.sequence(f, at)];
    this.#netns.output(packets.echo(header, true, identifier, sequence, payload));
  }

  #hearFailure(f: Frame, failure: Failure): void {
    const about = findAbout(f);
    if (about !== undefined) this.#fail(about, failure, packets.srcOf(f));
  }

  /** A packet of ours has come to nothing. */
  #fail(about: Frame, failure: Failure, from: Ip): void {
    const protocol = packets.protocolOf(about);
    if (protocol === udp.PROTOCOL) this.#netns.udp.fail(about, failure);
    else if (protocol === tcp.PROTOCOL) this.#netns.tcp.fail(about, failure);
    else this.#failEcho(about, failure, from);
  }

  #failEcho(about: Frame, failure: Failure, from: Ip): void {
    const at = packets.payloadAt(about);
    const isEcho =
      icmp.check(about, at) &&
      icmp.type(about, at) === (packets.isIpv6(about) ? icmp.ECHO_REQUEST6 : icmp.ECHO_REQUEST);
    const tookMs = this.#simulation.clock.nowMs;
    if (isEcho) this.#pings.get(icmp.identifier(about, at))?.({ from, tookMs, failure });
  }
}
