/** What the objects of `ip` have in common. */
import {
  type Ip,
  type Mac,
  type Prefix,
  parseIp,
  parseMac,
  parsePrefix,
} from "../../wire/address.ts";
import { noSuchDevice, STATUS_FAILED, STATUS_USAGE, UsageError } from "../../words/errors.ts";
import { matches, type Words } from "../../words/words.ts";
import type { Clock } from "../clock.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import type { World } from "./world.ts";

/** What one object may ask. `family`: of -4 or -6. */
export type Verb = (
  netns: Namespace,
  words: Words,
  family: string | undefined,
  world: World,
) => string;

/** Of a command that takes its time. */
export interface CommandContext {
  readonly netns: Namespace;
  readonly clock: Clock;
  readonly print: (text: string) => void;
}

export const isShow = (verb: string): boolean =>
  matches(verb, "show") || verb === "list" || verb === "ls" || verb === "lst";

export const widthOf = (ip: Ip): 4 | 16 => (ip.length === 4 ? 4 : 16);

/** The prefix of an address that is on a device. */
export const networkOf = ({ ip, length }: Prefix): Prefix => ({
  ip: ip.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff),
  length,
});

export function findIn(netns: Namespace, name: string): Device {
  const device = netns.findDevice(name);
  if (device === undefined) throw noSuchDevice(name);
  return device;
}

/** By its name, or the path that `ip netns` gives it. */
export function getNamespace(world: World, name: string): Namespace {
  const netns = world.namespaces.get(name.replace(/^\/(var\/)?run\/netns\//, ""));
  if (netns !== undefined) return netns;
  throw new UsageError(
    `Cannot open network namespace "${name}": No such file or directory`,
    STATUS_USAGE,
  );
}

/** An empty word is one that is missing. */
export const unknown = (
  word: string,
  where: string,
  allowed: string,
  status: number = STATUS_FAILED,
): UsageError =>
  new UsageError(
    `${where}: ${word === "" ? "the" : `"${word}"? The`} simulated host has ${allowed}`,
    status,
  );

/** iproute2: duparg2(). */
export const garbage = (keyword: string, word: string): UsageError =>
  new UsageError(
    `Error: either "${keyword}" is duplicate, or "${word}" is a garbage.`,
    STATUS_USAGE,
  );

/** Where one is to be shown. */
export function findShown(netns: Namespace, name: string): Device {
  const device = netns.findDevice(name);
  if (device !== undefined) return device;
  throw new UsageError(`Device "${name}" does not exist.`, STATUS_FAILED);
}

/** `family`: of -4 or -6. */
export function getPrefix(word: string, family: string | undefined): Prefix {
  const prefix = parsePrefix(word);
  if (prefix !== undefined && isOf(prefix.ip, family)) return prefix;
  throw new UsageError(
    `Error: ${family ?? "any valid"} prefix is expected rather than "${word}".`,
    STATUS_FAILED,
  );
}

export function getIp(word: string, family: string | undefined): Ip {
  const ip = parseIp(word);
  if (ip !== undefined && isOf(ip, family)) return ip;
  throw new UsageError(
    `Error: ${family ?? "any valid"} address is expected rather than "${word}".`,
    STATUS_FAILED,
  );
}

export function getMac(word: string): Mac {
  const mac = parseMac(word);
  if (mac === undefined) throw new UsageError(`"${word}" is invalid lladdr.`, STATUS_FAILED);
  return mac;
}

export const familyOf = (ip: Ip): "inet" | "inet6" => (ip.length === 4 ? "inet" : "inet6");

export const isOf = (ip: Ip, family: string | undefined): boolean =>
  family === undefined || family === familyOf(ip);

/** Seconds that one command may let pass. */
export const SLEEP_MAX = 86_400;

export function getNumber(word: string | undefined, where: string, max: number): number {
  const number = word === undefined || word === "" ? Number.NaN : Number(word);
  if (number > 0 && number <= max) return number;
  throw unknown(word ?? "", where, `numbers above 0, up to ${max}`);
}
