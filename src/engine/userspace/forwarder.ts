/**
 * The loop that moves frames: waits until a ring has some, asks the data path about each, and sends
 * it on from the ring's own memory. One ring per slave, served round robin with a budget, so that a slave
 * that floods overflows its own ring and nobody else's.
 *
 *     slave  ─veth─  host end [ring]  ─┐             ┌─ [ring] master ── wire
 *     slave  ─veth─  host end [ring]  ─┼─ data path ─┤
 *     slave  ─veth─  host end [ring]  ─┘             └─ [ring] pair up ── the master's own stack
 */
import { AddressTable } from "../../driver/address-table.ts";
import { DataPath, type Outlets } from "../../driver/data-path.ts";
import { L3S, NOBODY, type Slave } from "../../driver/decide/machine.ts";
import * as reason from "../../driver/decide/verdict.ts";
import { GroupTable } from "../../driver/group-table.ts";
import { compatOf, flagOf, modeOf } from "../../driver/settings.ts";
import { Statistics } from "../../driver/statistics.ts";
import { withNetns } from "../../linux/netns.ts";
import { PacketRing } from "../../linux/ring.ts";
import * as sys from "../../linux/sys.ts";
import { VNET_HEADER } from "../../linux/vnet.ts";
import { Frame } from "../../wire/frame.ts";
import { Egress, type Ways } from "./egress.ts";
import { HostSockets } from "./host-sockets.ts";
import { addHop, isMembershipReport } from "./packets.ts";
import { Patience } from "./patience.ts";
import * as shared from "./shared.ts";

/** Frames of one ring before the next ring's turn. */
const BUDGET = 64;
/** The same of a ring that overflows, while others have frames, too: who floods waits for who does not. */
const BUDGET_OF_FLOOD = 8;
/** Destinations asked of the kernel for one ring before the next ring's turn. */
const ASKED_PER_TURN = 8;
/** Copies of floods between two looks at the rings. */
const COPIES_PER_TURN = 256;
/** A loop that is never idle looks at the clock this often. */
const TURNS_PER_TICK = 16;
/** The loop looks at the stop flag this often even when nothing arrives. */
const IDLE_MS = 500;

// Keys of descriptors beside the slaves' device ids.
const WAKE = 0;
const MASTER = 0x10000;
const UP = 0x10001;
const ROUTES = 0x10002;

/** How the main thread reaches the loop and the loop the main thread. */
export interface Mailbox {
  /** The next message; undefined when there is none now. */
  next(): shared.ToWorker | undefined;
  tell(message: shared.FromWorker): void;
}

export class Forwarder implements Outlets, Ways {
  readonly #mailbox: Mailbox;
  readonly #settings: Int32Array;
  readonly #path: DataPath;
  readonly #slaves: (PacketRing | undefined)[] = [];
  readonly #master: PacketRing;
  readonly #up: PacketRing;
  readonly #host: HostSockets;
  readonly #egress: Egress;
  readonly #epoll: sys.Epoll = new sys.Epoll();
  readonly #patience: Patience = new Patience(this.#epoll);
  readonly #wake: sys.EventFd;
  readonly #frame: Frame = new Frame();
  /** Slaves whose change of groups has been told and is not answered yet. */
  readonly #told: Set<Slave> = new Set();
  #packed = -1;
  /** More than one ring has frames this turn. */
  #isCrowded = false;

