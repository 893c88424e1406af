/**
 * What the command and the daemon say to each other: JSON over HTTP on a unix socket, version 1. Types only:
 * `cli/client.ts` asks, `api.ts` answers, and `schemas.ts` says the same to who is not written in TypeScript.
 */

import type { Compat, Flag, Mode } from "../driver/settings.ts";
import type { EngineChoice } from "../engine/engine.ts";

/** One slave. "Here" is the network namespace named in the request. */
export interface LinkInfo {
  readonly name: string;
  readonly ifindex: number;
  readonly netns?: string;
  readonly here: boolean;
  readonly master: string;
  readonly masterIfindex: number;
  readonly masterHere: boolean;
  readonly masterUp: boolean;
  readonly mode: Mode;
  readonly flag: Flag;
  readonly deviceId: number;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly addresses: readonly string[];
  /** How many more it may have: what the port or the slave has room for. */
  readonly room: number;
  /** For whom it was made, if that was said. */
  readonly label?: string;
  /** How often an address was not taken, because the slave or the port has too many; absent: never. */
  readonly refused?: number;
  readonly statistics: Readonly<Record<string, number>>;
}

/** An address that the master or another slave holds too. */
export interface Conflict {
  readonly address: string;
  readonly holder: string;
  readonly claimants: readonly string[];
}

/** A master with its slaves. */
export interface PortInfo {
  readonly master: string;
  readonly ifindex: number;
  readonly mode: Mode;
  readonly flag: Flag;
  readonly compat: Compat;
  /** What moves the frames, and why it does. */
  readonly engine: string;
  readonly engineReason: string;
  /** How frames for slaves are kept from the master's own stack: "tc", "nftables", "routes"; "l3s": it hands them on. */
  readonly consumption: string;
  /** How slaves' frames for the master's own stack get there: "tc", "raw sockets". */
  readonly wayUp: string;
  readonly slaves: readonly LinkInfo[];
  readonly conflicts: readonly Conflict[];
  readonly drops: Readonly<Record<string, number>>;
}

/** POST /v1/links. `netns` and `target` are paths that open to a network namespace. */
export interface CreateLink {
  readonly netns: string;
  readonly master: string;
  readonly name: string;
  readonly mode?: Mode;
  readonly flag?: Flag;
  readonly target?: string;
  readonly up?: boolean;
  readonly mtu?: number;
  /** For whom it is made: 1 to 200 visible ASCII characters. At most one slave of a daemon has it. */
  readonly label?: string;
  /** What moves the frames of a new port; EBUSY if the port is there and has another. */
  readonly engine?: EngineChoice;
  /** EBUSY rather than to change the ways of a port that has slaves. */
  readonly keep?: boolean;
}

/** PATCH /v1/links. */
export interface ChangeLink {
  readonly netns: string;
  readonly name: string;
  readonly mode?: Mode;
  readonly flag?: Flag;
}

/** DELETE /v1/links. */
export interface RemoveLink {
  readonly netns: string;
  readonly name: string;
}

/** DELETE /v1/links, too: the slave that was made for somebody, wherever it is. */
export interface RemoveLabelled {
  readonly label: string;
}

/** Answer to the first two: the slave, and the other slaves of the port whose mode or flag changed with it. */
export interface LinkChanged {
  readonly link: LinkInfo;
  readonly touched: readonly string[];
}

/** GET /v1/links and /v1/ports. */
export interface Here {
  readonly netns: string;
}

export interface Links {
  readonly links: readonly LinkInfo[];
}

export interface Ports {
  readonly ports: readonly PortInfo[];
}

/** PATCH /v1/ports. */
export interface ChangePort {
  readonly netns: string;
  readonly master: string;
  readonly compat?: Compat;
  readonly engine?: EngineChoice;
}

export interface PortChanged {
  readonly port: PortInfo;
}

/** POST /v1/stop. `remove`: the slaves go too. */
export interface Stop {
  readonly remove?: boolean;
}

/** Body of every answer that is not 2xx. */
export interface Refusal {
  readonly error: ControlError;
}

export interface ControlError {
  readonly code: string;
  readonly errno: number;
  readonly message: string;
  readonly extack?: string;
}
