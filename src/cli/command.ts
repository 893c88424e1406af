/**
 * A whole command line: ours, or the system's. The object and the verb are resolved in iproute2's order, so that
 * `l` is link and `link s` is set.
 */

import { findDeviceWords } from "../words/device-words.ts";
import { type LinkAdd, parseLinkAdd } from "../words/link-add.ts";
import { findOptions, type Options } from "../words/options.ts";
import { matches } from "../words/words.ts";
import { type AddressAdd, findAddressAdd } from "./addr-add.ts";
import { type Install, parseInstall } from "./install-words.ts";
import { type LinkDelete, type LinkSet, parseLinkDelete, parseLinkSet } from "./link-set.ts";
import {
  type DaemonRun,
  type DaemonStop,
  type DockerRun,
  type PortSet,
  type PortShow,
  parseDaemon,
  parseDocker,
  parsePort,
  parseStatus,
} from "./port.ts";
import { parseShow, type Show } from "./show.ts";
import { parseSim, type Sim } from "./sim-words.ts";
import { findStackOn, type Stack } from "./stacking.ts";
import type { Text } from "./usage.ts";

export type Request =
  | LinkAdd
  | LinkSet
  | Stack
  | LinkDelete
  | AddressAdd
  | Show
  | Monitor
  | PortShow
  | PortSet
  | DaemonRun
  | DaemonStop
  | DockerRun
  | Install
  | Sim;

/** The system's `ip monitor`, told as `show` tells. */
export interface Monitor {
  readonly verb: "monitor";
  /** The object and what stands behind it. */
  readonly words: readonly string[];
}

export type Command =
  | { readonly to: "daemon"; readonly options: Options; readonly request: Request }
  | { readonly to: "batch"; readonly options: Options; readonly file: string }
  | { readonly to: "system" }
  | { readonly to: "reader"; readonly text: Text };

const SYSTEM: Command = { to: "system" };

/** Under the name `ip` we have no help or version of our own: whoever asks wants iproute2's. */
export function parseCommand(line: readonly string[], calledAs: string): Command {
  const text = calledAs === "ip" ? undefined : findText(line);
  if (text !== undefined) return { to: "reader", text };
  const found = findOptions(line);
  if (found === undefined) return SYSTEM;
  const [options, words] = found;
  if (options.batch !== undefined) return { to: "batch", options, file: options.batch };
  const alone = calledAs === "ip" ? undefined : findAlone(words);
  if (alone === undefined) return parseObject(words, options);
  return typeof alone === "string"
    ? { to: "reader", text: alone }
    : { to: "daemon", options, request: alone };
}

/** Not under the name `ip`, nor in a batch: no script that is written for `ip` means them. */
function findAlone([verb, ...words]: readonly string[]):
  | Install
  | Sim
  | "install"
  | "sim"
  | undefined {
  if (verb === "sim") return isHelp(words.at(-1)) ? "sim" : parseSim(words);
  if (verb !== "install" && verb !== "uninstall") return undefined;
  return isHelp(words.at(-1)) ? "install" : parseInstall(verb, words);
}

/** What is left when the options are read: a line of a batch is no more than that. */
export function parseObject(words: readonly string[], options: Options): Command {
  const help = findHelp(words);
  if (help !== undefined) return { to: "reader", text: help };
  const request = findRequest(words, options);
  return request === undefined ? SYSTEM : { to: "daemon", options, request };
}

const isHelp = (word: string | undefined): boolean => word === "help" || word === "--help";

function findText([word]: readonly string[]): Text | undefined {
  if (word === undefined || isHelp(word)) return "all";
  return word === "--version" ? "version" : undefined;
}

const OURS = ["port", "status", "daemon", "docker"] as const;
const isOurs = (object: string): object is (typeof OURS)[number] =>
  OURS.some((one) => one === object);

/** Help about our own objects and their verbs, the last word of the line. */
function findHelp([object, ...words]: readonly string[]): Text | undefined {
  if (object === undefined || !isOurs(object)) return undefined;
  if (!isHelp(words.at(-1))) return undefined;
  return object === "port" && words.length > 1 && words[0] === "set" ? "port set" : object;
}

/** None: the line is the system's. */
function findRequest(line: readonly string[], options: Options): Request | undefined {
  const [object, ...words] = line;
  if (object === undefined) return undefined;
  if (matches(object, "address")) return findAddressRequest(line, options);
  if (matches(object, "link")) return findLinkRequest(line);
  if (isMonitor(object) && !options.json) return { verb: "monitor", words: line };
  if (object === "port") return parsePort(words);
  if (object === "status") return parseStatus(words);
  if (object === "docker") return parseDocker(words);
  return object === "daemon" ? parseDaemon(words) : undefined;
}

/** `m` alone is maddress. */
const isMonitor = (object: string): boolean => object !== "m" && matches(object, "monitor");

type AddressVerb = "add" | "show" | "other";

/** iproute2: do_ipaddr(). */
const ADDRESS_VERBS: readonly (readonly [string, AddressVerb])[] = [
  ["add", "add"],
  ["change", "add"],
  ["replace", "add"],
  ["delete", "other"],
  ["show", "show"],
  ["lst", "show"],
  ["list", "show"],
];

function findAddressRequest(
  line: readonly string[],
  { family }: Options,
): AddressAdd | Show | undefined {
  const [, word, ...words] = line;
  if (word === undefined) return parseShow(line);
  const verb = word === "chg" ? "add" : findVerb(ADDRESS_VERBS, word);
  if (verb === "show") return parseShow(line);
  return verb === "add" ? findAddressAdd(words, family) : undefined;
}

const findVerb = <Verb>(
  verbs: readonly (readonly [string, Verb])[],
  word: string,
): Verb | undefined => verbs.find(([name]) => matches(word, name))?.[1];

type LinkVerb = "add" | "set" | "delete" | "show";

/** iproute2: do_iplink(). */
const LINK_VERBS: readonly (readonly [string, LinkVerb])[] = [
  ["add", "add"],
  ["set", "set"],
  ["change", "set"],
  ["delete", "delete"],
  ["show", "show"],
  ["lst", "show"],
  ["list", "show"],
];

function findLinkRequest(line: readonly string[]): Request | undefined {
  const [, word, ...words] = line;
  const verb = word === undefined ? "show" : findVerb(LINK_VERBS, word);
  if (verb === undefined) return undefined;
  if (verb === "show") return parseShow(line);
  const device = findDeviceWords(words);
  if (device === undefined) return undefined;
  if (verb === "set") return parseLinkSet(device);
  if (verb === "delete") return parseLinkDelete(device);
  return device.kind === "ipvlan" ? parseLinkAdd(device) : findStackOn(device);
}
