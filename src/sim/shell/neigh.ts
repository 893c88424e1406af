/** `ip neigh` of the simulated host. */
import { formatIp, formatMac, type Ip, type Mac } from "../../wire/address.ts";
import { incomplete, refused, STATUS_USAGE, UsageError } from "../../words/errors.ts";
import { matches, type Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import type { Neighbour, NeighbourState } from "../neighbours.ts";
import { findIn, getIp, getMac, isOf, isShow, unknown, type Verb, widthOf } from "./common.ts";

const STATES = ["permanent", "reachable", "stale"] as const;

export const neighbour: Verb = (netns, words, family) => {
  const verb = words.next() ?? "show";
  if (isShow(verb)) return show(netns, words, family);
  if (matches(verb, "add")) return add(netns, words, family, false);
  if (matches(verb, "replace") || matches(verb, "change")) return add(netns, words, family, true);
  if (matches(verb, "delete")) return remove(netns, words, family);
  if (matches(verb, "flush")) return flush(netns, words, family);
  throw unknown(verb, "neigh", "show, add, replace, delete, flush");
};

interface Said {
  readonly ip: Ip | undefined;
  readonly device: Device | undefined;
  readonly mac: Mac | undefined;
  readonly state: NeighbourState;
}

function read(netns: Namespace, words: Words, family: string | undefined): Said {
  let ip: Ip | undefined;
  let device: Device | undefined;
  let mac: Mac | undefined;
  let state: NeighbourState = "permanent";
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "dev") device = findIn(netns, words.value());
    else if (word === "lladdr") mac = getMac(words.value());
    else if (word === "nud") state = getState(words.value());
    else ip = getIp(word === "to" ? words.value() : word, family);
  }
  return { ip, device, mac, state };
}

function getState(word: string): NeighbourState {
  const state = STATES.find((one) => one === word);
  if (state === undefined) throw unknown(word, "nud", STATES.join(", "));
  return state;
}

function add(
  netns: Namespace,
  words: Words,
  family: string | undefined,
  mayBeThere: boolean,
): string {
  const { ip, device, mac, state } = read(netns, words, family);
  if (ip === undefined || device === undefined || mac === undefined) throw incomplete();
  const neighbours = netns.neighboursOf(device, widthOf(ip));
  if (neighbours.find(ip) !== undefined && !mayBeThere) throw refused("File exists");
  if (!neighbours.set(ip, mac, state)) throw refused("No buffer space available");
  return "";
}

function remove(netns: Namespace, words: Words, family: string | undefined): string {
  const { ip, device } = read(netns, words, family);
  if (ip === undefined || device === undefined) throw incomplete();
  if (!netns.neighboursOf(device, widthOf(ip)).remove(ip))
    throw refused("No such file or directory");
  return "";
}

/** `ip neigh flush { dev NAME | all }`: but the permanent ones. */
function flush(netns: Namespace, words: Words, family: string | undefined): string {
  const [word, name] = words.rest();
  if (word === undefined)
    throw new UsageError('Flush requires arguments. "all" or "dev NAME"', STATUS_USAGE);
  if (word !== "all" && word !== "dev") throw unknown(word, "neigh flush", "all, dev NAME");
  if (word === "dev" && name === undefined) throw incomplete();
  const devices = word === "all" ? netns.devices : [findIn(netns, name!)];
  for (const device of devices)
    for (const width of [4, 16] as const)
      if (isOf(new Uint8Array(width), family)) netns.neighboursOf(device, width).flush();
  return "";
}

function show(netns: Namespace, words: Words, family: string | undefined): string {
  const [name] = words.rest().filter((word) => word !== "dev" && word !== "show");
  const devices = name === undefined ? netns.devices : [findIn(netns, name)];
  return devices
    .flatMap((device) =>
      ([4, 16] as const).flatMap((width) =>
        netns
          .neighboursOf(device, width)
          .list()
          .filter(({ ip }) => isOf(ip, family))
          .map((one) => format(device, one)),
      ),
    )
    .join("");
}

function format(device: Device, { ip, mac, state }: Neighbour): string {
  const known = mac === undefined ? "" : ` lladdr ${formatMac(mac)}`;
  return `${formatIp(ip)} dev ${device.name}${known} ${state.toUpperCase()}\n`;
}
