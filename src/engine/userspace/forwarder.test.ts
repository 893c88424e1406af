import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapStatistics } from "node:v8";
import { type Link, linkToLan } from "../../../test/neighbours.ts";
import { sender } from "../../../test/scratch-frames.ts";
import { inScratchAsync, needsNamespaces, type Scratch } from "../../../test/scratch-netns.ts";
import { frame, ip, mac } from "../../../test/topology.ts";
import { AddressTable } from "../../driver/address-table.ts";
import { type Mode, pack } from "../../driver/settings.ts";
import { Statistics } from "../../driver/statistics.ts";
import { addVeth, getLink, setLink } from "../../linux/netlink/link.ts";
import { withNetns } from "../../linux/netns.ts";
import { closeRing, openRing, type RingSocket, SLOT_LARGE, SLOTS } from "../../linux/ring.ts";
import { EventFd } from "../../linux/sys.ts";
import { macHigh, macLow } from "../../wire/address.ts";
import { Forwarder, type Mailbox } from "./forwarder.ts";
import * as shared from "./shared.ts";

const skip = needsNamespaces;
const SLAVE = 1;
const ASKED_PER_TURN = 8;

type Send = (frame: Uint8Array) => void;

/** A forwarder with a slave 10.0.0.10, in this thread; it can `run` once. */
class Lab {
  readonly statistics: Statistics = new Statistics({ shared: true });
  /** Out of the slave, and up out of the master's namespace. */
  readonly slave: Send;
  readonly up: Send;
  readonly #forwarder: Forwarder;
  readonly #wake: EventFd = new EventFd();
  #turns = 0;
  #arrive = (): void => {};
  #again = (): void => {};

  static async make(scratch: Scratch, mode: Mode): Promise<Lab> {
    const link = linkToLan(scratch);
    const ends = scratch.namespace();
    const open = async (netns: number, ifindex: number): Promise<RingSocket> => {
      const ring = await withNetns(netns, () => openRing(ifindex, SLOT_LARGE));
      scratch.later(() => void closeRing(ring));
      return ring;
    };
    const cable = async (name: string): Promise<[RingSocket, Send]> => {
      const peer = { name: `${name}1`, mac: mac("own"), netnsFd: ends };
      const { index } = addVeth(link.socket, { name: `${name}0`, mac: mac("own"), peer });
      const inside = scratch.socket(ends);
      const far = getLink(inside, `${name}1`)!.index;
      for (const [socket, ifindex] of [
        [link.socket, index],
        [inside, far],
      ] as const) {
        setLink(socket, ifindex, { addrGenModeNone: true }); // no frames of its own
        setLink(socket, ifindex, { up: true });
      }
      return [await open(link.netns, index), sender(scratch, ends, far)];
    };
    const rings = [
      await open(link.netns, link.master),
      await cable("up"),
      await cable("s"),
    ] as const;
    return new Lab(scratch, link, mode, ...rings);
  }

  private constructor(
    scratch: Scratch,
    link: Link,
    mode: Mode,
    master: RingSocket,
    [up, sendUp]: [RingSocket, Send],
    [slave, sendSlave]: [RingSocket, Send],
  ) {
    [this.up, this.slave] = [sendUp, sendSlave];
    scratch.later(() => this.#wake.close());
    const addresses = new AddressTable({ shared: true });
    addresses.set(ip("10.0.0.10"), SLAVE, true);
    const settings = new Int32Array(new SharedArrayBuffer(4 * shared.SETTINGS_WORDS));
    settings[shared.PACKED] = pack(mode, "bridge", "howto");
    [settings[shared.MAC_HIGH], settings[shared.MAC_LOW]] = [
      macHigh(mac("own")),
      macLow(mac("own")),
    ];
    const start = {
      masterNetns: link.netns,
      master,
      up,
      wake: this.#wake.fd,
      settings: settings.buffer as SharedArrayBuffer,
      addresses: addresses.buffer as SharedArrayBuffer,
      statistics: this.statistics.buffer as SharedArrayBuffer,
    };
    this.#forwarder = new Forwarder(
      start,
      this.#mailbox(settings, { type: "slave", id: SLAVE, ring: slave }),
    );
  }

