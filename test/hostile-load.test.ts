/**
 * A slave that floods costs itself: others' conversations go on, and the daemon does not grow.
 *
 *     lan: w0 10.0.0.1
 *      |
 *     eth0 --- ipvl0 (ns0), ipvl1 (ns1), who talk at an even pace, ns0 with the LAN, too
 *           `- c1 (c1), who floods
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ADDRESS, addLanRoutes, deleteLanRoutes, shell, spawnAt } from "../scripts/lab.ts";
import { withNetns } from "../src/linux/netns.ts";
import * as sys from "../src/linux/sys.ts";
import { parseIp } from "../src/wire/address.ts";
import { addressOf, daemonPid, footprint, gather, nameOf, ports } from "./crowd.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, setPort } from "./slaves.ts";

const FROM = addressOf(1).v4;
const SPRAY = "to addresses without end";
const NEIGHBOURS =
  "the kernel asks for each neighbour, as with Linux's driver: its table, the machine's only one, is full";
const FLOODS = {
  l2: {
    "out of the master": [`own>w0 ${FROM}>10.0.0.1`],
    "to a sibling": [`own>own ${FROM}>10.0.0.11`],
    "of broadcasts": [`own>all ${FROM}>10.0.0.255`, `own>all arp ${FROM}>10.0.0.99`],
    "under forged MACs": [`other>w0 ${FROM}>10.0.0.1`, `all>all arp ${FROM}>10.0.0.1`],
  },
  l3: {
    "out of the master": [`own>own ${FROM}>10.0.0.1`],
    [SPRAY]: ["spray", `own>own ${FROM}>10.200.0.0`],
  },
} as const;

await inSandbox(import.meta.url, { engines: "both", usually: "userspace" }, (engine) => {
  before(async () => {
    await buildLab();
    await addLanRoutes();
    await addSlaves("l2", "bridge");
    await gather(1, 1);
  });
  after(async () => {
    await deleteLanRoutes();
    await shell("host", "ipvlan daemon stop --remove");
  });

  for (const mode of ["l2", "l3"] as const)
    for (const [kind, frames] of Object.entries(FLOODS[mode])) {
      const skip = engine === "ebpf" && kind === SPRAY && NEIGHBOURS;
      test(`${mode}: a flood ${kind} does not keep others from talking`, { skip }, async () => {
        await setPort(mode, "bridge");
        const daemon = daemonPid();
        const sentBefore = await txOfFlooder();
        const { rssMb } = footprint(daemon);
        const [toSibling, toLan] = await duringFlood(frames, () =>
          Promise.all([talk("ns0", "ns1", ADDRESS.ns1.v4), talk("ns0", "lan", ADDRESS.lan.v4)]),
        );
        assert.ok((await txOfFlooder()) - sentBefore > FLOOD_MIN, "it is a flood");
        for (const arrived of [toSibling, toLan])
          assert.ok(arrived >= 0.9 * DATAGRAMS, `of ${DATAGRAMS} arrive ${toSibling}, ${toLan}`);
        const grown = footprint(daemon).rssMb - rssMb;
        assert.ok(grown < GROWTH_MB, `grown by ${grown} MB`);
      });
    }
});

const FLOODER = fileURLToPath(new URL("./flooder.js", import.meta.url));
/** Frames that a flood has at least, even where others keep the machine busy. */
const FLOOD_MIN = 10_000;
/** Less than a table of a million entries would take. */
const GROWTH_MB = 64;

const BURST = 10;
const BURSTS = 150;
const PAUSE_MS = 10;
const DATAGRAMS = BURST * BURSTS;
const LENGTH = 512;
/** What is under way when the last is sent. */
const LATE_MS = 500;
let lastPort = 7000;

/** What the slave has sent, tried to send, or lost for want of room. */
async function txOfFlooder(): Promise<number> {
  const { statistics } = (await ports())[0]!.slaves.find(({ name }) => name === nameOf(1))!;
  return ["txPackets", "txDropped", "backlog"].reduce(
    (sum, key) => sum + (statistics[key] ?? 0),
    0,
  );
}

async function duringFlood<T>(frames: readonly string[], measure: () => Promise<T>): Promise<T> {
  const flood = spawnAt(nameOf(1), [process.execPath, FLOODER, nameOf(1), ...frames]);
  try {
    for await (const _ready of flood.stdout.iterator({ destroyOnReturn: false })) break;
    return await measure();
  } finally {
    flood.kill("SIGKILL");
  }
}

/** Sends datagrams at an even pace; how many arrive. */
async function talk(from: string, to: string, address: string): Promise<number> {
  const port = ++lastPort;
  const sender = udpSocket(from);
  const receiver = udpSocket(to);
  sys.bind(receiver, sockaddrIn("0.0.0.0", port));
  const datagram = Buffer.alloc(LENGTH);
  const buffer = Buffer.alloc(LENGTH);
  let arrived = 0;
  const receive = (): void => {
    while (sys.receive(receiver, buffer) > 0) arrived++;
  };
  for (let burst = 0; burst < BURSTS; burst++) {
    for (let n = 0; n < BURST; n++) sys.sendto(sender, datagram, sockaddrIn(address, port));
    await sleep(PAUSE_MS);
    receive();
  }
  await sleep(LATE_MS);
  receive();
  for (const socket of [sender, receiver]) sys.close(socket);
  return arrived;
}

const udpSocket = (netns: string): number =>
  withNetns(netns, () => sys.socket(sys.AF_INET, sys.SOCK_DGRAM | sys.SOCK_NONBLOCK, 0));

/** struct sockaddr_in. */
function sockaddrIn(address: string, port: number): Uint8Array {
  const addr = Buffer.alloc(16);
  addr.writeUInt16LE(sys.AF_INET, 0);
  addr.writeUInt16BE(port, 2);
  addr.set(parseIp(address)!, 4);
  return addr;
}
