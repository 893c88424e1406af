/**
 * A TCP connection, RFC 9293, as small as it can be and still be one: it opens and closes both ways, and sends again what is
 * not acknowledged, all from the first byte that is missing. Without options (so with segments of the size that everybody
 * takes, §3.7.1), congestion control, simultaneous opening, urgent data, and what arrives out of order is not kept.
 */
import type { Frame } from "../wire/frame.ts";
import * as tcp from "../wire/tcp.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Failure } from "./icmp-errors.ts";
import * as packets from "./packets.ts";

export type TcpFailure =
  | "Connection refused"
  | "Connection reset by peer"
  | "Connection timed out"
  | "No route to host"
  | "Network is unreachable"
  | "Message too long";

export interface TcpUser {
  onData(bytes: Uint8Array): void;
  /** The other end has no more to say. */
  onEnd(): void;
  /** Undefined: both ends have closed. */
  onClose(failure: TcpFailure | undefined): void;
}

export interface TcpParts {
  readonly clock: Clock;
  /** The first sequence number, 0 … 2^32 - 1. */
  readonly first: number;
  readonly isIpv6: boolean;
  /** Whether there is a way. */
  readonly send: (fields: packets.SegmentFields, payload: Uint8Array) => boolean;
  /** The connection is no more. */
  readonly forget: () => void;
}

/** Bytes that wait to be acknowledged. */
export const SEND_MAX = 65_536;
const WINDOW = 65_535;
const SEGMENT_BYTES: Readonly<Record<"ipv4" | "ipv6", number>> = { ipv4: 536, ipv6: 1220 };
/** Linux: RFC 6298's first second, then doubled; net.ipv4.tcp_syn_retries, tcp_synack_retries and tcp_retries2. */
const RETRY_MS = 1000;
const RETRY_MAX_MS = 120_000;
const SYN_RETRIES = 6;
const SYN_ACK_RETRIES = 5;
const RETRIES = 15;
/** Linux: TCP_TIMEWAIT_LEN. */
const TIME_WAIT_MS = 60_000;

type State = "syn-sent" | "syn-received" | "open" | "time-wait" | "over";

const NOTHING = new Uint8Array(0);

export class TcpConnection {
  readonly #parts: TcpParts;
  #user: TcpUser | undefined;
  #accept: ((connection: TcpConnection) => TcpUser) | undefined;
  #state: State = "syn-sent";
  /** The first byte that is not acknowledged; in `#waiting` it is the first. */
  #oldest: number;
  #next: number;
  /** Behind the last that was ever sent. */
  #sent: number;
  #expected = 0;
  #window = WINDOW;
  #waiting: Uint8Array = NOTHING;
  /** Nothing comes behind what is waiting. */
  #isEnding = false;
  #isEndAcknowledged = false;
  #hasHeardEnd = false;
  #timer: Timer | undefined;
  #retries = 0;

  constructor(parts: TcpParts) {
    this.#parts = parts;
    this.#oldest = parts.first;
    this.#next = parts.first;
    this.#sent = parts.first;
  }

  /** Whether there is a way; what goes wrong later the user is told. */
  connect(user: TcpUser): boolean {
    this.#user = user;
    return this.#open(tcp.SYN);
  }

  /** Answers the SYN of somebody else; who he is to talk to is asked when he has answered. */
  accept(f: Frame, accept: (connection: TcpConnection) => TcpUser): void {
    this.#state = "syn-received";
    this.#accept = accept;
    this.#expected = (tcp.sequence(f, packets.payloadAt(f)) + 1) >>> 0;
    this.#open(tcp.SYN | tcp.ACK);
  }

