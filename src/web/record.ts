/**
 * What has become of each packet: a packet is followed from device to device, though its frame is copied and its MACs and
 * TTL change on the way.
 */
import {
  type Decision,
  type Event,
  type Hop,
  type Loss,
  type Place,
  Recorder,
} from "../sim/recorder.ts";
import type { Simulation } from "../sim/simulation.ts";
import { tellPlace } from "../sim/tell.ts";
import type { Witness } from "../sim/witness.ts";
import { dump } from "../wire/dump.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame } from "../wire/frame.ts";
import { type Kind, kindOf } from "./kinds.ts";

/** Packets that are remembered; the oldest goes for the newest. */
export const PACKETS_MAX = 1000;
/** Events of one packet that are kept: a loop of forwarders ends by TTL, before this. */
export const EVENTS_MAX = 1024;

export interface Packet {
  /** From 1. */
  readonly number: number;
  readonly kind: Kind;
  /** One line, as of tcpdump. */
  readonly text: string;
  readonly startMs: number;
  /** The frame as it was first seen. */
  readonly bytes: Uint8Array;
  /** What happened to it, in order. */
  readonly events: readonly Event[];
}

/** Something that is to be seen of a packet. */
export interface Step {
  readonly packet: Packet;
  readonly event: Hop | Loss;
}

export const hopsOf = ({ events }: Packet): Hop[] => events.filter((one) => one.kind === "hop");
export const lossesOf = ({ events }: Packet): Loss[] => events.filter((one) => one.kind === "loss");
export const decisionsOf = ({ events }: Packet): Decision[] =>
  events.filter((one) => one.kind === "decision");

/** What it is that is heard of first: where it was. */
export const startOf = ({ events }: Packet): string => {
  const [first] = events;
  return first === undefined ? "" : tellPlace(first.kind === "hop" ? first.from : first.at);
};

interface Followed extends Packet {
  readonly events: Event[];
}

export class Record {
  readonly packets: Packet[] = [];
  readonly #onStep: (step: Step) => void;
  readonly #witness: Witness;
  /** The latest first, by what stays the same on the way. */
  readonly #bySignature: Map<string, Followed[]> = new Map();
  #count = 0;

  /** `onStep` is told of each step when it happens. */
  constructor(simulation: Simulation, onStep: (step: Step) => void = () => {}) {
    this.#onStep = onStep;
    this.#witness = new Recorder(simulation, (event) => this.#hear(event));
  }

  /** Hears of every frame as long as it is the simulation's. */
  get witness(): Witness {
    return this.#witness;
  }

  #hear(event: Event): void {
    if (event.kind === "hop" && isInside(event)) return;
    const at = event.kind === "hop" ? event.from : event.at;
    const packet = this.#packetAt(at, event);
    if (packet.events.length >= EVENTS_MAX) return;
    packet.events.push(event);
    if (event.kind !== "decision") this.#onStep({ packet, event });
  }

  /** The packet that this frame carries: one that has come here, or a new one. */
  #packetAt(at: Place, { bytes, atMs }: Event): Followed {
    const signature = signatureOf(bytes);
    const known = this.#bySignature.get(signature) ?? [];
    const found = known.find(
      ({ startMs, events }) =>
        events.some((event) => event.kind === "hop" && event.to.netns === at.netns) ||
        (startMs === atMs && events.every((event) => isAt(event, at))),
    );
    return found ?? this.#newPacket(bytes, atMs, signature, known);
  }

  #newPacket(
    bytes: Uint8Array,
    startMs: number,
    signature: string,
    known: readonly Followed[],
  ): Followed {
    const f = Frame.of(bytes);
    const number = ++this.#count;
    const packet = { number, kind: kindOf(f), text: dump(f), startMs, bytes, events: [] };
    this.packets.push(packet);
    this.#bySignature.set(signature, [packet, ...known]);
    if (this.packets.length > PACKETS_MAX) this.#forget(this.packets.shift()!);
    return packet;
  }

  #forget(oldest: Packet): void {
    const signature = signatureOf(oldest.bytes);
    const rest = this.#bySignature.get(signature)?.filter((packet) => packet !== oldest) ?? [];
    if (rest.length > 0) this.#bySignature.set(signature, rest);
    else this.#bySignature.delete(signature);
  }
}

/** A flood that leaves the backlog at the master; a bridge and its inner end. */
const isInside = ({ from, to }: Hop): boolean =>
  from.netns === undefined || to.netns === undefined || tellPlace(from) === tellPlace(to);

const isAt = (event: Event, { netns, device }: Place): boolean => {
  const place = event.kind === "hop" ? event.from : event.at;
  return place.netns === netns && place.device === device;
};

/** All that no forwarder changes: neither MACs, nor TTL, nor the header's checksum. */
function signatureOf(bytes: Uint8Array): string {
  const kept = bytes.slice(Math.min(bytes.length, ethernet.HEADER));
  const type = ethernet.type(Frame.of(bytes));
  if (type === ethernet.ETH_P_IP) kept.fill(0, 8, 9).fill(0, 10, 12);
  else if (type === ethernet.ETH_P_IPV6) kept.fill(0, 7, 8);
  return Array.from(kept, (byte) => String.fromCharCode(byte)).join("");
}
