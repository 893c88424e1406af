/**
 * A recording of what some ipvlan driver did, in the form of `test/kernel/verdicts.json`: a topology, and
 * cases that each send one frame (or one datagram) and tell every place where it came out. Read with care,
 * since files come from elsewhere; what the topology means for a driver is `lab.ts`.
 */
import { readFileSync } from "node:fs";
import { type Flag, flags, type Mode, modes } from "../../src/driver/settings.ts";
import {
  type Ip,
  type Mac,
  type Prefix,
  parseIp,
  parseMac,
  parsePrefix,
} from "../../src/wire/address.ts";

const MODES = Object.keys(modes) as Mode[];
const FLAGS = Object.keys(flags) as Flag[];

/** How a frame that was seen relates to the one that was sent; `other`: an answer, or what a stack made of it. */
const RELATIONS = ["identical", "same-behind-mac", "untagged", "other"] as const;
export type Relation = (typeof RELATIONS)[number];

export interface Sighting {
  readonly bytes: Uint8Array;
  readonly relation: Relation;
}

/** What a UDP socket sends, to the topology's port. */
export interface Datagram {
  readonly dst: Ip;
  readonly payload: Uint8Array;
}

export interface Case {
  readonly id: string;
  readonly description: string;
  readonly mode: Mode;
  readonly flag: Flag;
  /** The device a packet socket injects on, or `sock:` and the namespace whose stack sends a datagram. */
  readonly from: string;
  /** undefined: a datagram is sent. */
  readonly frame: Uint8Array | undefined;
  readonly datagram: Datagram | undefined;
  /** The protocol the packet socket names, where it does not name the frame's. */
  readonly protocol: number | undefined;
  /** By place. */
  readonly frames: ReadonlyMap<string, readonly Sighting[]>;
  /** Payloads that UDP sockets got, in hexadecimal, by namespace. */
  readonly datagrams: ReadonlyMap<string, readonly string[]>;
  /** What the sender's `send` got. */
  readonly error: string | undefined;
}

export interface Device {
  readonly namespace: string;
  readonly name: string;
  /** Slaves have none of their own. */
  readonly mac: Mac | undefined;
  readonly addresses: readonly Prefix[];
  /** Multicast groups that somebody in the namespace joined on it. */
  readonly groups: readonly Ip[];
}

export interface Topology {
  readonly devices: readonly Device[];
  readonly udpPort: number;
}

export interface Recording {
  readonly topology: Topology;
  readonly cases: readonly Case[];
}

/** The file is not a recording: where in it, and what was expected there. */
export class RecordingError extends Error {}

export function readRecording(file: string): Recording {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new RecordingError(`${file}: ${(error as Error).message}`);
  }
  try {
    return parseRecording(json);
  } catch (error) {
    if (error instanceof RecordingError) error.message = `${file}: ${error.message}`;
    throw error;
  }
}

export function parseRecording(json: unknown): Recording {
  const root = object(json, "the file");
  const topology = parseTopology(object(object(root.meta, "meta").topology, "meta.topology"));
  const cases = array(root.cases, "cases").map((c, i) => parseCase(object(c, `cases[${i}]`), i));
  return { topology, cases };
}

function parseTopology(json: Fields): Topology {
  const namespaces = Object.entries(json).filter(([, inside]) => typeof inside === "object");
  const devices = namespaces.flatMap(([namespace, inside]) =>
    Object.entries(object(inside, `meta.topology.${namespace}`)).map(([name, device]) =>
      parseDevice(namespace, name, object(device, `meta.topology.${namespace}.${name}`)),
    ),
  );
  return { devices, udpPort: integer(json.udp_port, "meta.topology.udp_port") };
}

function parseDevice(namespace: string, name: string, json: Fields): Device {
  const where = `meta.topology.${namespace}.${name}`;
  return {
    namespace,
    name,
    mac: optional(json.mac, `${where}.mac`, mac),
    addresses: listOf(json.addresses, `${where}.addresses`, prefix),
    groups: listOf(json.groups, `${where}.groups`, ip),
  };
}

