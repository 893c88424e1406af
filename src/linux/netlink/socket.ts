/**
 * A netlink socket: asks the kernel and waits for its answer, or listens to what it tells; never both, so
 * that no answer and no event is ever in the way of the other. It belongs to the network namespace the
 * thread was in when it was opened. man: netlink(7).
 */
import * as sys from "../sys.ts";
import { decodeMessages, encodeMessage, type Message } from "./codec.ts";
import {
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
} from "./constants.ts";
import { NetlinkError, NLMSG_DONE, NLMSG_ERROR, throwIfRefused } from "./error.ts";

export { NetlinkError };

const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_LISTEN_ALL_NSID = 8;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

const EAGAIN = 11;
const EINTR = 4;
const ENOBUFS = 105;
const ETIMEDOUT = 110;
const POLLIN = 1;

/** The kernel fills at most 32 KiB per datagram of a dump; one message may be longer. */
const DATAGRAM_MAX = 1 << 16;
/** The kernel answers while it takes the request; only a fault can make us wait that long. */
const ANSWER_TIMEOUT_MS = 5000;
const DUMP_TRIES = 8;

/** A message nobody asked for. */
export interface Event extends Message {
  /** The namespace it tells of, as the socket's own namespace numbers it; -1: that one itself. */
  readonly nsid: number;
}

interface Answer {
  readonly messages: Message[];
  /** Something changed while the kernel made the list. */
  readonly interrupted: boolean;
}

export interface NetlinkSocketOptions {
  protocol?: number;
  /** Groups to listen to, `RTNLGRP_…`. */
  groups?: readonly number[];
  /** Listen to every namespace that has an id in this one, too. */
  allNsid?: boolean;
  /** In bytes: how much may wait to be received. */
  receiveBuffer?: number;
}

export class NetlinkSocket {
  readonly fd: number;
  readonly #receiver = new sys.MessageReceiver(DATAGRAM_MAX);
  readonly #listens: boolean;
  #seq = 0;

  private constructor(fd: number, listens: boolean) {
    this.fd = fd;
    this.#listens = listens;
  }

  static open(options: NetlinkSocketOptions = {}): NetlinkSocket {
    const { protocol = NETLINK_ROUTE, groups = [] } = options;
    const type = sys.SOCK_RAW | sys.SOCK_NONBLOCK;
    const fd = sys.socket(sys.AF_NETLINK, type, protocol, "open a netlink socket");
    try {
      configure(fd, options);
      return new NetlinkSocket(fd, groups.length > 0);
    } catch (error) {
      sys.close(fd);
      throw error;
    }
  }

  /** What the kernel answers to a request for one thing or for a change; throws `NetlinkError`. */
  request(type: number, flags: number, payload: Uint8Array, doing: string): Message[] {
    return this.#ask(type, flags | NLM_F_ACK, payload, doing).messages;
  }

  /**
   * A list of all that the kernel has; `payload` may narrow it. What is narrowed to a device that is gone is
   * empty: the last events of that device may still be on their way to whoever asks because of them.
   */
  dump(type: number, payload: Uint8Array, doing: string): Message[] {
    try {
      return this.#dump(type, payload, doing);
    } catch (error) {
      if (error instanceof NetlinkError && error.code === "ENODEV") return [];
      throw error;
    }
  }

