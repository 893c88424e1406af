/**
 * The asking end of the control socket: HTTP with JSON, nothing but node:http, because the time a command
 * takes is mostly the time it takes to load.
 *
 * A daemon serves the masters of one network namespace and listens in a directory named by that namespace's
 * inode. Its slaves may live anywhere; so who looks for a slave asks every daemon.
 */
import { readdirSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import type {
  ChangeLink,
  ChangePort,
  ControlError,
  CreateLink,
  LinkChanged,
  LinkInfo,
  PortInfo,
} from "../daemon/control.ts";
import { daemonDirectory, runDirectory, socketIn } from "../daemon/run-directory.ts";

/** What a device is to a port. */
export type Role = "slave" | "master";

/** The daemon understood and said no. */
export class ControlFailure extends Error {
  override readonly name = "ControlFailure";
  readonly code: string;
  readonly extack: string | undefined;

  constructor(error: ControlError) {
    super(error.message);
    this.code = error.code;
    this.extack = error.extack;
  }
}

/** Nobody listens, or we may not talk to who does. */
export class NoDaemonError extends Error {
  override readonly name = "NoDaemonError";
  readonly isForbidden: boolean;

  constructor({ message, code = "" }: NodeJS.ErrnoException) {
    super(message);
    this.isForbidden = FORBIDDEN.has(code);
  }
}

const ANSWER_TIMEOUT_MS = 30_000;
const FORBIDDEN = new Set(["EACCES", "EPERM"]);
/** Nobody listens, or who listened is just dying. */
const ABSENT = ["ENOENT", "ENOTDIR", "ECONNREFUSED", "ECONNRESET", "EPIPE"];
const UNREACHABLE = new Set([...ABSENT, ...FORBIDDEN]);

export class Client {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  createLink(link: CreateLink): Promise<LinkChanged> {
    return this.#ask("POST", "/v1/links", link);
  }

  changeLink(link: ChangeLink): Promise<LinkChanged> {
    return this.#ask("PATCH", "/v1/links", link);
  }

  deleteLink(netns: string, name: string): Promise<void> {
    return this.#ask("DELETE", "/v1/links", { netns, name });
  }

  /** The slave that was made for somebody, wherever it is. */
  deleteLabelled(label: string): Promise<void> {
    return this.#ask("DELETE", "/v1/links", { label });
  }

  /** All slaves that the daemon knows, seen from a namespace. */
  async links(netns: string): Promise<LinkInfo[]> {
    const path = `/v1/links?netns=${encodeURIComponent(netns)}`;
    return (await this.#ask<{ links: LinkInfo[] }>("GET", path)).links;
  }

  async ports(netns: string): Promise<PortInfo[]> {
    const path = `/v1/ports?netns=${encodeURIComponent(netns)}`;
    return (await this.#ask<{ ports: PortInfo[] }>("GET", path)).ports;
  }

  async changePort(change: ChangePort): Promise<void> {
    await this.#ask("PATCH", "/v1/ports", change);
  }

  /** Resolves when the daemon has ended, and the connection with it. */
  async stop(remove: boolean): Promise<void> {
    const { createConnection } = await import("node:net");
    const connections: Socket[] = [];
    await this.#ask("POST", "/v1/stop", { remove }, () => {
      const connection = createConnection(this.#socketPath);
      connections.push(connection);
      return connection;
    });
    for (const connection of connections) await isClosed(connection.resume());
  }

  /** `connect`: makes a connection that is kept; without, there is one for the request alone. */
  async #ask<Answer>(
    method: string,
    path: string,
    body?: object,
    connect?: () => Socket,
  ): Promise<Answer> {
    const { request } = await import("node:http"); // most lines are asked where there is no daemon
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      ...(body !== undefined && jsonHeaders(text)),
      connection: connect === undefined ? "close" : "keep-alive",
    };
    const socketPath = this.#socketPath;
    const way =
      connect === undefined ? { socketPath, agent: false } : { createConnection: connect };
    return new Promise((resolve, reject) => {
      const asked = request({ method, path, headers, ...way });
      asked.setTimeout(ANSWER_TIMEOUT_MS, () => asked.destroy(new Error("it does not answer")));
      asked.on("error", (error) => reject(asReachable(error)));
      asked.on("response", (response) => readAnswer<Answer>(response).then(resolve, reject));
      asked.end(text);
    });
  }
}

const isClosed = (connection: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (connection.closed) resolve();
    else connection.once("close", () => resolve());
  });

const jsonHeaders = (text: string): Record<string, string | number> => ({
  "content-type": "application/json",
  "content-length": Buffer.byteLength(text),
});

