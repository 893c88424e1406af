/**
 * A whole command line: ours, or the system's. The object and the verb are resolved in iproute2's order, so that
 * `l` is link and `link s` is set.
 */
import { findDeviceWords } from "./device-words.ts";
import { type LinkAdd, parseLinkAdd } from "./link-add.ts";
import {
  type LinkDelete,
  type LinkSet,
  type LinkSetAddress,
  parseLinkDelete,
  parseLinkSet,
} from "./link-set.ts";
import { type LinkShow, parseLinkShow } from "./link-show.ts";
import { findOptions, type Options } from "./options.ts";
import {
  type DaemonRun,
  type DaemonStop,
  type PortSet,
  type PortShow,
  parseDaemon,
  parsePort,
  parseStatus,
} from "./port.ts";
import { matches } from "./words.ts";

export type Request =
  | LinkAdd
  | LinkSet
  | LinkSetAddress
  | LinkDelete
  | LinkShow
  | PortShow
  | PortSet
  | DaemonRun
  | DaemonStop;

export type Command =
  | { readonly to: "daemon"; readonly options: Options; readonly request: Request }
  | { readonly to: "system" }
  | { readonly to: "reader"; readonly text: "usage" | "version" };

const SYSTEM: Command = { to: "system" };

/** Under the name `ip` we have no help or version of our own: whoever asks wants iproute2's. */
export function parseCommand(line: readonly string[], calledAs: string): Command {
  const text = calledAs === "ip" ? undefined : findText(line);
  if (text !== undefined) return { to: "reader", text };
  const found = findOptions(line);
  if (found === undefined) return SYSTEM;
  const [options, words] = found;
  const request = findRequest(words);
  return request === undefined ? SYSTEM : { to: "daemon", options, request };
}

function findText([word]: readonly string[]): "usage" | "version" | undefined {
  if (word === undefined || word === "help" || word === "--help") return "usage";
  return word === "--version" ? "version" : undefined;
}

/** None: the line is the system's. */
function findRequest([object, ...words]: readonly string[]): Request | undefined {
  if (object === undefined) return undefined;
  if (matches(object, "link")) return findLinkRequest(words);
  if (object === "port") return parsePort(words);
  if (object === "status") return parseStatus(words);
  return object === "daemon" ? parseDaemon(words) : undefined;
}

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
  const [word, ...words] = line;
  const verb = word === undefined ? "show" : LINK_VERBS.find(([name]) => matches(word, name))?.[1];
  if (verb === undefined) return undefined;
  if (verb === "show") return parseLinkShow(line);
  const device = findDeviceWords(words);
  if (device === undefined) return undefined;
  if (verb === "set") return parseLinkSet(device);
  if (verb === "delete") return parseLinkDelete(device);
  return device.kind === "ipvlan" ? parseLinkAdd(device) : undefined;
}
