/** What goes on between two ends of the lab while something is changed: pings, and a TCP connection. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { spawnAt } from "../scripts/lab.ts";
import { type Ping, ping } from "../scripts/ping.ts";

export const ANSWER_MS = 4000;

/** Pings one after the other until told to stop. */
export async function keepPinging(
  talk: Ping,
  isOver: AbortSignal,
): Promise<{ answered: number; unanswered: number }> {
  const count = { answered: 0, unanswered: 0 };
  while (!isOver.aborted)
    if ((await ping(talk, ANSWER_MS)) === undefined) count.unanswered++;
    else count.answered++;
  return count;
}

const PROGRAM = fileURLToPath(new URL("./talk-end.js", import.meta.url));
/** Messages; they come every `PAUSE_MS` of talk-end.ts. */
const A_WHILE = 50;
const PATIENCE_MS = 20_000;

/** One connection by which numbers go to the far end and come back, from its beginning to its end. */
export class Conversation {
  /** Numbers that came back. */
  #returned = 0;
  readonly #listener: ChildProcess;
  readonly #talker: ChildProcess;
  readonly #said: Promise<string>;

  private constructor(listener: ChildProcess, talker: ChildProcess) {
    this.#listener = listener;
    this.#talker = talker;
    let text = "";
    talker.stdout!.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      this.#returned = Number(text.trimEnd().split("\n").at(-1));
    });
    let errors = "";
    talker.stderr!.setEncoding("utf8").on("data", (piece: string) => {
      errors += piece;
    });
    this.#said = once(talker, "close").then(() => errors);
  }

  static async start(
    from: string,
    to: string,
    address: string,
    port: number,
  ): Promise<Conversation> {
    const listener = spawnAt(to, [process.execPath, PROGRAM, "listen", String(port)]);
    listener.stderr.pipe(process.stderr);
    await once(listener.stdout, "data");
    return new Conversation(
      listener,
      spawnAt(from, [process.execPath, PROGRAM, "talk", address, String(port)]),
    );
  }

  /** Returns when numbers have come back that were sent after now. */
  async goesOn(): Promise<void> {
    const goal = this.#returned + A_WHILE;
    const deadline = performance.now() + PATIENCE_MS;
    while (this.#returned < goal) {
      assert.ok(performance.now() < deadline, `nothing comes back any more: ${this.#returned}`);
      assert.equal(this.#talker.exitCode, null, "the connection has ended");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** What was wrong with it; "" if every number came back in its turn and the connection ended as it should. */
  async end(): Promise<string> {
    this.#talker.stdin!.end();
    const said = await this.#said;
    this.#listener.kill();
    return said;
  }
}
