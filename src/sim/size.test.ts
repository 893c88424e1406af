/** What a large host costs: memory, and frames. Counted, not timed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parseIp } from "../wire/address.ts";
import { Shell } from "./shell/shell.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes of heap for each of so many lines. */
function bytesOfEach(count: number, setup: string, lineOf: (i: number) => string): number {
  const shell = new Shell({ print: () => {}, complain: assert.fail });
  shell.run(setup, "setup");
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i++) shell.run(lineOf(i), "line");
  shell.run("sleep 10", "rest");
  collect();
  return (process.memoryUsage().heapUsed - before) / count;
}

const FIRST = "ip link add link eth0 x type ipvlan mode l3; ip link set x up";

test("an idle slave, up, takes less than a kilobyte beside its address", () => {
  const slave = bytesOfEach(
    2000,
    FIRST,
    (i) => `ip link add link eth0 s${i} type ipvlan; ip link set s${i} up`,
  );
  const address = bytesOfEach(
    500,
    FIRST,
    (i) => `ip addr add fe80::${i.toString(16)}:1:2/64 dev x`,
  );
  assert.ok(slave - address < 1024, `${slave - address} bytes`);
});

test("with slaves the frames of building them and of asking one of them grow in step", () => {
  const framesOfEach = (count: number): number => {
    const shell = new Shell({ print: () => {}, complain: assert.fail });
    let frames = 0;
    const { world } = shell;
    world.simulation.witness = {
      hop: () => {
        frames++;
      },
      decides: () => {},
      lost: () => {},
    };
    for (let i = 0; i < count; i++)
      shell.run(
        `ip netns add n${i}; ip link add link eth0 s${i} netns n${i} type ipvlan mode l3
         ip -n n${i} link set s${i} up; ip -n n${i} addr add 10.1.${i >> 8}.${i & 255}/8 dev s${i}`,
        "line",
      );
    let answers = 0;
    for (let i = 1; i < count; i++)
      world.namespaces.get(`n${i}`)!.ping(parseIp("10.1.0.0")!, 5000, (heard) => {
        if (heard !== undefined && heard.failure === undefined) answers++;
      });
    world.clock.run(6000);
    assert.equal(answers, count - 1);
    return frames / count;
  };
  const [few, many] = [framesOfEach(10), framesOfEach(1000)];
  assert.ok(many < 1.2 * few, `${few} and ${many} frames of each slave`);
});
