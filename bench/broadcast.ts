/**
 * What broadcasts cost, a process of its own: sends one out of a device, waits until it has come to every device of
 * another namespace, and so on. Tells the median of the times from sending to the last that came, divided by the copies
 * that were made, in microseconds.
 *
 *     node broadcast.js FROM DEVICE TO COUNT MORE MS
 *
 * FROM, TO: namespaces. COUNT: devices in TO that each get a copy. MORE: copies that go elsewhere.
 */
import { closeSync } from "node:fs";
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { deviceCalled, openPacketEnd, pause, quantile } from "./packet-end.ts";

/** For experiments, IEEE 802: no stack does anything with it. */
const ETH_P_EXPERIMENT = 0x88b5;
const LENGTH = 60;
/** After so long the rest will not come. */
const LOST_MS = 50;
/** Copies may be lost, but not more: it would not be the same work. */
const ARRIVING = 0.9;
/** Who keeps floods down shall see none. */
const PAUSE_MS = 5;

const [, , from = "", device = "", to = "", count = "0", more = "0", ms = "0"] = process.argv;
const devices = Number(count);

const { index, mac } = withNetns(from, () => deviceCalled(device));
const sender = withNetns(from, () => openPacketEnd(index, 0));
const receiver = withNetns(to, () => openPacketEnd(0, ETH_P_EXPERIMENT));
const frame = Buffer.concat([Buffer.alloc(6, 0xff), mac, Buffer.alloc(LENGTH - 12)]);
frame.writeUInt16BE(ETH_P_EXPERIMENT, 12);
const copy = Buffer.from(new ArrayBuffer(2048));

const times: number[] = [];
let fewest = devices;
for (const until = performance.now() + Number(ms); performance.now() < until; pause(PAUSE_MS)) {
  const [arrived, time] = broadcast();
  fewest = Math.min(fewest, arrived);
  if (arrived >= devices * ARRIVING) times.push((time * 1000) / (arrived + Number(more)));
}
for (const fd of [sender, receiver]) closeSync(fd);
if (times.length === 0) throw new Error(`of ${devices} copies arrive ${fewest}`);
console.log(quantile(times, 0.5));

/** How many have come, and after how long the last. */
function broadcast(): [arrived: number, ms: number] {
  const start = performance.now();
  sys.send(sender, frame);
  let [arrived, last] = [0, start];
  while (arrived < devices && sys.poll(receiver, sys.EPOLLIN, LOST_MS)) {
    while (sys.receive(receiver, copy) > 0) arrived++;
    last = performance.now();
  }
  return [arrived, last - start];
}
