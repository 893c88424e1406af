/** Figures of traffic between two ends of a ground. Every program of it ends by itself after some time, or is ended. */
import { execFile } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { spawnAt } from "../scripts/lab.ts";
import { addressOf, type End, type Ground, netnsOf } from "./ground.ts";

const run = promisify(execFile);
const END = fileURLToPath(new URL("./end.js", import.meta.url));
/** What a program takes to start and to tell, at most. */
const SLACK_S = 5;
/** Where a ping-pong takes place: to be woken on another processor that has gone to sleep takes longer than the way. */
export const ONE_CPU = "0";

/** Takes figures of traffic from one end to another, for some seconds. */
export type Traffic = (
  ground: Ground,
  from: End,
  to: End,
  seconds: number,
) => Promise<readonly number[]>;

/** Bits a second of so many TCP connections at once, as received. */
export const tcp =
  (connections: number): Traffic =>
  async (ground, from, to, seconds) => {
    const whole = Math.max(1, Math.round(seconds)); // iperf3 takes no others
    const iperf = ["timeout", String(whole + SLACK_S), "iperf3", "-p", "5201"];
    const server = start(ground, to, [...iperf, "-s", "-1", "--forceflush"]);
    try {
      for (let line = ""; !line.startsWith("Server listening"); ) line = await server.line();
      const client = start(ground, from, [
        ...iperf,
        "-c",
        addressOf(to),
        "-t",
        String(whole),
        "-P",
        String(connections),
        "-J",
      ]);
      const said = readReport(await client.all());
      if (said.end?.sum_received === undefined) throw new Error(`iperf3: ${said.error}`);
      await server.all(); // it serves one client and ends
      return [said.end.sum_received.bits_per_second];
    } finally {
      server.end();
    }
  };

interface IperfReport {
  readonly error?: string;
  readonly end?: { readonly sum_received?: { readonly bits_per_second: number } };
}

/** It says nothing at all if it was ended because the way was dead. */
function readReport(text: string): IperfReport {
  if (text === "") throw new Error("iperf3 was still waiting when its time was over");
  return JSON.parse(text);
}

/** Datagrams of 18 bytes a second, as received. */
export const udp: Traffic = async (ground, from, to, seconds) => {
  const count = startEnd(ground, to, "count", from, seconds);
  await count.line();
  const flood = startEnd(ground, from, "flood", to, seconds + SLACK_S);
  try {
    const rate = Number(await count.line());
    if (rate === 0) throw new Error("no datagram arrives");
    return [rate];
  } finally {
    flood.end();
  }
};

/** Microseconds there and back, median and 99th percentile, everybody on one processor. */
export const pingPong: Traffic = (ground, from, to, seconds) =>
  onOneCpu(ground, async () => {
    const pong = startEnd(ground, to, "pong", from, seconds + SLACK_S, ONE_CPU);
    try {
      await pong.line();
      const ping = startEnd(ground, from, "ping", to, seconds, ONE_CPU);
      await ping.line();
      const times = JSON.parse(await ping.line()) as number[];
      if (times.length === 0) throw new Error("no datagram comes back");
      return times;
    } finally {
      pong.end();
    }
  });

/** Takes a figure while those who carry the frames are on `ONE_CPU`, too. */
export async function onOneCpu<T>({ carriers }: Ground, take: () => Promise<T>): Promise<T> {
  for (const { pid } of carriers) await pin(pid!, ONE_CPU);
  try {
    return await take();
  } finally {
    for (const { pid } of carriers) await pin(pid!, `0-${MANY_CPUS}`);
  }
}
/** More than there are. */
const MANY_CPUS = 1023;

const pin = (pid: number, cpus: string): Promise<unknown> =>
  run("taskset", ["-acp", cpus, String(pid)]);

function startEnd(
  ground: Ground,
  at: End,
  role: string,
  other: End,
  seconds: number,
  cpus?: string,
): Program {
  const node = [process.execPath, END, role, addressOf(other), String(seconds * 1000)];
  return start(ground, at, cpus === undefined ? node : ["taskset", "-c", cpus, ...node]);
}

const start = (ground: Ground, at: End, words: readonly string[]): Program =>
  new Program(spawnAt(netnsOf(ground, at), words));

/** A program that tells its figures line by line. */
class Program {
  readonly #process: ReturnType<typeof spawnAt>;
  readonly #lines: AsyncIterator<string>;

  constructor(process: ReturnType<typeof spawnAt>) {
    this.#process = process;
    const lines: Interface = createInterface({ input: process.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
    process.stderr.pipe(globalThis.process.stderr);
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#process.spawnargs.join(" ")}: ended early`);
    return value;
  }

  async all(): Promise<string> {
    let text = "";
    for (let next = await this.#lines.next(); !next.done; next = await this.#lines.next())
      text += next.value;
    return text;
  }

  end(): void {
    this.#process.kill();
  }
}
