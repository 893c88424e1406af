/** What the simulated host costs: a frame from one stack to another, and a slave where there are many. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Shell } from "../src/sim/shell/shell.ts";
import { parseIp } from "../src/wire/address.ts";
import type { Take, Trial } from "./rounds.ts";

const FRAMES = 20_000;
/** Pings that are under way at a time. */
const AT_A_TIME = 50;
const FEW = 10;

export function simulatedTrials(slaves: number): Trial[] {
  const frames = "simulated: a frame from stack to stack";
  const growth = `simulated: a slave, made and pinged, of ${slaves}`;
  return [
    {
      name: frames,
      takes: { simulated: simulatedFrames, datagrams },
      rows: [
        {
          name: frames,
          group: "simulated",
          to: "a datagram by two of Node's sockets",
          better: "less",
          ratios: { simulated: { of: ["simulated", 0], to: ["datagrams", 0] } },
          targets: { simulated: { atMost: 1 } },
        },
      ],
    },
    {
      name: growth,
      takes: { many: slavesOf(slaves), few: slavesOf(FEW) },
      rows: [
        {
          name: growth,
          group: "simulated",
          to: `one of ${FEW}`,
          better: "less",
          ratios: { simulated: { of: ["many", 0], to: ["few", 0] } },
          targets: { simulated: { atMost: 1.2 } },
        },
      ],
    },
  ];
}

/** Microseconds of processor time. */
function processorTime(act: () => void): number {
  const start = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

function host(type: string, count: number): Shell {
  const shell = new Shell({
    print: () => {},
    complain: (text) => {
      throw new Error(text);
    },
  });
  for (let i = 0; i < count; i++)
    shell.run(
      `ip netns add n${i}; ip link add link eth0 s${i} netns n${i} type ipvlan ${type}
       ip -n n${i} link set s${i} up; ip -n n${i} addr add ${addressOf(i)}/8 dev s${i}`,
      "bench",
    );
  return shell;
}

const addressOf = (i: number): string => `10.1.${i >> 8}.${i & 255}`;

/** Of a frame, which a ping sends two of. */
const simulatedFrames: Take = async () => {
  const { world } = host("mode l2", 2);
  world.clock.run(5000);
  const [netns, to] = [world.namespaces.get("n0")!, parseIp(addressOf(1))!];
  let left = FRAMES / 2;
  const next = () => {
    if (left-- > 0) netns.ping(to, 1000, next);
  };
  const spent = processorTime(() => {
    for (let i = 0; i < AT_A_TIME; i++) next();
    world.clock.run(60_000, () => left <= -AT_A_TIME);
  });
  return [spent / FRAMES];
};

const datagrams: Take = async () => {
  const [a, b] = await Promise.all([open(), open()]);
  const { port } = b.address() as AddressInfo;
  const payload = new Uint8Array(56);
  let left = FRAMES;
  const done = new Promise<void>((resolve) => {
    b.on("message", () => {
      if (left-- > 0) a.send(payload, port, "127.0.0.1");
      else resolve();
    });
  });
  const start = process.cpuUsage();
  a.send(payload, port, "127.0.0.1");
  await done;
  const { user, system } = process.cpuUsage(start);
  for (const socket of [a, b]) socket.close();
  return [(user + system) / FRAMES];
};

async function open(): Promise<Socket> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** Of each slave: made in a namespace of its own, and all but one ping that one. As often as makes up for few. */
const slavesOf =
  (count: number): Take =>
  async () => {
    const times = Math.max(1, Math.round(1000 / count));
    const spent = processorTime(() => {
      for (let time = 0; time < times; time++) {
        const { world } = host("mode l3", count);
        for (let i = 1; i < count; i++)
          world.namespaces.get(`n${i}`)!.ping(parseIp(addressOf(0))!, 5000, () => {});
        world.clock.run(6000);
      }
    });
    return [spent / times / count];
  };
