/**
 * What the driver knows of dockerd's networks and endpoints. dockerd tells of each once, so it is kept in a file, which
 * is written before dockerd hears that something is done: whoever is killed in between is told the same again.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { type Flag, flags, type Mode, modes } from "../driver/settings.ts";

export interface Network {
  readonly id: string;
  /** Name of the master. */
  readonly parent: string;
  /** The master is a device that was made for the network, and goes with the last one on it. */
  readonly isParentOurs: boolean;
  readonly mode: Mode;
  readonly flag: Flag;
  readonly mtu?: number;
  /** No way out: containers get no default route. */
  readonly isInternal: boolean;
  readonly subnets: readonly Subnet[];
  /** dockerd has listed it, so when it does so no longer it is gone. */
  readonly isListed: boolean;
}

/** Both with prefix length. */
export interface Subnet {
  readonly pool: string;
  readonly gateway?: string;
}

export interface Endpoint {
  readonly id: string;
  readonly networkId: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** Join was asked for, so there may be a slave. */
  readonly isJoined: boolean;
  /** When dockerd asked for something last: milliseconds since 1970. */
  readonly askedMs: number;
}

export interface Known {
  readonly networks: readonly Network[];
  readonly endpoints: readonly Endpoint[];
}

const NOTHING: Known = { networks: [], endpoints: [] };

export class State {
  readonly #file: string;
  #known: Known;

  constructor(file: string) {
    this.#file = file;
    this.#known = read(file);
  }

  get networks(): readonly Network[] {
    return this.#known.networks;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#known.endpoints;
  }

  findNetwork(id: string): Network | undefined {
    return this.networks.find((one) => one.id === id);
  }

  findEndpoint(id: string): Endpoint | undefined {
    return this.endpoints.find((one) => one.id === id);
  }

  putNetwork(network: Network): void {
    this.#write({ ...this.#known, networks: [...without(this.networks, network.id), network] });
  }

  putEndpoint(endpoint: Endpoint): void {
    this.#write({ ...this.#known, endpoints: [...without(this.endpoints, endpoint.id), endpoint] });
  }

  dropNetwork(id: string): void {
    this.#write({ ...this.#known, networks: without(this.networks, id) });
  }

  dropEndpoint(id: string): void {
    this.#write({ ...this.#known, endpoints: without(this.endpoints, id) });
  }

  #write(known: Known): void {
    try {
      if (known.networks.length + known.endpoints.length === 0) removeFile(this.#file);
      else replaceFile(this.#file, JSON.stringify(known));
    } catch (cause) {
      throw new Error(`${this.#file} cannot be written: ${(cause as Error).message}`, { cause });
    }
    this.#known = known;
  }
}

const without = <T extends { readonly id: string }>(all: readonly T[], id: string): T[] =>
  all.filter((one) => one.id !== id);

function read(file: string): Known {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return NOTHING;
    throw new Error(`${file} cannot be read: ${message}`, { cause: error });
  }
  const known = parse(text);
  if (known !== undefined) return known;
  throw new Error(
    `${file} is not as it was written: remove it, and the networks of ipvl with docker network rm`,
  );
}

function parse(text: string): Known | undefined {
  try {
    const { networks, endpoints } = JSON.parse(text) as Known;
    return networks.every(isNetwork) && endpoints.every(isEndpoint)
      ? { networks, endpoints }
      : undefined;
  } catch {
    return undefined; // no JSON, or no lists of objects
  }
}

/** Of what would be missed later. */
const isNetwork = ({ id, parent, mode, flag, subnets }: Network): boolean =>
  areStrings([id, parent, ...subnets.map(({ pool }) => pool)]) &&
  Object.hasOwn(modes, mode) &&
  Object.hasOwn(flags, flag);
const isEndpoint = ({ id, networkId, addresses, askedMs }: Endpoint): boolean =>
  areStrings([id, networkId, ...addresses]) && typeof askedMs === "number";
const areStrings = (all: readonly unknown[]): boolean =>
  all.every((one) => typeof one === "string");

/** All or nothing, whenever we are killed. */
function replaceFile(file: string, text: string): void {
  const draft = `${file}.new`;
  try {
    makeFolders(file);
    synced(draft, "w", (fd) => writeFileSync(fd, text));
    renameSync(draft, file);
  } catch (error) {
    try {
      unlinkSync(draft);
    } catch {} // it has not come to that
    removeFolders(file);
    throw error;
  }
  syncFolder(dirname(file));
}

/** Nothing is left where nothing is known. */
function removeFile(file: string): void {
  rmSync(`${file}.new`, { force: true });
  rmSync(file, { force: true });
  syncFolder(dirname(file));
  removeFolders(file);
}

/** The file's own and the one above it, which are ours. */
const foldersOf = (file: string): string[] => [dirname(file), dirname(dirname(file))];

/** Not at once: mkdir's `recursive` takes a read-only file system for ENOENT. */
function makeFolders(file: string): void {
  for (const folder of foldersOf(file).reverse())
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
}

function removeFolders(file: string): void {
  for (const folder of foldersOf(file))
    try {
      rmdirSync(folder);
    } catch {
      return; // not there, or somebody else's files are in it
    }
}

/** What has changed in it is in place whether this succeeds or not: only a power cut could undo it. */
function syncFolder(folder: string): void {
  try {
    synced(folder, "r", () => {});
  } catch {}
}

/** Until it is on the disk. */
function synced(path: string, flags: "r" | "w", write: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o600);
  try {
    write(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
