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
import { readFrame, readIp, readMac } from "../src/sim/scenario/frame-words.ts";
import type { Frame } from "../src/wire/frame.ts";

export { readFrame as frame, readIp as ip, readMac as mac };

/** A port in memory whose outlets write down where frames came out: names of slaves, "wire", "stack", "route". */
export class Net implements Outlets {
  readonly port: Port;
  readonly path: DataPath;
  readonly groups: GroupTable = new GroupTable();
  readonly statistics: Statistics = new Statistics();
  readonly #names: string[] = ["eth0"];
  #trace: string[] = [];

  constructor(mode: Mode, flag: Flag, compat: Compat) {
    this.port = new Port({ mac: readMac("own"), mode, flag, compat, seed: 1 });
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
    for (const word of addresses) this.port.addAddress(id, readIp(word));
    if (words.includes("down")) return;
    this.port.setUp(id, true);
    this.groups.set(id, joins < 0 ? [] : words.slice(joins + 1).map(readMac));
  }

  id(name: string): number {
    return this.#names.indexOf(name);
  }

  /** What becomes of a frame that a slave sends. */
  send(name: string, words: string | Frame): string[] {
    const id = this.id(name);
    const before = this.statistics.read(id).drops;
    return this.#traced(() => {
      this.path.xmit(id, typeof words === "string" ? readFrame(words) : words);
      for (const [reason, count] of Object.entries(this.statistics.read(id).drops))
        if (count !== (before[reason] ?? 0)) this.#trace.push(`dropped: ${reason}`);
    });
  }

  /** What becomes of a frame from the wire; "stack" where the master's own stack keeps it. */
  receive(words: string | Frame): string[] {
    const f = typeof words === "string" ? readFrame(words) : words;
    return this.#traced(() => {
      const kind = v.kind(decide.receive(this.path, f));
      if (kind === v.STACK || kind === v.FLOOD_IN) this.#trace.push("stack");
      this.path.receive(f);
    });
  }

  /** What becomes of a packet that has passed the hooks of the master's namespace (l3s). */
  input(words: string): string[] {
    const f = readFrame(words);
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
