/**
 * Tests in words: a port and its slaves as they are drawn, frames as they are told, and what became of them.
 *
 *     const net = topology(`
 *       eth0  l2 private
 *       ipvl0  10.0.0.10 fd00::10
 *       ipvl1  10.0.0.11 joins 01:00:5e:01:01:01
 *       ipvl2  10.0.0.12 down
 *     `);
 *     net.send("ipvl0", "own>own 10.0.0.10>10.0.0.11")   // ["dropped: isolated"]
 *     net.receive("w0>own 10.0.0.1>10.0.0.11")           // ["ipvl1"]
 */
import { DataPath, type Outlets } from "../src/driver/data-path.ts";
import * as decide from "../src/driver/decide/receive.ts";
import * as v from "../src/driver/decide/verdict.ts";
import { GroupTable } from "../src/driver/group-table.ts";
import { type Compat, type Flag, type Mode, Port } from "../src/driver/port.ts";
import { Statistics } from "../src/driver/statistics.ts";
import { ip4ToNumber, type Mac, macHigh, macLow, parseIp, parseMac } from "../src/wire/address.ts";
import * as arp from "../src/wire/arp.ts";
import * as eth from "../src/wire/ethernet.ts";
import { Frame } from "../src/wire/frame.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import * as ipv6 from "../src/wire/ipv6.ts";
import * as ndisc from "../src/wire/ndisc.ts";

const macs: Readonly<Record<string, string>> = {
  own: "02:00:00:00:00:02", // the master's, and so every slave's
  w0: "02:00:00:00:00:01", // the far end of the wire
  other: "02:00:00:00:00:99",
  all: "ff:ff:ff:ff:ff:ff",
};

export const mac = (word: string): Mac => must(parseMac(macs[word] ?? word), word);
export const ip = (word: string): Uint8Array => must(parseIp(word), word);

/** Bytes behind the MACs of a frame in words. */
const LENGTH = 64;

/**
 *     SRC>DST [vlan|qinq …] FROM>TO       a UDP datagram, IPv4 or IPv6; nothing behind the IP header is filled in
 *     SRC>DST … arp SENDER>TARGET
 *     SRC>DST … dad TARGET                a duplicate-address probe
 *     SRC>DST … type 0x88cc
 */
export function frame(words: string): Frame {
  const [ends, ...rest] = words.trim().split(/\s+/);
  const f = Frame.of(new Uint8Array(eth.HEADER + 2 * eth.TAG + LENGTH));
  f.set(f.bytes, 2 * eth.TAG, eth.HEADER + LENGTH);
  const [src, dst] = ends!.split(">").map(mac);
  eth.setSrc(f, macHigh(src!), macLow(src!));
  eth.setDst(f, macHigh(dst!), macLow(dst!));
  const tags = rest.filter((word) => word in tagTypes);
  putPacket(f, rest.slice(tags.length));
  for (const tag of tags.reverse()) eth.pushTag(f, tagTypes[tag]!, 10);
  return f;
}

const tagTypes: Readonly<Record<string, number>> = {
  vlan: eth.ETH_P_8021Q,
  qinq: eth.ETH_P_8021AD,
};

function putPacket(f: Frame, [what, operand]: string[]): void {
  const [from, to] = (operand ?? what!).split(">");
  if (what === "type") eth.setType(f, Number(operand));
  else if (what === "arp") putArp(f, from!, to!);
  else if (what === "dad") putProbe(f, from!);
  else if (from!.includes(":")) putIpv6(f, ip(from!), ip(to!), 17);
  else putIpv4(f, from!, to!);
}

function putIpv4(f: Frame, from: string, to: string): void {
  const ends = { src: ip4ToNumber(ip(from)), dst: ip4ToNumber(ip(to)) };
  eth.setType(f, eth.ETH_P_IP);
  ipv4.write(f, eth.HEADER, { totalLength: LENGTH, ttl: 64, protocol: 17, ...ends });
}

function putIpv6(f: Frame, src: Uint8Array, dst: Uint8Array, nextHeader: number): void {
  eth.setType(f, eth.ETH_P_IPV6);
  ipv6.write(f, eth.HEADER, {
    payloadLength: LENGTH - ipv6.HEADER,
    nextHeader,
    hopLimit: 255,
    src,
    dst,
  });
}

