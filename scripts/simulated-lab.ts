/** The lab of `lab.ts` on a simulated host: the same ends and addresses, in memory and in virtual time. */

import { connect } from "../src/sim/cable.ts";
import { Device } from "../src/sim/device.ts";
import { Namespace } from "../src/sim/namespace.ts";
import { SimulatedPort } from "../src/sim/port.ts";
import { Simulation } from "../src/sim/simulation.ts";
import { parseIp, parseMac, parsePrefix } from "../src/wire/address.ts";
import { type Column, type Outcome, pairs } from "./connectivity.ts";
import { ADDRESS, type End, FAMILIES, PREFIX } from "./lab.ts";

/** Until addresses are known to be nobody else's. */
const SETTLE_MS = 3000;
const ANSWER_MS = 4000;

export class SimulatedLab {
  readonly simulation: Simulation = new Simulation(1);
  readonly ends: Readonly<Record<End, Namespace>>;

  constructor({ variant, mode, flag }: Pick<Column, "variant" | "mode" | "flag">) {
    const make = (name: End) => new Namespace(name, this.simulation);
    this.ends = { lan: make("lan"), host: make("host"), ns0: make("ns0"), ns1: make("ns1") };
    const { lan, host, ns0, ns1 } = this.ends;
    const w0 = new Device({ name: "w0", mac: parseMac("02:00:00:00:00:01")! });
    const eth0 = new Device({ name: "eth0", mac: parseMac("02:00:00:00:00:02")! });
    connect(this.simulation, w0, eth0);
    const port = new SimulatedPort(eth0, this.simulation, { mode, flag });
    this.#set(lan, w0, "lan");
    this.#set(host, eth0, "host");
    this.#set(ns0, port.addSlave("ipvl0"), "ns0");
    this.#set(ns1, port.addSlave("ipvl1"), "ns1");
    if (variant === "routed") {
      for (const end of ["ns0", "ns1"] as const)
        for (const family of FAMILIES) {
          const ip = parseIp(ADDRESS[end][family])!;
          const via = parseIp(ADDRESS.host[family])!;
          lan.routes[family === "v4" ? 4 : 16].add({
            to: { ip, length: ip.length * 8 },
            device: w0,
            via,
          });
        }
    }
    this.simulation.clock.run(SETTLE_MS);
  }

  /** Every end pings every other, all at once. */
  pingAll(column: Column): Outcome[] {
    const outcomes: Outcome[] = [];
    for (const pair of pairs) {
      const promised = column.ping[`${pair.from}->${pair.to}`]![pair.family].ok;
      const to = parseIp(ADDRESS[pair.to][pair.family])!;
      this.ends[pair.from].ping(to, ANSWER_MS, (heard) => {
        const timeMs = heard?.failure === undefined ? heard?.tookMs : undefined;
        outcomes.push({ ...pair, promised, timeMs });
      });
    }
    this.simulation.clock.run(ANSWER_MS + 1);
    return outcomes;
  }

  #set(netns: Namespace, device: Device, end: End): void {
    netns.add(device);
    netns.addAddress(device, parsePrefix(`${ADDRESS[end].v4}/${PREFIX.v4}`)!);
    device.setUp(true);
    netns.addAddress(device, parsePrefix(`${ADDRESS[end].v6}/${PREFIX.v6}`)!);
  }
}
