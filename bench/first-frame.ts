/**
 * How long a new address takes to work, a process of its own: gives a slave an address, as plain `ip` does, while the
 * LAN sends to it, until the slave hears the first frame; and so on. Tells in milliseconds, as JSON: median and 99th
 * percentile from asking the kernel for the address to the first frame, and of the time until the kernel has answered,
 * which is a netlink round trip.
 *
 *     node first-frame.js SLAVE LAN COUNT      two namespaces, whose device is e0
 */
import { closeSync, writeFileSync } from "node:fs";
import { addAddress, deleteAddress } from "../src/linux/netlink/address.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { ip4FromNumber } from "../src/wire/address.ts";
import * as eth from "../src/wire/ethernet.ts";
import { Frame } from "../src/wire/frame.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import { deviceCalled, openPacketEnd, pause, quantile } from "./packet-end.ts";

const DEVICE = "e0";
const LENGTH = 60;
/** For experiments, RFC 3692. */
const IPPROTO_EXPERIMENT = 253;
const FIRST_ADDRESS = 0x0a630001; // 10.99.0.1
const LAN_ADDRESS = 0x0a000001;
/** Sends this often: seldom enough to leave the daemon a processor. */
const BETWEEN_MS = 0.01;
/** The kernel wakes us up to 50 microseconds late unless told that this matters. man: proc_pid_timerslack_ns(5). */
const TIMER_SLACK_NS = "1";
const PATIENCE_MS = 2000;
/** Until what one address set going is over. */
const PAUSE_MS = 2;

const [, , slaveNetns = "", lanNetns = "", count = "0"] = process.argv;

writeFileSync("/proc/self/timerslack_ns", TIMER_SLACK_NS);
const slave = withNetns(slaveNetns, () => deviceCalled(DEVICE));
const lan = withNetns(lanNetns, () => deviceCalled(DEVICE));
const netlink = withNetns(slaveNetns, () => NetlinkSocket.open());
const receiver = withNetns(slaveNetns, () => openPacketEnd(slave.index, eth.ETH_P_IP));
const sender = withNetns(lanNetns, () => openPacketEnd(lan.index, 0));
const heard = Buffer.from(new ArrayBuffer(2048));

const [times, answers]: [number[], number[]] = [[], []];
for (let n = 0; n < Number(count); n++) {
  const [time, answer] = firstFrame(FIRST_ADDRESS + n);
  times.push(time);
  answers.push(answer);
  pause(PAUSE_MS);
}
netlink.close();
for (const fd of [receiver, sender]) closeSync(fd);
console.log(
  JSON.stringify([times, answers].flatMap((all) => [0.5, 0.99].map((part) => quantile(all, part)))),
);

function firstFrame(address: number): [time: number, answer: number] {
  const frame = frameTo(address);
  const spec = { ifindex: slave.index, ip: ip4FromNumber(address), prefixLength: 32 };
  const start = performance.now();
  addAddress(netlink, spec);
  const answer = performance.now() - start;
  for (;;) {
    sys.send(sender, frame);
    if (hears(frame)) break;
    if (performance.now() - start > PATIENCE_MS) throw new Error("a new address gets no frame");
    pause(BETWEEN_MS);
  }
  const time = performance.now() - start;
  deleteAddress(netlink, spec);
  return [time, answer];
}

function hears(frame: Buffer): boolean {
  for (;;) {
    const length = Number(sys.receive(receiver, heard));
    if (length <= 0) return false;
    if (heard.subarray(0, length).equals(frame)) return true;
  }
}

function frameTo(address: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(LENGTH));
  const f = new Frame().set(bytes, 0, LENGTH);
  bytes.set(slave.mac, 0);
  bytes.set(lan.mac, 6);
  eth.setType(f, eth.ETH_P_IP);
  ipv4.write(f, eth.HEADER, {
    totalLength: LENGTH - eth.HEADER,
    ttl: 64,
    protocol: IPPROTO_EXPERIMENT,
    src: LAN_ADDRESS,
    dst: address,
  });
  return bytes;
}