function putArp(f: Frame, sender: string, target: string): void {
  eth.setType(f, eth.ETH_P_ARP);
  arp.write(f, eth.HEADER, {
    operation: arp.REQUEST,
    senderMacHigh: eth.srcHigh(f),
    senderMacLow: eth.srcLow(f),
    sender: ip4ToNumber(ip(sender)),
    targetMacHigh: 0,
    targetMacLow: 0,
    target: ip4ToNumber(ip(target)),
  });
}

function putProbe(f: Frame, target: string): void {
  putIpv6(f, ip("::"), ip("ff02::1:ff00:0"), ndisc.NEXT_HEADER_ICMP6);
  ndisc.writeSolicitation(f, eth.HEADER, ip(target));
}

/** A port in memory whose outlets write down where frames came out: names of slaves, "wire", "stack", "route". */
export class Net implements Outlets {
  readonly port: Port;
  readonly path: DataPath;
  readonly groups: GroupTable = new GroupTable();
  readonly statistics: Statistics = new Statistics();
  readonly #names: string[] = ["eth0"];
  #trace: string[] = [];

  constructor(mode: Mode, flag: Flag, compat: Compat) {
    this.port = new Port({ mac: mac("own"), mode, flag, compat, seed: 1 });
    const { groups, statistics } = this;
    this.path = new DataPath({
      addresses: this.port.addresses,
      groups,
      statistics,
      outlets: this,
    });
    this.path.configure(this.port.settings, this.port.mac);
  }

  addSlave(name: string, words: readonly string[]): void {
    const id = this.port.addSlave();
    this.#names[id] = name;
    const joins = words.indexOf("joins");
    const addresses = words.slice(0, joins < 0 ? words.length : joins).filter((w) => w !== "down");
    for (const word of addresses) this.port.addAddress(id, ip(word));
    if (words.includes("down")) return;
    this.port.setUp(id, true);
    this.groups.set(id, joins < 0 ? [] : words.slice(joins + 1).map(mac));
  }

  id(name: string): number {
    return this.#names.indexOf(name);
  }

  /** What becomes of a frame that a slave sends. */
  send(name: string, words: string | Frame): string[] {
    const id = this.id(name);
    const before = this.statistics.read(id).drops;
    return this.#traced(() => {
      this.path.xmit(id, typeof words === "string" ? frame(words) : words);
      for (const [reason, count] of Object.entries(this.statistics.read(id).drops))
        if (count !== (before[reason] ?? 0)) this.#trace.push(`dropped: ${reason}`);
    });
  }

  /** What becomes of a frame from the wire; "stack" where the master's own stack keeps it. */
  receive(words: string | Frame): string[] {
    const f = typeof words === "string" ? frame(words) : words;
    return this.#traced(() => {
      const kind = v.kind(decide.receive(this.path, f));
      if (kind === v.STACK || kind === v.FLOOD_IN) this.#trace.push("stack");
      this.path.receive(f);
    });
  }

  /** What becomes of a packet that has passed the hooks of the master's namespace (l3s). */
  input(words: string): string[] {
    const f = frame(words);
    return this.#traced(() => {
      if (v.kind(decide.input(this.path, f)) === v.STACK) this.#trace.push("stack");
      this.path.input(f);
    });
  }

  deliver(to: number, f: Frame): number {
    return this.#note(this.#names[to]!, f);
  }
  wire(f: Frame): number {
    return this.#note("wire", f);
  }
  stack(f: Frame): number {
    return this.#note("stack", f);
  }
  route(f: Frame): number {
    return this.#note("route", f);
  }

  #note(place: string, _f: Frame): number {
    this.#trace.push(place);
    return 0;
  }

  #traced(act: () => void): string[] {
    this.#trace = [];
    act();
    while (this.path.flush(100));
    return this.#trace;
  }
}

export function topology(drawn: string): Net {
  const lines = drawn
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const [master, ...slaves] = lines;
  const [, mode, flag, compat] = master!;
  const net = new Net(mode as Mode, flag as Flag, (compat ?? "howto") as Compat);
  for (const [name, ...words] of slaves) net.addSlave(name!, words);
  return net;
}

function must<T>(value: T | undefined, word: string): T {
  if (value === undefined) throw new Error(`"${word}" is no address`);
  return value;
}
