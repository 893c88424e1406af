import assert from "node:assert/strict";
import { test } from "node:test";
import { Frame } from "../wire/frame.ts";
import { connect, IN_FLIGHT_MAX } from "./cable.ts";
import { Device } from "./device.ts";
import { type Faults, NO_FAULTS } from "./faults.ts";
import { Simulation } from "./simulation.ts";

/** The numbers of the frames that arrive, of so many sent a millisecond apart. */
function arrivals(faults: Partial<Faults>, count: number, seed = 1, apartMs = 1): number[] {
  const simulation = new Simulation(seed);
  const { clock } = simulation;
  const [a, b] = ["a", "b"].map((name) => new Device({ name, mac: new Uint8Array(6) })) as [
    Device,
    Device,
  ];
  connect(simulation, a, b, { ...NO_FAULTS, ...faults });
  const arrived: number[] = [];
  b.intake = (f) => {
    arrived.push((f.bytes[0]! << 8) | f.bytes[1]!);
    return true;
  };
  a.setUp(true);
  b.setUp(true);
  for (let i = 0; i < count; i++) {
    a.send(Frame.of(Uint8Array.of(i >> 8, i)));
    clock.run(apartMs);
  }
  clock.run(60_000);
  return arrived;
}
const counting = (count: number) => Array.from({ length: count }, (_, i) => i);

test("without faults every frame arrives once, in order", () => {
  assert.deepEqual(arrivals({}, 500), counting(500));
});

test("loss, duplication and reordering are as often as said, and the same for the same seed", () => {
  const lost = arrivals({ loss: 0.25 }, 1000);
  assert.ok(lost.length > 700 && lost.length < 800, `${lost.length}`);
  const doubled = arrivals({ duplication: 0.25 }, 1000);
  assert.ok(doubled.length > 1200 && doubled.length < 1300, `${doubled.length}`);
  const mixed = arrivals({ jitterMs: 5 }, 1000);
  assert.notDeepEqual(mixed, counting(1000));
  assert.deepEqual(
    mixed.sort((a, b) => a - b),
    counting(1000),
  );
  assert.deepEqual(arrivals({ loss: 0.25 }, 1000), lost);
  assert.notDeepEqual(arrivals({ loss: 0.25 }, 1000, 2), lost);
});

test("what is under way has a limit", () => {
  assert.equal(arrivals({ delayMs: 50 }, IN_FLIGHT_MAX + 100, 1, 0).length, IN_FLIGHT_MAX);
});

test("a device that is down neither sends nor receives", () => {
  const simulation = new Simulation(1);
  const { clock } = simulation;
  const a = new Device({ name: "a", mac: new Uint8Array(6) });
  const b = new Device({ name: "b", mac: new Uint8Array(6) });
  connect(simulation, a, b);
  let count = 0;
  b.intake = () => {
    count++;
    return true;
  };
  a.setUp(true);
  a.send(Frame.of(new Uint8Array(60)));
  clock.run(1);
  b.setUp(true);
  a.setUp(false);
  a.send(Frame.of(new Uint8Array(60)));
  clock.run(1);
  assert.equal(count, 0);
});

test("a frame longer than the other end's MTU and a tagged header is lost", () => {
  const simulation = new Simulation(1);
  const [a, b] = ["a", "b"].map((name) => new Device({ name, mac: new Uint8Array(6) })) as [
    Device,
    Device,
  ];
  b.mtu = 1400;
  connect(simulation, a, b);
  const arrived: number[] = [];
  b.intake = (f) => arrived.push(f.length) > 0;
  a.setUp(true);
  b.setUp(true);
  for (const length of [1418, 1419]) a.send(Frame.of(new Uint8Array(length)));
  simulation.clock.run(1);
  assert.deepEqual(arrived, [1418]);
});