  #dump(type: number, payload: Uint8Array, doing: string): Message[] {
    for (let tries = 1; ; tries++) {
      const { messages, interrupted } = this.#ask(type, NLM_F_DUMP, payload, doing);
      // When changes never cease the last list must do: whoever needs it exact listens to the changes.
      if (!interrupted || tries === DUMP_TRIES) return messages;
    }
  }

  /** All of the netfilter messages or none. `rehearse`: the kernel checks them all and changes nothing. */
  batch(
    messages: readonly Pick<Message, "type" | "flags" | "payload">[],
    doing: string,
    options: { rehearse?: boolean } = {},
  ): void {
    const first = this.#nextSeq();
    const datagram = [encodeMessage(bracket(NFNL_MSG_BATCH_BEGIN, first))];
    for (const { type, flags, payload } of messages) {
      const all = flags | NLM_F_REQUEST | NLM_F_ACK;
      datagram.push(encodeMessage({ type, flags: all, seq: this.#nextSeq(), payload }));
    }
    // Without its end a batch is taken back.
    if (!options.rehearse)
      datagram.push(encodeMessage(bracket(NFNL_MSG_BATCH_END, this.#nextSeq())));
    this.#send(Buffer.concat(datagram), doing);
    this.#awaitAcks(first, messages.length, doing);
  }

  /**
   * Events that wait, without waiting for one; "overrun": some were lost, so ask for everything anew. Those of before
   * are thrown away: they are older than what is asked now, and until they are gone the kernel adds none and does not
   * say so again. Kernel: netlink_overrun(), netlink_rcv_wake().
   */
  receive(): Event[] | "overrun" | undefined {
    const datagram = this.#datagram();
    if (datagram === -EAGAIN || datagram === -EINTR) return undefined;
    if (datagram === -ENOBUFS) {
      this.#discard();
      return "overrun";
    }
    if (typeof datagram === "number") throw new NetlinkError("receive events", -datagram);
    const nsid = this.#receiver.nsid();
    return decodeMessages(datagram).map((message) => ({ ...message, nsid }));
  }

  close(): void {
    sys.close(this.fd);
  }

  #discard(): void {
    for (let got = 0; got >= 0 || got === -ENOBUFS; ) got = this.#receiver.receive(this.fd);
  }

  #nextSeq(): number {
    this.#seq = (this.#seq + 1) >>> 0 || 1;
    return this.#seq;
  }

  #ask(type: number, flags: number, payload: Uint8Array, doing: string): Answer {
    const seq = this.#nextSeq();
    this.#send(encodeMessage({ type, flags: flags | NLM_F_REQUEST, seq, payload }), doing);
    return this.#collect(seq, doing);
  }

  #send(datagram: Uint8Array, doing: string): void {
    if (this.#listens) throw new Error("a netlink socket that listens cannot ask");
    if (sys.send(this.fd, datagram) < 0) throw new NetlinkError(doing, sys.errno());
  }

  /** A copy of the next datagram, or -errno. */
  #datagram(): Uint8Array | number {
    const length = this.#receiver.receive(this.fd);
    return length < 0 ? length : new Uint8Array(this.#receiver.data.subarray(0, length));
  }

  #awaitMessages(doing: string): Message[] {
    const end = performance.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const datagram = this.#datagram();
      if (typeof datagram !== "number") return decodeMessages(datagram);
      if (datagram === -EINTR) continue;
      if (datagram !== -EAGAIN) throw new NetlinkError(doing, -datagram);
      // A signal ends the waiting early.
      if (!sys.poll(this.fd, POLLIN, ANSWER_TIMEOUT_MS) && performance.now() >= end)
        throw new NetlinkError(doing, ETIMEDOUT);
    }
  }

  /** Messages up to the one that ends the answer to `seq`. */
  #collect(seq: number, doing: string): Answer {
    const messages: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#awaitMessages(doing)) {
        if (message.seq !== seq) continue; // left over from a request that failed half way
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          throwIfRefused(message, doing);
          return { messages, interrupted };
        }
        messages.push(message);
      }
    }
  }

  /** One answer per message; a refused batch as such is answered under the number of its beginning. */
  #awaitAcks(first: number, count: number, doing: string): void {
    for (let acks = 0; acks < count; ) {
      for (const message of this.#awaitMessages(doing)) {
        if (message.type !== NLMSG_ERROR || message.seq < first) continue;
        throwIfRefused(message, doing);
        if (message.seq > first) acks++;
      }
    }
  }
}

/** Beginning or end of a batch: struct nfgenmsg with the subsystem it is for. */
function bracket(type: number, seq: number): Message {
  return { type, flags: NLM_F_REQUEST, seq, payload: Uint8Array.of(0, 0, 0, NFNL_SUBSYS_NFTABLES) };
}

function configure(fd: number, options: NetlinkSocketOptions): void {
  const { protocol = NETLINK_ROUTE, groups = [], allNsid = false, receiveBuffer } = options;
  const set = (option: number, value: number, doing: string) =>
    sys.setsockopt(fd, SOL_NETLINK, option, value, doing);
  set(NETLINK_EXT_ACK, 1, "ask netlink for reasons");
  set(NETLINK_CAP_ACK, 1, "ask netlink for short acknowledgements");
  if (protocol === NETLINK_ROUTE) set(NETLINK_GET_STRICT_CHK, 1, "ask netlink for strict checks");
  if (allNsid) set(NETLINK_LISTEN_ALL_NSID, 1, "listen to all namespaces");
  if (receiveBuffer !== undefined) setReceiveBuffer(fd, receiveBuffer);
  const addr = new Uint8Array(12); // struct sockaddr_nl; the kernel chooses the port
  addr[0] = sys.AF_NETLINK;
  sys.bind(fd, addr, "bind a netlink socket");
  for (const group of groups)
    set(NETLINK_ADD_MEMBERSHIP, group, `listen to netlink group ${group}`);
}

function setReceiveBuffer(fd: number, bytes: number): void {
  const doing = "enlarge a netlink socket's buffer";
  try {
    sys.setsockopt(fd, sys.SOL_SOCKET, SO_RCVBUFFORCE, bytes, doing);
  } catch {
    // Only root of the machine may pass the system's limit; what the limit allows will do.
    sys.setsockopt(fd, sys.SOL_SOCKET, SO_RCVBUF, bytes, doing);
  }
}
