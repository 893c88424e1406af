/** A learning switch (IEEE 802.1Q, one VLAN), with what makes people choose ipvlan: ports that allow few MACs, or only some. */
import { formatMac, type Mac } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame } from "../wire/frame.ts";
import type { Device } from "./device.ts";
import type { Simulation } from "./simulation.ts";

export interface SwitchPortOptions {
  /** Frames may go back out of the port by which they came: reflective relay, 802.1Qbg. */
  readonly isHairpin?: boolean;
  /** MACs that may be learnt here; frames from others are dropped. */
  readonly macsMax?: number;
  /** Frames from other MACs than these are dropped: port security. */
  readonly allowed?: readonly Mac[];
}

/** Of a switch. */
const MACS_MAX = 8192;
/** 802.1Q §8.8.3 */
const AGEING_MS = 300_000;
/** What may be changed of a port, as bridge(8) calls it. */
export interface SwitchPortSettings {
  isHairpin: boolean;
  /** Who sends here is remembered. */
  isLearning: boolean;
  /** Frames are dropped whose source is not known to be here. */
  isLocked: boolean;
}

interface Port extends SwitchPortSettings {
  readonly device: Device;
  readonly macsMax: number;
  readonly allowed: ReadonlySet<string> | undefined;
  /** Frames that came from a MAC which is one too many, or not allowed. */
  refused: number;
}

interface Learnt {
  readonly mac: Mac;
  readonly port: Port;
  /** Infinity: a person said so. */
  readonly untilMs: number;
}

/** Where frames to a MAC go. */
export interface Forwarding {
  readonly mac: Mac;
  readonly device: Device;
  /** It does not age. */
  readonly isStatic: boolean;
}

export class Switch {
  readonly #simulation: Simulation;
  readonly #ports: Port[] = [];
  readonly #learnt: Map<string, Learnt> = new Map();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** All that the device receives is the switch's from now on. */
  addPort(
    device: Device,
    { isHairpin = false, macsMax = MACS_MAX, allowed }: SwitchPortOptions = {},
  ): void {
    const macs = allowed && new Set(allowed.map(formatMac));
    const unlessSaid = { isLearning: true, isLocked: false };
    const port: Port = { device, isHairpin, ...unlessSaid, macsMax, allowed: macs, refused: 0 };
    device.intake = (f) => {
      this.#receive(port, f);
      return true;
    };
    this.#ports.push(port);
  }

  removePort(device: Device): void {
    const at = this.#ports.findIndex((port) => port.device === device);
    if (at < 0) return;
    const [port] = this.#ports.splice(at, 1);
    device.intake = undefined;
    for (const [mac, learnt] of this.#learnt) if (learnt.port === port) this.#learnt.delete(mac);
  }

  configure(device: Device, settings: Partial<SwitchPortSettings>): void {
    Object.assign(this.#find(device) ?? {}, settings);
  }

  list(): readonly Forwarding[] {
    this.#forgetOld();
    return Array.from(this.#learnt.values(), ({ mac, port, untilMs }) => ({
      mac,
      device: port.device,
      isStatic: untilMs === Number.POSITIVE_INFINITY,
    }));
  }

  /** False: there are too many. */
  add(device: Device, mac: Mac): boolean {
    const port = this.#find(device);
    const key = formatMac(mac);
    if (port === undefined || (this.#learnt.size >= MACS_MAX && !this.#learnt.has(key)))
      return false;
    this.#learnt.set(key, { mac, port, untilMs: Number.POSITIVE_INFINITY });
    return true;
  }

  /** Whether it was known there. */
  remove(device: Device, mac: Mac): boolean {
    const key = formatMac(mac);
    return this.#findOf(key)?.device === device && this.#learnt.delete(key);
  }

  refusedAt(device: Device): number {
    return this.#find(device)?.refused ?? 0;
  }

  #find(device: Device): Port | undefined {
    return this.#ports.find((port) => port.device === device);
  }

  #receive(from: Port, f: Frame): void {
    if (f.length < ethernet.HEADER) return;
    if (!this.#learn(from, f.view().slice(6, 12))) {
      from.refused++;
      this.#simulation.witness?.lost(from.device, f, "switch-refuses-mac");
      return;
    }
    const to = ethernet.isGroup(f) ? undefined : this.#findOf(formatMac(f.view().subarray(0, 6)));
    for (const port of to === undefined ? this.#ports : [to])
      if (port !== from || port.isHairpin) port.device.send(Frame.of(f.view().slice()));
  }

  #findOf(mac: string): Port | undefined {
    const learnt = this.#learnt.get(mac);
    return learnt !== undefined && learnt.untilMs > this.#simulation.clock.nowMs
      ? learnt.port
      : undefined;
  }

  /** Whether frames from this MAC may pass. */
  #learn(port: Port, mac: Mac): boolean {
    const key = formatMac(mac);
    if (port.allowed?.has(key) === false) return false;
    const isHere = this.#findOf(key) === port;
    if (port.isLocked && !isHere) return false;
    if (!port.isLearning) return true;
    if (!isHere) {
      this.#forgetOld();
      const ofPort = [...this.#learnt.values()].filter((one) => one.port === port).length;
      if (ofPort >= port.macsMax) return false;
      if (this.#learnt.size >= MACS_MAX) return true; // it is not learnt: frames to it are flooded
    }
    const aged = this.#simulation.clock.nowMs + AGEING_MS;
    const untilMs = Math.max(aged, this.#learnt.get(key)?.untilMs ?? 0); // what a person said stays
    this.#learnt.set(key, { mac, port, untilMs });
    return true;
  }

  #forgetOld(): void {
    for (const [mac, { untilMs }] of this.#learnt)
      if (untilMs <= this.#simulation.clock.nowMs) this.#learnt.delete(mac);
  }
}
