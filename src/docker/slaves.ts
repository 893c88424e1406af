/** The daemon of our network namespace, for the driver: started when it is needed, and again when it has ended. */
import { connect, type Socket } from "node:net";
import { type Client, ControlFailure, clientOf, NoDaemonError } from "../client/client.ts";
import { daemonWords } from "../client/daemon-words.ts";
import { startDaemon } from "../client/start-daemon.ts";
import { daemonDirectory, socketIn } from "../daemon/run-directory.ts";
import type { Slaves } from "./driver.ts";

const HERE = `/proc/${process.pid}/ns/net`;
/** After an attempt that failed. */
const AGAIN_MS = 1000;

/** `script` is what understands `daemon run`. */
export function daemonSlaves(script: string): Slaves {
  const ask = async <Answer>(question: (client: Client) => Promise<Answer>): Promise<Answer> => {
    try {
      return await question(clientOf(HERE));
    } catch (error) {
      if (!(error instanceof NoDaemonError)) throw error;
      return question(await start(script));
    }
  };
  return {
    create: (link) =>
      ask(async (client) => void (await client.createLink({ netns: HERE, ...link }))),
    removeLabelled: (label) =>
      ask((client) => client.deleteLabelled(label)).catch((error) => {
        if (!(error instanceof ControlFailure) || error.code !== "ENODEV") throw error;
      }),
    list: () => ask((client) => client.links(HERE)),
  };
}

const start = (script: string): Promise<Client> =>
  startDaemon(daemonDirectory(HERE), HERE, daemonWords(script));

/**
 * Sees to it that a daemon runs as long as it is `needed`. A connection tells when one ends, however it does; one that
 * is not used is cut off by the daemon every few seconds, and made again.
 */
export class DaemonWatch {
  readonly #needed: () => boolean;
  readonly #ensure: () => Promise<unknown>;
  #connection: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `ensure` starts a daemon where there is none. */
  constructor(needed: () => boolean, ensure: () => Promise<unknown>) {
    this.#needed = needed;
    this.#ensure = ensure;
    this.#watch();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#connection?.destroy();
  }

  #watch(): void {
    if (this.#isClosed) return;
    let isConnected = false;
    this.#connection = connect(socketIn(daemonDirectory(HERE)));
    this.#connection.on("connect", () => {
      isConnected = true;
    });
    this.#connection.on("error", () => {}); // it is closed, too
    this.#connection.on("close", () => void this.#cut(isConnected));
    this.#connection.resume();
  }

  async #cut(wasConnected: boolean): Promise<void> {
    if (wasConnected) return this.#watch();
    const isThere =
      this.#needed() &&
      (await this.#ensure().then(
        () => true,
        () => false,
      ));
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => this.#watch(), isThere ? 0 : AGAIN_MS);
  }
}
