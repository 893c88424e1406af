/**
 * The driver at work on real devices: the daemon with one of its engines, frames sent by packet sockets and
 * datagrams by the namespaces' own stacks, and what comes out where.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Compat } from "../../src/driver/settings.ts";
import { withNetns } from "../../src/linux/netns.ts";
import { openPacketSocket, packetAddress } from "../../src/linux/packet.ts";
import * as sys from "../../src/linux/sys.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { Frame } from "../../src/wire/frame.ts";
import type { Limit } from "./compare.ts";
import { isSame, isTagged, type Observation, withoutTag } from "./expectation.ts";
import { withoutPadding } from "./forwarding.ts";
import { devicesOf, getSender, type Lab } from "./lab.ts";
import { buildLab, type StackWays, setColumn, setCompat, stackWays } from "./real-lab.ts";
import type { Case, Device } from "./recording.ts";
import type { Engine } from "./replay.ts";
import { DatagramTaps, FrameTaps, getIndex } from "./taps.ts";

/** Nothing seen for so long: all has arrived. By attempt: who seems to have missed something waits longer. */
const QUIET_MS = [4, 60, 400];
/** Chatter of stacks must end sometime. */
const LONGEST_MS = 1000;
/** What a change of mode sets off is over. */
const SETTLE_MS = 300;

export class RealEngine implements Engine {
  readonly tries: number = QUIET_MS.length;
  readonly #lab: Lab;
  readonly #frames: FrameTaps;
  readonly #datagrams: DatagramTaps;
  readonly #senders: ReadonlyMap<Device, Sender>;
  #column = "";
  #limits: readonly Limit[] = [];

  static async start(lab: Lab, cases: readonly Case[], compat: Compat): Promise<RealEngine> {
    buildLab(lab);
    setCompat(lab, compat);
    return new RealEngine(lab, await FrameTaps.open(lab, cases));
  }

  private constructor(lab: Lab, frames: FrameTaps) {
    this.#lab = lab;
    this.#frames = frames;
    this.#datagrams = new DatagramTaps(lab);
    this.#senders = new Map(devicesOf(lab).map((device) => [device, new Sender(device)]));
  }

  get limits(): readonly Limit[] {
    return this.#limits;
  }

  async run(c: Case, attempt: number): Promise<Observation | string> {
    const quietMs = QUIET_MS[attempt]!;
    await this.#enter(c);
    if (attempt > 0) await this.#collect(quietMs, () => undefined);
    this.#datagrams.take();
    const isRefused = !this.#send(c);
    const frames = new Map<string, Uint8Array[]>();
    await this.#collect(quietMs, (place, bytes) => {
      if (c.frame === undefined || !isOf(c.frame, bytes)) return;
      frames.set(place, [...(frames.get(place) ?? []), bytes]);
    });
    return { frames, datagrams: this.#datagrams.take(), isRefused };
  }

  close(): void {} // The sandbox goes with the process, and all in it.

  async #enter(c: Case): Promise<void> {
    const { mode, flag } = c;
    const column = `${mode}/${flag}`;
    if (column === this.#column) return;
    setColumn(this.#lab, mode, flag);
    this.#column = column;
    await this.#collect(SETTLE_MS, () => undefined);
    this.#limits = limitsOf(stackWays(this.#lab), mode, this.#lab.stack);
  }

  /** Whether a socket took it. */
  #send(c: Case): boolean {
    const device = getSender(this.#lab, c);
    if (c.frame !== undefined) return this.#senders.get(device)!.send(c.frame, c.protocol);
    this.#datagrams.send(device, c.datagram!.dst, c.datagram!.payload);
    return true;
  }

  async #collect(quietMs: number, saw: (place: string, bytes: Uint8Array) => void): Promise<void> {
    const start = performance.now();
    let last = start;
    for (let now = start; now - last < quietMs && now - start < LONGEST_MS; ) {
      this.#frames.drain((place, bytes) => {
        last = performance.now();
        saw(place, bytes);
      });
      await sleep(1);
      now = performance.now();
    }
  }
}

/** What the taps of the master's stack cannot tell on this kernel. */
function limitsOf({ consumption, wayUp }: StackWays, mode: string, place: string): Limit[] {
  if (consumption === "routes")
    return [
      {
        place,
        reason: "the master's taps: without nftables nothing takes frames away before them",
      },
    ];
  if (mode === "l2" && wayUp !== "tc")
    return [
      { place, reason: "the master's taps: without tc slaves' frames do not come up past them" },
    ];
  return [];
}

/** A packet socket that sends on one device. */
class Sender {
  readonly #fd: number;
  readonly #ifindex: number;

  constructor(device: Device) {
    this.#ifindex = getIndex(device);
    this.#fd = withNetns(device.namespace, () => openPacketSocket({ vnet: false }));
  }

  /** Whether the socket took the frame; what the device then makes of it is another matter. */
  send(frame: Uint8Array, protocol: number = eth.type(Frame.of(frame))): boolean {
    if (sys.sendto(this.#fd, frame, packetAddress(this.#ifindex, protocol)) >= 0) return true;
    return !REFUSED.has(sys.errnoName(sys.errno()));
  }
}

const REFUSED: ReadonlySet<string> = new Set(["EINVAL", "EMSGSIZE"]);

/** Whether a frame is the one that was sent, and no answer to it: what is behind the MACs tells. */
function isOf(sent: Uint8Array, seen: Uint8Array): boolean {
  const forms = [sent, withoutPadding(sent)];
  if (forms.some((form) => isSame(behindMacs(form), behindMacs(seen)))) return true;
  return isTagged(sent) && isOf(withoutTag(sent), seen);
}

const behindMacs = (bytes: Uint8Array): Uint8Array => bytes.subarray(12);