function parseCase(json: Fields, i: number): Case {
  const id = text(json.id, `cases[${i}].id`);
  const seen = object(json.seen ?? {}, `${id}: seen`);
  const how = object(json.how ?? {}, `${id}: how`);
  const parsed: Case = {
    id,
    description: optional(json.description, `${id}: description`, text) ?? "",
    mode: oneOf(MODES, json.mode, `${id}: mode`),
    flag: oneOf(FLAGS, json.flag, `${id}: flag`),
    from: text(json.from, `${id}: from`),
    frame: optional(json.frame, `${id}: frame`, hex),
    datagram: optional(json.socket, `${id}: socket`, parseSent),
    protocol: optional(json.sll_protocol, `${id}: sll_protocol`, integer),
    frames: parseFrames(seen, how, id),
    datagrams: parseDatagrams(seen, id),
    error: optional(json.error, `${id}: error`, text),
  };
  const told = parsed.from.startsWith(SOCKET) ? parsed.datagram : parsed.frame;
  if (told === undefined)
    throw new RecordingError(`${id}: it does not say what ${parsed.from} sends`);
  return parsed;
}

/** Before the namespace's name in `from`. */
export const SOCKET = "sock:";
/** Behind the namespace's name in `seen`. */
const DATAGRAMS = ".udp";

function parseSent(json: unknown, where: string): Datagram {
  const { dst, payload } = object(json, where);
  return { dst: ip(dst, `${where}.dst`), payload: hex(payload, `${where}.payload`) };
}

function parseFrames(seen: Fields, how: Fields, id: string): Map<string, Sighting[]> {
  const places = Object.keys(seen).filter((place) => !place.endsWith(DATAGRAMS));
  return new Map(
    places.map((place) => {
      const relations = array(how[place], `${id}: how.${place}`);
      const sightings = array(seen[place], `${id}: seen.${place}`).map((bytes, i) => ({
        bytes: hex(bytes, `${id}: seen.${place}[${i}]`),
        relation: parseRelation(relations[i], `${id}: how.${place}[${i}]`),
      }));
      return [place, sightings];
    }),
  );
}

const parseRelation = (json: unknown, where: string): Relation =>
  oneOf(RELATIONS, object(json, where).rel, `${where}.rel`);

function parseDatagrams(seen: Fields, id: string): Map<string, string[]> {
  const places = Object.keys(seen).filter((place) => place.endsWith(DATAGRAMS));
  return new Map(
    places.map((place) => {
      const where = `${id}: seen.${place}`;
      const got = array(seen[place], where).map((json, i) =>
        text(object(json, `${where}[${i}]`).payload, `${where}[${i}].payload`),
      );
      return [place.slice(0, -DATAGRAMS.length), got];
    }),
  );
}

type Fields = Readonly<Record<string, unknown>>;
type Parser<T> = (json: unknown, where: string) => T;

const expected = (what: string, where: string): RecordingError =>
  new RecordingError(`${where}: expected ${what}`);

const optional = <T>(json: unknown, where: string, parse: Parser<T>): T | undefined =>
  json === undefined || json === null ? undefined : parse(json, where);

function object(json: unknown, where: string): Fields {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw expected("an object", where);
  return json as Fields;
}

function array(json: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(json)) throw expected("a list", where);
  return json;
}

function text(json: unknown, where: string): string {
  if (typeof json !== "string") throw expected("a string", where);
  return json;
}

const listOf = <T>(json: unknown, where: string, parse: Parser<T>): T[] =>
  array(json ?? [], where).map((one, i) => parse(one, `${where}[${i}]`));

/** A parser of what a parser of text understands. */
const written =
  <T>(parse: (text: string) => T | undefined, what: string): Parser<T> =>
  (json, where) => {
    const value = parse(text(json, where));
    if (value === undefined) throw expected(what, where);
    return value;
  };
const ip = written(parseIp, "an IP address");
const prefix = written(parsePrefix, "an IP address and prefix length");
const mac = written(parseMac, "a MAC");

function integer(json: unknown, where: string): number {
  if (!Number.isInteger(json)) throw expected("a whole number", where);
  return json as number;
}

function hex(json: unknown, where: string): Uint8Array {
  const digits = text(json, where);
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw expected("hexadecimal bytes", where);
  return new Uint8Array(Buffer.from(digits, "hex"));
}

function oneOf<T extends string>(allowed: readonly T[], json: unknown, where: string): T {
  const found = allowed.find((word) => word === json);
  if (found === undefined) throw expected(allowed.join(", "), where);
  return found;
}
