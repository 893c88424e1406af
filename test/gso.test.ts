/**
 * TCP whose sender leaves segmenting and checksums to the device (GSO): super-frames pass the driver, what leaves by the
 * wire is cut to size with right checksums, and the data arrives unharmed.
 *
 * In the LAN nothing is offloaded and eth0 sends nothing unfinished, so that a capture on w0 shows the frames as a
 * cable would carry them.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ADDRESS,
  addLanRoutes,
  type End,
  FAMILIES,
  netnsOf,
  shell,
  spawnAt,
} from "../scripts/lab.ts";
import { Capture } from "./capture.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, deleteSlaves, forget, setPort } from "./slaves.ts";
import { Tap } from "./tap.ts";

const FLOWS: readonly (readonly [End, End])[] = [
  ["ns0", "ns1"],
  ["ns0", "lan"],
  ["lan", "ns0"],
];
const MEGABYTES = 16;
/** Ethernet header and MTU. */
const FRAME_MAX = 1514;

await inSandbox(
  import.meta.url,
  { needs: ["ethtool", "dumpcap", "tshark"], engines: "both", usually: "userspace" },
  () => {
    before(async () => {
      await buildLab();
      const off = "tx off rx off tso off gso off gro off";
      await shell("host", `ethtool -K eth0 ${off}`);
      await shell("lan", `ethtool -K w0 ${off}`);
      await addLanRoutes();
      await addSlaves("l2", "bridge");
    });
    after(async () => {
      await deleteSlaves();
      await shell("host", "ipvlan daemon stop --remove");
    });

    for (const mode of ["l2", "l3", "l3s"] as const)
      describe(mode, () => {
        before(async () => {
          await setPort(mode, "bridge");
          await forget();
        });
        for (const [from, to] of FLOWS)
          for (const family of FAMILIES)
            test(`${from} to ${to} ${family}: ${MEGABYTES} MB arrive whole`, async () => {
              const wire = await Capture.start("lan", "w0", "/run/w0.pcap");
              const sent = new LargestFrame(from, from === "lan" ? "w0" : "ipvl0");
              assert.equal(await transfer(from, to, ADDRESS[to][family]), "the same");
              await wire.stop();
              if (from !== "lan")
                assert.ok(sent.stop() > FRAME_MAX, "the sender made super-frames");
              else sent.stop();
              const frames = await wire.frames();
              assert.deepEqual(
                frames.filter((f) => f.isWrong || f.length > FRAME_MAX).slice(0, 5),
                [],
              );
              assert.equal(frames.length > MEGABYTES * 500, to === "lan" || from === "lan");
            });
      });
  },
);

/** Listens along while a device sends. */
class LargestFrame {
  readonly #tap: Tap;
  readonly #timer: NodeJS.Timeout;
  #length = 0;

  constructor(end: End, device: string) {
    this.#tap = new Tap(netnsOf(end), device);
    this.#timer = setInterval(() => this.#look(), 20);
  }

  stop(): number {
    clearInterval(this.#timer);
    this.#look();
    this.#tap.close();
    return this.#length;
  }

  #look(): void {
    for (const frame of this.#tap.heard()) this.#length = Math.max(this.#length, frame.length);
  }
}

/** Data whose order matters: a counter in every word. */
const DATA = `
  const { createHash } = require("node:crypto");
  const net = require("node:net");
  const words = Uint32Array.from({ length: ${MEGABYTES} << 18 }, (_, i) => Math.imul(i, 2654435761));
  const data = Buffer.from(words.buffer);
  const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");`;

const RECEIVER = `${DATA}
  const pieces = [];
  const server = net.createServer((socket) => {
    socket.on("data", (piece) => pieces.push(piece));
    socket.on("end", () => {
      console.log(hash(Buffer.concat(pieces)) === hash(data) ? "the same" : "other data");
      server.close();
      socket.end();
    });
  });
  server.listen(7777, "::", () => console.log("ready"));`;

const SENDER = `${DATA}
  net.connect(7777, process.argv[1]).on("error", (error) => console.error(error.message)).end(data);`;

/** What the receiver says of the data. */
async function transfer(from: End, to: End, address: string): Promise<string> {
  const receiver = spawnAt(to, ["node", "-e", RECEIVER]);
  const said = receiver.stdout.iterator();
  await said.next(); // "ready"
  const sender = spawnAt(from, ["node", "-e", SENDER, address]);
  const timeout = setTimeout(() => receiver.kill(), TRANSFER_MS);
  const { value } = await said.next();
  clearTimeout(timeout);
  sender.kill();
  return String(value ?? "nothing within the time").trim();
}
const TRANSFER_MS = 30_000;
