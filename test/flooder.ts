/**
 * Floods out of a device until it is killed, a process of its own: `node flooder.js DEVICE [spray] FRAME…`, frames in
 * words (`topology.ts`), one after the other, again and again. `spray`: the last three bytes of the IPv4 destination
 * are others each time.
 */
import { Tap } from "./tap.ts";
import { frame } from "./topology.ts";

const [, , device = "", ...words] = process.argv;
const isSpray = words[0] === "spray";
const frames = words.slice(isSpray ? 1 : 0).map((one) => Buffer.from(frame(one).view()));
const tap = new Tap("/proc/self/ns/net", device, { hears: false });
/** Of the last three bytes of an IPv4 packet's destination, behind an Ethernet header. */
const SPRAYED_AT = 31;

console.log("ready");
for (let n = 0; ; n++)
  for (const bytes of frames) {
    if (isSpray) bytes.writeUIntBE(n & 0xffffff, SPRAYED_AT, 3);
    tap.send(bytes);
  }