function asReachable(error: NodeJS.ErrnoException): Error {
  return UNREACHABLE.has(error.code ?? "") ? new NoDaemonError(error) : error;
}

async function readAnswer<Answer>(response: IncomingMessage): Promise<Answer> {
  response.setEncoding("utf8");
  let text = "";
  for await (const piece of response) text += piece;
  const status = response.statusCode ?? 0;
  const answer = text === "" ? {} : JSON.parse(text);
  if (status < 300) return answer as Answer;
  const { error } = answer as { error?: ControlError };
  if (typeof error?.code === "string") throw new ControlFailure(error);
  throw new Error(`it answered ${status}`);
}

export const clientIn = (directory: string): Client => new Client(socketIn(directory));

export const clientOf = (netns: string): Client => clientIn(daemonDirectory(netns));

/** A slave, and the daemon it belongs to. */
export interface Home {
  readonly client: Client;
  readonly link: LinkInfo;
}

/** What all daemons know of slaves, seen from one namespace: asked when it is needed, and kept until it is forgotten. */
export class Daemons {
  readonly netns: string;
  #homes: Promise<readonly Home[]> | undefined;
  readonly #answered: Set<string> = new Set();
  #isForbidden = false;

  constructor(netns: string) {
    this.netns = netns;
  }

  /** All slaves, wherever they live. */
  homes(): Promise<readonly Home[]> {
    this.#homes ??= this.#ask();
    return this.#homes;
  }

  /** The slave of that name that lives here, wherever its master is. */
  async find(name: string): Promise<Home | undefined> {
    return (await this.homes()).find(({ link }) => link.here && link.name === name);
  }

  /** A slave whose master is the device of that name here. */
  async findOnMaster(name: string): Promise<Home | undefined> {
    return (await this.homes()).find(({ link }) => link.masterHere && link.master === name);
  }

  /** What the device of that name here is to a port, if anything. */
  async roleOf(name: string): Promise<Role | undefined> {
    if ((await this.find(name)) !== undefined) return "slave";
    return (await this.findOnMaster(name)) === undefined ? undefined : "master";
  }

  /** The daemon of this namespace, if one serves it. */
  async own(): Promise<Client | undefined> {
    await this.homes();
    const directory = daemonDirectory(this.netns);
    return this.#answered.has(directory) ? clientIn(directory) : undefined;
  }

  /** Whether there is a daemon to ask. */
  async areThere(): Promise<boolean> {
    await this.homes();
    return this.#answered.size > 0;
  }

  /** Whether there may be a daemon that we must not ask, and so slaves that we do not know. */
  async isForbidden(): Promise<boolean> {
    await this.homes();
    return this.#isForbidden;
  }

  /** Somebody is about to give a slave an address. */
  async expectAddress(name: string, address: string): Promise<void> {
    const homes = await this.homes();
    const home = await this.find(name);
    if (home === undefined) return;
    const { addresses, room } = home.link;
    const link = { ...home.link, addresses: [...addresses, address], room: room - 1 };
    this.#homes = Promise.resolve(homes.map((one) => (one === home ? { ...home, link } : one)));
  }

  /** We have made a slave. */
  async learn(home: Home): Promise<void> {
    this.#homes = Promise.resolve([...(await this.homes()), home]);
  }

  /** We have deleted the slave of that name here. */
  async unlearn(name: string): Promise<void> {
    const gone = await this.find(name);
    this.#homes = Promise.resolve((await this.homes()).filter((home) => home !== gone));
  }

  /** Something has been changed, by us or by others. */
  forget(): void {
    this.#homes = undefined;
  }

  async #ask(): Promise<readonly Home[]> {
    this.#answered.clear();
    this.#isForbidden = false;
    const homes = await this.#unlessAbsent(async () => {
      const directories = readdirSync(runDirectory()).map((name) => join(runDirectory(), name));
      return (await Promise.all(directories.map((one) => this.#askIn(one)))).flat();
    });
    return homes ?? [];
  }

  async #askIn(directory: string): Promise<readonly Home[]> {
    const client = clientIn(directory);
    const links = await this.#unlessAbsent(() => client.links(this.netns));
    if (links !== undefined) this.#answered.add(directory);
    return (links ?? []).map((link) => ({ client, link })); // a daemon that is gone leaves its directory
  }

  async #unlessAbsent<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    try {
      return await ask();
    } catch (error) {
      const absence = asReachable(error as Error);
      if (!(absence instanceof NoDaemonError)) throw error;
      this.#isForbidden ||= absence.isForbidden;
      return undefined;
    }
  }
}

/** None: there was no daemon to ask. */
export async function withDaemon<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NoDaemonError) return undefined;
    throw error;
  }
}