  /**
   * Lets frames arrive once the slave is known, and gives the forwarder so many turns for them. `again`: what comes
   * before each further turn.
   */
  run(turns: number, arrive: () => void, again: () => void = () => {}): void {
    this.#turns = turns;
    this.#arrive = arrive;
    this.#again = again;
    this.#wake.signal();
    this.#forwarder.run();
  }

  #mailbox(settings: Int32Array, ...messages: shared.ToWorker[]): Mailbox {
    return {
      next: () => {
        const message = messages.shift();
        if (message !== undefined) return message;
        this.#arrive();
        this.#arrive = this.#again;
        if (this.#turns-- === 0) settings[shared.STOP] = 1;
        else this.#wake.signal();
        return undefined;
      },
      tell: () => {},
    };
  }
}

const inLab = (mode: Mode, body: (lab: Lab) => void) =>
  inScratchAsync(async (scratch) => body(await Lab.make(scratch, mode)));

const TO_SLAVE = "own>own 10.0.0.1>10.0.0.10";

for (const mode of ["l2", "l3"] as const)
  test(
    `${mode}: what the master's namespace sends into the pair reaches no slave`,
    { skip },
    inLab(mode, (lab) => {
      lab.run(2, () => lab.up(frame(TO_SLAVE).view()));
      assert.equal(lab.statistics.read(SLAVE).rxPackets, 0);
    }),
  );

test(
  "l3s: what the master's namespace has forwarded reaches the slave",
  { skip },
  inLab("l3s", (lab) => {
    lab.run(2, () => lab.up(frame(TO_SLAVE).view()));
    assert.equal(lab.statistics.read(SLAVE).rxPackets, 1);
  }),
);

for (const turns of [1, 2, 3])
  test(
    `a slave that sprays has ${ASKED_PER_TURN} destinations looked up each turn, in ${turns}; its other frames wait`,
    { skip },
    inLab("l3", (lab) => {
      lab.run(turns, () => {
        for (let n = 0; n < 30; n++) lab.slave(frame(`own>own 10.0.0.10>10.0.0.${100 + n}`).view());
      });
      assert.equal(lab.statistics.read(SLAVE).txPackets, turns * ASKED_PER_TURN);
    }),
  );

test(
  "a slave whose ring overflows has less of a turn than others, while others have frames",
  { skip },
  inLab("l2", (lab) => {
    const [turns, more] = [60, 64];
    const bytes = frame("own>w0 10.0.0.10>10.0.0.1").view();
    const flood = (count: number) => {
      for (let n = 0; n < count; n++) lab.slave(bytes);
    };
    // The ring tells of what it lost only behind what it had then. The wake-ups of the lab are the others.
    lab.run(
      turns,
      () => flood(SLOTS + more),
      () => flood(more),
    );
    const { txPackets } = lab.statistics.read(SLAVE);
    const afterwards = txPackets - SLOTS;
    assert.ok(0 < afterwards && afterwards < (turns - SLOTS / more) * (more / 2), `${afterwards}`);
  }),
);

test(
  "a frame on its way allocates no object",
  { skip },
  inLab("l2", (lab) => {
    const [rounds, frames] = [600, 64];
    const bytes = frame("own>w0 10.0.0.10>10.0.0.1").view();
    const grown: number[] = [];
    let before = 0;
    const turn = (): void => {
      grown.push(getHeapStatistics().used_heap_size - before);
      for (let n = 0; n < frames; n++) lab.slave(bytes);
      before = getHeapStatistics().used_heap_size;
    };
    lab.run(rounds, turn, turn);
    assert.ok(lab.statistics.read(SLAVE).txPackets > (rounds * frames) / 2);
    const warm = grown.slice(rounds / 2).sort((a, b) => a - b);
    // 16 bytes are the box of an address: a number above 2^31.
    assert.ok(warm[warm.length >> 1]! / frames < 32, `${warm[warm.length >> 1]! / frames} bytes`);
  }),
);
