/**
 * A steady conversation, in a process of its own so that nothing keeps it from its pace: numbered datagrams, a thousand
 * a second, each of which is answered. Run at an end of the lab (`spawnAt`):
 *
 *     node pulse.js answer PORT            sends back what comes; a line on stdout when it listens
 *     node pulse.js ask ADDRESS PORT       asks until its stdin ends, then tells a `Pulse` on stdout, and ends
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createSocket } from "node:dgram";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { spawnAt } from "../scripts/lab.ts";

export interface Pulse {
  readonly asked: number;
  /** Numbers of those that nobody answered. */
  readonly lost: readonly number[];
  /** Answers that came more than once. */
  readonly doubled: number;
}

const RATE_HZ = 1000;
/** What is under way when the last is asked. */
const LATE_MS = 1000;
const BUFFER = 1 << 22;
const SELF = fileURLToPath(import.meta.url);

/** Asks from one end to an address of another, where `answer` runs by then. */
export class Pulses {
  readonly #answerer: ChildProcessWithoutNullStreams;
  readonly #asker: ChildProcessWithoutNullStreams;
  readonly #told: Promise<string>;

  static async start(from: string, to: string, address: string, port: number): Promise<Pulses> {
    const answerer = spawnAt(to, [process.execPath, SELF, "answer", String(port)]);
    answerer.stderr.pipe(process.stderr);
    for await (const _ready of answerer.stdout.iterator({ destroyOnReturn: false })) break;
    return new Pulses(
      answerer,
      spawnAt(from, [process.execPath, SELF, "ask", address, String(port)]),
    );
  }

  private constructor(
    answerer: ChildProcessWithoutNullStreams,
    asker: ChildProcessWithoutNullStreams,
  ) {
    this.#answerer = answerer;
    this.#asker = asker;
    asker.stderr.pipe(process.stderr);
    this.#told = text(asker.stdout);
  }

  async end(): Promise<Pulse> {
    this.#asker.stdin.end();
    try {
      return JSON.parse(await this.#told) as Pulse;
    } finally {
      this.#answerer.kill("SIGKILL");
    }
  }
}

function answer(port: number): void {
  const socket = createSocket("udp4");
  socket.on("message", (message, { address, port: back }) => socket.send(message, back, address));
  socket.bind(port, () => {
    socket.setRecvBufferSize(BUFFER);
    console.log("ready");
  });
}

/** As many as the time that has passed wants: a timer may be late. */
function ask(address: string, port: number): void {
  const socket = createSocket("udp4");
  const answers: number[] = [];
  let asked = 0;
  socket.on("message", (message) => {
    const number = message.readUInt32LE(0);
    answers[number] = (answers[number] ?? 0) + 1;
  });
  socket.bind(0, () => {
    socket.setRecvBufferSize(BUFFER);
    const begin = performance.now();
    const timer = setInterval(() => {
      for (; asked < ((performance.now() - begin) * RATE_HZ) / 1000; asked++) {
        const message = Buffer.alloc(4);
        message.writeUInt32LE(asked);
        socket.send(message, port, address);
      }
    }, 1);
    process.stdin.resume().once("end", () => {
      clearInterval(timer);
      setTimeout(() => {
        const lost = Array.from({ length: asked }, (_, n) => n).filter((n) => !answers[n]);
        const doubled = answers.filter((count) => count > 1).length;
        console.log(JSON.stringify({ asked, lost, doubled } satisfies Pulse));
        socket.close();
      }, LATE_MS);
    });
  });
}

const [, program, what, ...words] = process.argv;
if (program === SELF && what === "answer") answer(Number(words[0]));
if (program === SELF && what === "ask") ask(words[0]!, Number(words[1]));