  constructor(start: shared.WorkerStart, mailbox: Mailbox) {
    this.#mailbox = mailbox;
    this.#settings = new Int32Array(start.settings);
    this.#path = new DataPath({
      addresses: AddressTable.attach(start.addresses),
      groups: new GroupTable(),
      statistics: Statistics.attach(start.statistics),
      outlets: this,
      headroom: VNET_HEADER,
    });
    this.#master = new PacketRing(start.master);
    this.#up = new PacketRing(start.up);
    [this.#host, this.#egress] = withNetns(start.masterNetns, () => [
      new HostSockets(),
      new Egress(this.#path, this, start.master.ifindex),
    ]);
    this.#wake = new sys.EventFd(start.wake);
    this.#epoll.add(start.wake, WAKE);
    this.#epoll.add(this.#up.fd, UP);
    this.#epoll.add(this.#master.fd, MASTER);
    this.#epoll.add(this.#egress.fd, ROUTES);
  }

  /** Forwards until the stop flag is set; then closes all that it opened. */
  run(): void {
    let floodsWait = false;
    let turns = 0;
    while (Atomics.load(this.#settings, shared.STOP) === 0) {
      const ready = this.#patience.wait(floodsWait ? 0 : IDLE_MS);
      this.#readSettings();
      this.#isCrowded = ready > 1;
      for (let i = 0; i < ready; i++) this.#serve(this.#epoll.ready(i));
      floodsWait = this.#path.flush(COPIES_PER_TURN);
      if (ready === 0 || ++turns % TURNS_PER_TICK === 0) this.#egress.tick(performance.now());
    }
    this.#close();
  }

  // Where the data path and the egress send frames; 0, or the reason of a loss.

  deliver(to: Slave, f: Frame): number {
    const ring = this.#slaves[to];
    return ring?.send(f) ? 0 : reason.SEND_FAILED;
  }
  wire(f: Frame): number {
    return this.#master.send(f) ? 0 : reason.SEND_FAILED;
  }
  stack(f: Frame): number {
    return this.#settings[shared.WAY_UP] !== 0 ? this.hooks(f) : this.#egress.sendUp(f);
  }
  route(f: Frame, from: Slave): number {
    return this.#egress.send(f, from);
  }
  host(f: Frame): number {
    return this.#host.send(f) ? 0 : reason.SEND_FAILED;
  }
  hooks(f: Frame): number {
    return this.#up.send(f) ? 0 : reason.SEND_FAILED;
  }

  #serve(key: number): void {
    switch (key) {
      case WAKE:
        this.#readMailbox();
        break;
      case MASTER:
        this.#drainMaster();
        break;
      case UP:
        this.#drainUp();
        break;
      case ROUTES:
        this.#egress.changed();
        break;
      default:
        this.#drainSlave(key);
    }
  }

  #drainSlave(from: Slave): void {
    const f = this.#frame;
    const ring = this.#slaves[from];
    if (ring === undefined) return;
    const budget = this.#isCrowded && ring.overflows ? BUDGET_OF_FLOOD : BUDGET;
    const askedMax = this.#egress.asked + ASKED_PER_TURN;
    let n = 0;
    for (; n < budget && this.#egress.asked < askedMax && ring.next(f); n++) {
      if (isMembershipReport(f)) this.#tellMemberships(from);
      this.#path.xmit(from, f);
      ring.release();
    }
    this.#drained(ring, n, from);
  }

  #drainMaster(): void {
    const f = this.#frame;
    let n = 0;
    for (; n < BUDGET && this.#master.next(f); n++) {
      this.#path.receive(f);
      this.#master.release();
    }
    this.#drained(this.#master, n, NOBODY);
  }

  /** What the master's namespace has forwarded to a slave in L3S. In other modes nothing of its own gets there. */
  #drainUp(): void {
    const f = this.#frame;
    let n = 0;
    for (; n < BUDGET && this.#up.next(f); n++) {
      if (this.#path.mode === L3S) {
        addHop(f);
        this.#path.input(f);
      }
      this.#up.release();
    }
    this.#drained(this.#up, n, NOBODY);
  }

  #drained(ring: PacketRing, count: number, row: Slave): void {
    if (count === 0) ring.clearError();
    const lost = ring.takeLost();
    if (lost > 0) this.#path.statistics.dropped(row, reason.BACKLOG, lost);
  }

  #tellMemberships(id: Slave): void {
    if (this.#told.has(id)) return;
    this.#told.add(id);
    this.#mailbox.tell({ type: "memberships", id });
  }

  #readSettings(): void {
    const packed = Atomics.load(this.#settings, shared.PACKED);
    this.#path.macHigh = this.#settings[shared.MAC_HIGH]!;
    this.#path.macLow = this.#settings[shared.MAC_LOW]! >>> 0;
    if (packed === this.#packed) return;
    this.#packed = packed;
    this.#path.mode = modeOf(packed);
    this.#path.flag = flagOf(packed);
    this.#path.compat = compatOf(packed);
  }

  #readMailbox(): void {
    this.#wake.clear();
    for (let m = this.#mailbox.next(); m !== undefined; m = this.#mailbox.next()) this.#obey(m);
  }

  #obey(message: shared.ToWorker): void {
    switch (message.type) {
      case "slave":
        this.#slaves[message.id] = new PacketRing(message.ring);
        this.#epoll.add(message.ring.fd, message.id);
        break;
      case "gone":
        this.#release(message.id);
        break;
      case "groups":
        this.#told.delete(message.id);
        if (message.macs === undefined) this.#path.groups.remove(message.id);
        else this.#path.groups.set(message.id, message.macs);
        break;
      case "addresses":
        this.#path.addresses = AddressTable.attach(message.buffer);
    }
  }

  #release(id: Slave): void {
    const ring = this.#slaves[id];
    if (ring !== undefined) this.#epoll.remove(ring.fd);
    this.#slaves[id] = undefined;
    this.#path.groups.remove(id);
    this.#mailbox.tell({ type: "released", id });
  }

  #close(): void {
    for (const part of [this.#host, this.#egress, this.#epoll]) part.close();
  }
}
