import assert from "node:assert/strict";
import { test } from "node:test";
import * as sim from "./index.ts";

test("the entry point alone is enough to build a host without a shell, and to see a ping pass", () => {
  const simulation = new sim.Simulation(1);
  const [a, b] = ["a", "b"].map((name, i) => {
    const netns = new sim.Namespace(name, simulation);
    const device = new sim.Device({ name: `${name}0`, mac: Uint8Array.of(2, 0, 0, 0, 0, i) });
    netns.add(device);
    netns.addAddress(device, { ip: Uint8Array.of(192, 0, 2, i + 1), length: 24 });
    device.setUp(true);
    return { netns, device };
  }) as [
    { netns: sim.Namespace; device: sim.Device },
    { netns: sim.Namespace; device: sim.Device },
  ];
  sim.connect(simulation, a.device, b.device);
  const places: string[] = [];
  simulation.witness = new sim.Recorder(simulation, (event) => {
    if (event.kind === "hop") places.push(sim.tellPlace(event.to));
  });
  let tookMs = 0;
  a.netns.ping(Uint8Array.of(192, 0, 2, 2), 1000, (heard) => {
    tookMs = heard!.tookMs;
  });
  simulation.clock.run(500);
  assert.ok(tookMs > 0);
  assert.deepEqual(places.slice(0, 4), ["b/b0", "a/a0", "b/b0", "a/a0"]);
});
