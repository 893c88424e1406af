/** A switch between a host with slaves and another host: what it allows, and what of that ipvlan needs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flag } from "../driver/settings.ts";
import { type Mac, parseIp, parseMac, parsePrefix } from "../wire/address.ts";
import { Frame } from "../wire/frame.ts";
import { connect } from "./cable.ts";
import type { Clock } from "./clock.ts";
import { Device } from "./device.ts";
import { Namespace } from "./namespace.ts";
import { SimulatedPort } from "./port.ts";
import { Simulation } from "./simulation.ts";
import { Switch, type SwitchPortOptions } from "./switch.ts";

const OWN = parseMac("02:00:00:00:00:02")!;
const FAR = parseMac("02:00:00:00:00:01")!;
const OTHER = parseMac("02:00:00:00:00:99")!;

function outletOf(name: string): Device {
  const device = new Device({ name, mac: new Uint8Array(6) });
  device.setUp(true);
  return device;
}

/** far -- switch -- eth0 with so many slaves, 10.0.0.10 and up; the far end is 10.0.0.1. */
class Rack {
  readonly simulation: Simulation = new Simulation(1);
  readonly clock: Clock = this.simulation.clock;
  readonly bridge: Switch = new Switch(this.simulation);
  readonly eth0: Device = new Device({ name: "eth0", mac: OWN });
  readonly far: Device = new Device({ name: "far", mac: FAR });
  readonly outlet: Device = outletOf("p1");
  readonly slaves: readonly Namespace[];
  readonly there: Namespace;

  constructor(count: number, flag: Flag, options: SwitchPortOptions = {}) {
    const toFar = outletOf("p2");
    this.bridge.addPort(this.outlet, options);
    this.bridge.addPort(toFar);
    connect(this.simulation, this.eth0, this.outlet);
    connect(this.simulation, this.far, toFar);
    const make = (name: string, device: Device, address: string): Namespace => {
      const netns = new Namespace(name, this.simulation);
      netns.add(device);
      netns.addAddress(device, parsePrefix(address)!);
      device.setUp(true);
      return netns;
    };
    make("host", this.eth0, "10.0.0.2/24");
    this.there = make("there", this.far, "10.0.0.1/24");
    const port = new SimulatedPort(this.eth0, this.simulation, { mode: "l2", flag });
    this.slaves = Array.from({ length: count }, (_, i) =>
      make(`ns${i}`, port.addSlave(`ipvl${i}`), `10.0.0.${10 + i}/24`),
    );
    this.clock.run(3000);
  }

  reaches(from: Namespace, to: string): boolean {
    let isAnswered = false;
    from.ping(parseIp(to)!, 2000, (heard) => {
      isAnswered = heard !== undefined && heard.failure === undefined;
    });
    this.clock.run(2001);
    return isAnswered;
  }

  /** A frame of somebody behind eth0 who has a MAC of his own. */
  sendFrom(mac: Mac): void {
    this.eth0.send(Frame.of(Uint8Array.of(...FAR, ...mac, 0x88, 0xb5, ...new Uint8Array(46))));
    this.clock.run(1);
  }
}

test("vepa: slaves reach each other where the switch sends frames back, and only there", () => {
  for (const isHairpin of [true, false]) {
    const rack = new Rack(2, "vepa", { isHairpin });
    assert.equal(rack.reaches(rack.slaves[0]!, "10.0.0.11"), isHairpin);
    assert.equal(rack.reaches(rack.slaves[0]!, "10.0.0.1"), true);
  }
});

test("private: a switch that sends frames back is no way round", () => {
  const rack = new Rack(2, "private", { isHairpin: true });
  assert.equal(rack.reaches(rack.slaves[0]!, "10.0.0.11"), false);
  assert.equal(rack.reaches(rack.slaves[0]!, "10.0.0.1"), true);
});

test("a port that allows one MAC is enough for any number of slaves; a second MAC gets nothing through", () => {
  const rack = new Rack(30, "bridge", { macsMax: 1 });
  for (const slave of rack.slaves) assert.equal(rack.reaches(slave, "10.0.0.1"), true);
  assert.equal(rack.bridge.refusedAt(rack.outlet), 0);
  rack.sendFrom(OTHER);
  assert.equal(rack.bridge.refusedAt(rack.outlet), 1);
});

test("port security: who has the master's MAC passes, nobody else", () => {
  const rack = new Rack(2, "bridge", { allowed: [OWN] });
  assert.equal(rack.reaches(rack.slaves[1]!, "10.0.0.1"), true);
  rack.sendFrom(OTHER);
  assert.equal(rack.bridge.refusedAt(rack.outlet), 1);
  const closed = new Rack(1, "bridge", { allowed: [OTHER] });
  assert.equal(closed.reaches(closed.slaves[0]!, "10.0.0.1"), false);
});

test("a frame to a MAC that is known goes there only, and everywhere again when that is five minutes old", () => {
  const simulation = new Simulation(1);
  const { clock } = simulation;
  const bridge = new Switch(simulation);
  const seen: string[] = [];
  const hosts = ["a", "b", "c"].map((name) => {
    const host = new Device({ name, mac: new Uint8Array(6) });
    host.intake = () => seen.push(name) > 0;
    host.setUp(true);
    const outlet = outletOf(`to-${name}`);
    bridge.addPort(outlet);
    connect(simulation, host, outlet);
    return host;
  });
  const send = (from: number, dst: Mac, src: Mac) => {
    hosts[from]!.send(Frame.of(Uint8Array.of(...dst, ...src, 0x88, 0xb5)));
    clock.run(1);
    return seen.splice(0).sort().join("");
  };
  assert.equal(send(0, FAR, OWN), "bc");
  assert.equal(send(1, OWN, FAR), "a");
  assert.equal(send(2, FAR, OTHER), "b");
  clock.run(300_000);
  assert.equal(send(2, FAR, OTHER), "ab");
  assert.equal(send(1, OWN, FAR), "ac");
});
