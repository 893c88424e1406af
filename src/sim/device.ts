/** A network device as its namespace's stack sees it. Whoever makes one says where its frames leave. */
import type { Ip, Mac } from "../wire/address.ts";
import type { Frame } from "../wire/frame.ts";
import { type Faults, NO_FAULTS } from "./faults.ts";
import type { Namespace } from "./namespace.ts";
import * as packets from "./packets.ts";

export interface DeviceOptions {
  readonly name: string;
  readonly mac: Mac;
  readonly mtu?: number;
  /** Its addresses are its namespace's own, and nothing leaves by it. */
  readonly isLoopback?: boolean;
}

/** Is told what becomes of a device: the port of a slave or a master. */
export interface Follower {
  upChanged(device: Device): void;
  addressAdded(device: Device, ip: Ip): void;
  addressRemoved(device: Device, ip: Ip): void;
  groupsChanged(device: Device): void;
}

/** Sees frames that leave or arrive, before anybody else: a packet socket. Frames are lent. */
export type Tap = (f: Frame, isOutgoing: boolean) => void;

export class Device {
  name: string;
  mac: Mac;
  readonly isLoopback: boolean;
  mtu: number;
  /** Its neighbours have no MAC of their own to be asked for. Linux: IFF_NOARP. */
  isNoarp = false;
  /** Of the IPv6 link-local address, where several devices have one MAC; 0: of nobody else's. Linux: `dev_id`. */
  deviceId = 0;
  netns: Namespace | undefined;
  /** Takes frames that leave. */
  out: (f: Frame, device: Device) => void = drop;
  /** Sees frames that arrive before the stack does; true: the stack is not to get it. */
  intake: ((f: Frame) => boolean) | undefined;
  /** Sees packets that IP has taken in before it delivers or forwards them; true: they go no further. */
  input: ((f: Frame) => boolean) | undefined;
  follower: Follower | undefined;
  /** Of the cable, for what leaves; of a device that has none they do not matter. */
  faults: Faults = NO_FAULTS;
  #isUp = false;
  #taps: readonly Tap[] = NONE;
  #groups: readonly Mac[] = NONE;

  constructor({ name, mac, mtu = 1500, isLoopback = false }: DeviceOptions) {
    this.name = name;
    this.mac = mac;
    this.mtu = mtu;
    this.isLoopback = isLoopback;
    this.isNoarp = isLoopback;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  setUp(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.follower?.upChanged(this);
    this.netns?.upChanged(this);
  }

  send(f: Frame): void {
    if (!this.#isUp) {
      this.netns?.lose(this, f, "down");
      return;
    }
    this.#tell(f, true);
    this.out(f, this);
  }

  /** From its own MAC to this one. */
  sendTo(f: Frame, mac: Mac): void {
    packets.setMacs(f, this.mac, mac);
    this.send(f);
  }

  receive(f: Frame): void {
    if (!this.#isUp) {
      this.netns?.lose(this, f, "down");
      return;
    }
    this.#tell(f, false);
    if (this.intake?.(f)) return;
    this.netns?.receive(this, f);
  }

  /** Ends when the result is called. */
  addTap(tap: Tap): () => void {
    this.#taps = [...this.#taps, tap];
    return () => {
      this.#taps = this.#taps.filter((one) => one !== tap);
    };
  }

  #tell(f: Frame, isOutgoing: boolean): void {
    for (const tap of this.#taps) tap(f, isOutgoing);
  }

  /** Group MACs that are listened to, each as often as it was joined. */
  get groups(): readonly Mac[] {
    return this.#groups;
  }

  join(mac: Mac): void {
    this.#groups = this.#groups.concat([mac]);
    this.follower?.groupsChanged(this);
  }

  /** Once. */
  leave(mac: Mac): void {
    const at = this.#groups.findIndex((one) => one.every((byte, i) => byte === mac[i]));
    if (at < 0) return;
    this.#groups = this.#groups.toSpliced(at, 1);
    this.follower?.groupsChanged(this);
  }
}

const NONE: readonly never[] = [];
const drop = (): void => {};
