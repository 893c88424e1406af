/**
 * What one decision costs, beside a loop that does only what any such switch must: read the headers, look an address
 * up, answer with a number. 64-byte frames of 1,000 slaves' addresses; 10 of 16 for a slave, 5 for the world beyond, one
 * a broadcast.
 */
import type { DecisionPort } from "../src/driver/decide/machine.ts";
import { receive } from "../src/driver/decide/receive.ts";
import { xmit } from "../src/driver/decide/xmit.ts";
import { Port } from "../src/driver/port.ts";
import { compats, flags, modes } from "../src/driver/settings.ts";
import { ip4FromNumber, type Mac, macHigh, macLow, parseMac } from "../src/wire/address.ts";
import * as arp from "../src/wire/arp.ts";
import * as eth from "../src/wire/ethernet.ts";
import { Frame } from "../src/wire/frame.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import type { Take, Trial } from "./rounds.ts";

const FRAMES = 4096;
const LENGTH = 64;
const ADDRESSES = 1000;
/** Times through all frames for one figure. */
const REPEATS = 300;

const MASTER = parseMac("02:00:00:00:00:02") as Mac;
const ROUTER = parseMac("02:00:00:00:00:01") as Mac;
const EVERYBODY = parseMac("ff:ff:ff:ff:ff:ff") as Mac;

/** Some way apart, as addresses of a subnet in use are. */
const slaveAddress = (n: number): number => 0x0a000001 + (n % ADDRESSES) * 7;
const worldAddress = (n: number): number => 0x08080808 + n;

export function decisionTrials(): Trial[] {
  const port = makePort();
  const sent = makeFrames(MASTER, MASTER);
  const received = makeFrames(ROUTER, MASTER);
  const f = new Frame();
  const trial = (way: string, frames: Uint8Array, decide: (at: number) => number): Trial => ({
    name: `decision: in V8, ${way}`,
    takes: { bare: timed(makeReference(frames)), ipvlan: timed(decide) },
    rows: [
      {
        name: `decision: in V8, ${way}`,
        group: "decision",
        to: "a bare loop",
        better: "less",
        ratios: { userspace: { of: ["ipvlan", 0], to: ["bare", 0] } },
        targets: { userspace: { atMost: 1.5 } },
      },
    ],
  });
  return [
    trial("from a slave", sent, (at) => xmit(port, f.set(sent, at, LENGTH))),
    trial("from the wire", received, (at) => receive(port, f.set(received, at, LENGTH))),
  ];
}

/** Microseconds of processor time for `decide` on all frames, many times. */
const timed =
  (decide: (at: number) => number): Take =>
  async () => {
    const start = process.cpuUsage();
    let sum = 0;
    for (let n = 0; n < REPEATS; n++)
      for (let at = 0; at < FRAMES * LENGTH; at += LENGTH) sum = (sum + decide(at)) | 0;
    const { user } = process.cpuUsage(start);
    if (Number.isNaN(sum)) throw new Error("the loop must not be optimised away");
    return [user];
  };

function makePort(): DecisionPort {
  const port = new Port({ mac: MASTER, mode: "l2", flag: "bridge", compat: "howto", shared: true });
  for (let n = 0; n < ADDRESSES; n++) {
    const id = port.addSlave();
    port.addAddress(id, ip4FromNumber(slaveAddress(n)));
    port.setUp(id, true);
  }
  return {
    mode: modes.l2,
    flag: flags.bridge,
    compat: compats.howto,
    macHigh: macHigh(MASTER),
    macLow: macLow(MASTER),
    addresses: port.addresses,
  };
}

function makeFrames(src: Mac, dst: Mac): Uint8Array {
  const bytes = new Uint8Array(FRAMES * LENGTH);
  const f = new Frame();
  for (let n = 0; n < FRAMES; n++) {
    f.set(bytes, n * LENGTH, LENGTH);
    eth.setSrc(f, macHigh(src), macLow(src));
    if (n % 16 === 15) putBroadcast(f, n, src);
    else putUnicast(f, n, dst);
  }
  return bytes;
}

function putUnicast(f: Frame, n: number, dst: Mac): void {
  eth.setDst(f, macHigh(dst), macLow(dst));
  eth.setType(f, eth.ETH_P_IP);
  ipv4.write(f, eth.HEADER, {
    totalLength: LENGTH - eth.HEADER,
    ttl: 64,
    protocol: 17,
    src: slaveAddress(n + 1),
    dst: n % 16 < 10 ? slaveAddress(n * 31) : worldAddress(n),
  });
}

function putBroadcast(f: Frame, n: number, src: Mac): void {
  eth.setDst(f, macHigh(EVERYBODY), macLow(EVERYBODY));
  eth.setType(f, eth.ETH_P_ARP);
  arp.write(f, eth.HEADER, {
    operation: arp.REQUEST,
    senderMacHigh: macHigh(src),
    senderMacLow: macLow(src),
    sender: slaveAddress(n + 1),
    targetMacHigh: 0,
    targetMacLow: 0,
    target: slaveAddress(n),
  });
}

const OUT_DROP = -1;
const OUT_WIRE = -2;
const OUT_FLOOD = -3;

/** The bare loop: no modes, no flags, no tags, no IPv6, no forged MACs, bytes by a DataView. */
function makeReference(frames: Uint8Array): (at: number) => number {
  const view = new DataView(frames.buffer);
  const find = makeHash();
  return (at) => {
    const type = view.getUint16(at + 12);
    if (frames[at]! & 1) return OUT_FLOOD;
    if (type !== eth.ETH_P_IP && type !== eth.ETH_P_ARP) return OUT_WIRE;
    if (type === eth.ETH_P_IP && frames[at + 14]! >> 4 !== 4) return OUT_DROP;
    const to = find(view.getInt32(at + (type === eth.ETH_P_IP ? 30 : 38)));
    return to < 0 ? OUT_WIRE : to;
  };
}

/** Open addressing over 4,096 slots; 0 is no address. */
function makeHash(): (key: number) => number {
  const MASK = 4095;
  const keys = new Int32Array(MASK + 1);
  const values = new Int32Array(MASK + 1);
  const slotOf = (key: number): number => {
    let slot = (Math.imul(key, 0x9e3779b1) >>> 16) & MASK;
    while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & MASK;
    return slot;
  };
  for (let n = 0; n < ADDRESSES; n++) {
    const key = slaveAddress(n) | 0;
    const slot = slotOf(key);
    keys[slot] = key;
    values[slot] = n;
  }
  return (key) => {
    const slot = slotOf(key);
    return keys[slot] === key ? values[slot]! : -1;
  };
}