  /** False: too much is waiting already, or the connection is closed. */
  send(bytes: Uint8Array): boolean {
    if (this.#isEnding || this.#state === "over") return false;
    if (this.#waiting.length + bytes.length > SEND_MAX) return false;
    const both = new Uint8Array(this.#waiting.length + bytes.length);
    both.set(this.#waiting);
    both.set(bytes, this.#waiting.length);
    this.#waiting = both;
    this.#push();
    return true;
  }

  /** There is no more to say. The other end may still talk. */
  close(): void {
    this.#isEnding = true;
    this.#push();
  }

  /** At once, and the other end is told so. */
  abort(): void {
    if (this.#state === "over") return;
    this.#transmit(tcp.RST | tcp.ACK, this.#next, NOTHING);
    this.#end(undefined);
  }

  /** An ICMP error about a segment of ours: before there is a connection it ends all, then it may pass. RFC 5461 §4.1. */
  fail(failure: Failure): void {
    if (this.#state === "syn-sent") this.#end(FAILURES[failure]);
  }

  hear(f: Frame): void {
    const at = packets.payloadAt(f);
    if (this.#state === "syn-sent") this.#hearAnswer(f, at);
    else this.#hearSegment(f, at);
  }

  get #isOver(): boolean {
    return this.#state === "over";
  }

  #open(flags: number): boolean {
    const hasWay = this.#transmit(flags, this.#oldest, NOTHING);
    this.#next = (this.#oldest + 1) >>> 0;
    this.#sent = this.#next;
    if (!hasWay) {
      this.#user = undefined;
      this.#end(undefined);
    } else if (!this.#isOver) this.#startTimer(); // what is sent may fail at once
    return hasWay;
  }

  /** To our SYN. */
  #hearAnswer(f: Frame, at: number): void {
    const flags = tcp.flags(f, at);
    const isOurs = (flags & tcp.ACK) !== 0 && tcp.acknowledgement(f, at) === this.#next;
    if (!isOurs) return;
    if ((flags & tcp.RST) !== 0) this.#end("Connection refused");
    else if ((flags & tcp.SYN) !== 0) {
      this.#expected = (tcp.sequence(f, at) + 1) >>> 0;
      this.#opened(f, at);
      this.#acknowledge();
      this.#push();
    }
  }

  #opened(f: Frame, at: number): void {
    this.#state = "open";
    this.#oldest = this.#next;
    this.#window = tcp.window(f, at);
    this.#stopTimer();
  }

  #hearSegment(f: Frame, at: number): void {
    const flags = tcp.flags(f, at);
    const sequence = tcp.sequence(f, at);
    if ((flags & tcp.RST) !== 0) {
      if (sequence === this.#expected) this.#end("Connection reset by peer");
      return;
    }
    if ((flags & tcp.SYN) !== 0) {
      // Ours has not arrived, or its answer.
      if (this.#state === "syn-received") this.#transmit(tcp.SYN | tcp.ACK, this.#oldest, NOTHING);
      else this.#acknowledge();
      return;
    }
    if ((flags & tcp.ACK) === 0) return;
    this.#hearAcknowledgement(f, at);
    if (this.#state !== "over") this.#hearPayload(f, at, (flags & tcp.FIN) !== 0);
  }

  #hearAcknowledgement(f: Frame, at: number): void {
    const number = tcp.acknowledgement(f, at);
    const count = distance(this.#oldest, number);
    if (count <= 0 || distance(number, this.#sent) < 0) {
      this.#window = tcp.window(f, at);
      return;
    }
    if (this.#state === "syn-received") {
      this.#opened(f, at);
      this.#user = this.#accept?.(this);
      return;
    }
    this.#window = tcp.window(f, at);
    this.#isEndAcknowledged = count > this.#waiting.length;
    this.#waiting = this.#waiting.slice(count);
    this.#oldest = number;
    if (distance(this.#next, number) > 0) this.#next = number;
    this.#retries = 0;
    this.#stopTimer();
    this.#push();
    this.#endIfBothHave();
  }

  #hearPayload(f: Frame, at: number, isLast: boolean): void {
    const length = packets.payloadLength(f) - tcp.headerLength(f, at);
    if (length <= 0 && !isLast) return;
    const known = distance(tcp.sequence(f, at), this.#expected);
    if (known < 0 || known > length || this.#hasHeardEnd) {
      this.#acknowledge(); // something before it is missing, or it is here already
      return;
    }
    const bytes = packets.bytesAt(f, tcp.payloadAt(f, at) + known, length - known);
    this.#expected = (this.#expected + bytes.length + (isLast ? 1 : 0)) >>> 0;
    this.#hasHeardEnd = isLast;
    this.#acknowledge();
    if (bytes.length > 0) this.#user?.onData(bytes);
    if (isLast) this.#user?.onEnd();
    this.#endIfBothHave();
  }

  #endIfBothHave(): void {
    if (this.#state !== "open" || !this.#isEndAcknowledged || !this.#hasHeardEnd) return;
    this.#state = "time-wait"; // the other end may not have heard our last acknowledgement
    this.#stopTimer();
    this.#timer = this.#parts.clock.after(TIME_WAIT_MS, this.#parts.forget);
    this.#user?.onClose(undefined);
  }

  #push(): void {
    if (this.#state !== "open") return;
    const most = SEGMENT_BYTES[this.#parts.isIpv6 ? "ipv6" : "ipv4"];
    for (;;) {
      const begin = distance(this.#oldest, this.#next);
      const end = Math.min(this.#waiting.length, begin + most, Math.max(this.#window, 1));
      const isLast = this.#isEnding && end === this.#waiting.length;
      if (begin > this.#waiting.length || (begin >= end && !isLast)) break;
      const bytes = this.#waiting.subarray(begin, end);
      const flags = tcp.ACK | (bytes.length > 0 ? tcp.PSH : 0) | (isLast ? tcp.FIN : 0);
      this.#transmit(flags, this.#next, bytes);
      this.#next = (this.#next + bytes.length + (isLast ? 1 : 0)) >>> 0;
      if (distance(this.#sent, this.#next) > 0) this.#sent = this.#next;
    }
    if (this.#next !== this.#oldest && this.#timer === undefined) this.#startTimer();
  }

  #acknowledge(): void {
    this.#transmit(tcp.ACK, this.#next, NOTHING);
  }

  #transmit(flags: number, sequence: number, payload: Uint8Array): boolean {
    const acknowledgement = (flags & tcp.ACK) !== 0 ? this.#expected : 0;
    return this.#parts.send({ sequence, acknowledgement, flags, window: WINDOW }, payload);
  }

  #startTimer(): void {
    const delayMs = Math.min(RETRY_MS * 2 ** this.#retries, RETRY_MAX_MS);
    this.#timer = this.#parts.clock.after(delayMs, () => this.#retry());
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#timer.isCancelled = true;
    this.#timer = undefined;
  }

  #retry(): void {
    this.#timer = undefined;
    if (this.#retries++ >= RETRIES_OF[this.#state]) {
      this.#end("Connection timed out");
      return;
    }
    if (this.#state === "open") {
      this.#next = this.#oldest;
      this.#push();
      return;
    }
    const flags = this.#state === "syn-sent" ? tcp.SYN : tcp.SYN | tcp.ACK;
    this.#transmit(flags, this.#oldest, NOTHING);
    this.#startTimer();
  }

  #end(failure: TcpFailure | undefined): void {
    const wasClosed = this.#state === "over" || this.#state === "time-wait";
    this.#state = "over";
    this.#stopTimer();
    this.#parts.forget();
    if (!wasClosed) this.#user?.onClose(failure);
  }
}

const RETRIES_OF: Readonly<Record<State, number>> = {
  "syn-sent": SYN_RETRIES,
  "syn-received": SYN_ACK_RETRIES,
  open: RETRIES,
  "time-wait": 0,
  over: 0,
};

/** What connect(2) says. */
const FAILURES: Readonly<Record<Failure, TcpFailure>> = {
  "no route": "Network is unreachable",
  "no host": "No route to host",
  "no port": "Connection refused",
  "too big": "Message too long",
  "time exceeded": "No route to host",
};

/** From one sequence number to a later one; below 0 if it is earlier. */
const distance = (from: number, to: number): number => (to - from) | 0;
