/** Figures of traffic between two ends of a ground. Every program of it ends by itself after some time, or is ended. */
import { type ChildProcess, execFile } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { spawnAt } from "../scripts/lab.ts";
import { addressOf, type End, type Ground, netnsOf } from "./grounds.ts";

const run = promisify(execFile);
const END = fileURLToPath(new URL("./end.js", import.meta.url));
/** What a program takes to start and to tell, at most. */
const SLACK_S = 5;
/** Where a ping-pong takes place: to be woken on another processor that has gone to sleep takes longer than the way. */
const ONE_CPU = "0";

/** Bits a second of one TCP connection, as received. */
export async function tcp(ground: Ground, from: End, to: End, seconds: number): Promise<number> {
  const whole = Math.max(1, Math.round(seconds)); // iperf3 takes no others
  const iperf = ["timeout", String(whole + SLACK_S), "iperf3", "-p", "5201"];
  const server = start(ground, to, [...iperf, "-s", "-1", "--forceflush"]);
  try {
    for (let line = ""; !line.startsWith("Server listening"); ) line = await server.line();
    const client = start(ground, from, [...iperf, "-c", addressOf(to), "-t", String(whole), "-J"]);
    const said = JSON.parse(await client.all()) as IperfReport;
    if (said.end?.sum_received === undefined) throw new Error(`iperf3: ${said.error}`);
    await server.all(); // it serves one client and ends
    return said.end.sum_received.bits_per_second;
  } finally {
    server.end();
  }
}

interface IperfReport {
  readonly error?: string;
  readonly end?: { readonly sum_received?: { readonly bits_per_second: number } };
}

/** Datagrams of 18 bytes a second, as received. */
export async function udp(ground: Ground, from: End, to: End, seconds: number): Promise<number> {
  const count = startEnd(ground, to, "count", from, seconds);
  await count.line();
  const flood = startEnd(ground, from, "flood", to, seconds + SLACK_S);
  try {
    return Number(await count.line());
  } finally {
    flood.end();
  }
}

/** Microseconds there and back, everybody on one processor. */
export async function pingPong(
  ground: Ground,
  from: End,
  to: End,
  seconds: number,
): Promise<number> {
  await pin(ground.daemon, ONE_CPU);
  const pong = startEnd(ground, to, "pong", from, seconds + SLACK_S, ONE_CPU);
  try {
    await pong.line();
    const ping = startEnd(ground, from, "ping", to, seconds, ONE_CPU);
    await ping.line();
    return Number(await ping.line());
  } finally {
    pong.end();
    await pin(ground.daemon, `0-${MANY_CPUS}`);
  }
}
/** More than there are. */
const MANY_CPUS = 1023;

async function pin(process: ChildProcess | undefined, cpus: string): Promise<void> {
  if (process !== undefined) await run("taskset", ["-acp", cpus, String(process.pid)]);
}

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
