/** Who reaches whom on the simulated host is what Linux's own driver did, in every mode and flag. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Column, readColumns } from "../../scripts/connectivity.ts";
import { ADDRESS, ENDS, type End, FAMILIES } from "../../scripts/lab.ts";
import { parseIp, parseMac, parsePrefix } from "../wire/address.ts";
import { connect } from "./cable.ts";
import { Clock } from "./clock.ts";
import { Device } from "./device.ts";
import { Namespace } from "./namespace.ts";
import { SimulatedPort } from "./port.ts";
import { seeded } from "./random.ts";

/** Until addresses are known to be nobody else's. */
const SETTLE_MS = 3000;
const ANSWER_MS = 4000;

class Lab {
  readonly clock: Clock = new Clock();
  readonly ends: Readonly<Record<End, Namespace>>;

  constructor({ variant, mode, flag }: Pick<Column, "variant" | "mode" | "flag">) {
    const random = seeded(1);
    const make = (name: End) => new Namespace(name, this.clock, random);
    this.ends = { lan: make("lan"), host: make("host"), ns0: make("ns0"), ns1: make("ns1") };
    const { lan, host, ns0, ns1 } = this.ends;
    const w0 = new Device({ name: "w0", mac: parseMac("02:00:00:00:00:01")! });
    const eth0 = new Device({ name: "eth0", mac: parseMac("02:00:00:00:00:02")! });
    connect(this.clock, random, w0, eth0);
    const port = new SimulatedPort(eth0, this.clock, { mode, flag });
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
    this.clock.run(SETTLE_MS);
  }

  #set(netns: Namespace, device: Device, end: End): void {
    netns.add(device);
    netns.addAddress(device, parsePrefix(`${ADDRESS[end].v4}/24`)!);
    device.setUp(true);
    netns.addAddress(device, parsePrefix(`${ADDRESS[end].v6}/64`)!);
  }
}

for (const variant of ["plain", "routed"] as const)
  describe(`${variant}: every end pings every other`, () => {
    for (const column of readColumns().filter((one) => one.variant === variant))
      test(`${column.mode} ${column.flag}`, () => {
        const { clock, ends } = new Lab(column);
        const answered: string[] = [];
        const promised: string[] = [];
        for (const from of ENDS)
          for (const to of ENDS.filter((end) => end !== from))
            for (const family of FAMILIES) {
              const pair = `${from}->${to} ${family}`;
              if (column.ping[`${from}->${to}`]![family].ok) promised.push(pair);
              ends[from].ping(parseIp(ADDRESS[to][family])!, ANSWER_MS, (tookMs) => {
                if (tookMs !== undefined) answered.push(pair);
              });
            }
        clock.run(ANSWER_MS + 1);
        assert.deepEqual(answered.sort(), promised.sort());
      });
  });
