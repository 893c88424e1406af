/** `ip address`, `ip route` and `ip neighbour` of the simulated host. */
import { formatIp, formatMac, formatPrefix, type Ip, type Prefix } from "../../wire/address.ts";
import { explained, incomplete, refused } from "../../words/errors.ts";
import { matches, type Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import type { Route } from "../routes.ts";
import { findIn, getIp, getPrefix, isOf, unknown } from "./common.ts";
import type { World } from "./world.ts";

/** What one object may ask. `family`: of -4 or -6. */
type Verb = (netns: Namespace, words: Words, family: string | undefined, world: World) => string;

export const address: Verb = (netns, words, family, world) => {
  const verb = words.next() ?? "show";
  if (matches(verb, "add")) return addAddress(netns, words, family, world);
  if (matches(verb, "delete")) return deleteAddress(netns, words, family);
  if (isShow(verb)) return showAddresses(netns, words, family);
  throw unknown(verb, "addr", "add, delete, show");
};

export const route: Verb = (netns, words, family) => {
  const verb = words.next() ?? "show";
  if (matches(verb, "add")) return addRoute(netns, words, family);
  if (matches(verb, "delete")) return deleteRoute(netns, words, family);
  if (isShow(verb)) return showRoutes(netns, family);
  throw unknown(verb, "route", "add, delete, show");
};

export const neighbour: Verb = (netns, words, family) => {
  const verb = words.next() ?? "show";
  if (!isShow(verb)) throw unknown(verb, "neigh", "show");
  return netns.devices
    .flatMap((device) =>
      ([4, 16] as const).flatMap((width) =>
        netns
          .neighboursOf(device, width)
          .list()
          .filter(({ ip }) => isOf(ip, family))
          .map(({ ip, mac, state }) => {
            const known = mac === undefined ? "" : ` lladdr ${formatMac(mac)}`;
            return `${formatIp(ip)} dev ${device.name}${known} ${state.toUpperCase()}\n`;
          }),
      ),
    )
    .join("");
};

const isShow = (verb: string): boolean =>
  matches(verb, "show") || verb === "list" || verb === "ls" || verb === "lst";

interface AddressWords {
  readonly prefix: Prefix;
  readonly device: Device;
  readonly isProbed: boolean;
}

function readAddress(netns: Namespace, words: Words, family: string | undefined): AddressWords {
  let prefix: Prefix | undefined;
  let device: Device | undefined;
  let isProbed = true;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "dev") device = findIn(netns, words.value());
    else if (word === "nodad") isProbed = false;
    else if (word === "brd" || word === "broadcast" || word === "scope") words.value();
    else prefix = getPrefix(word === "local" ? words.value() : word, family);
  }
  if (prefix === undefined || device === undefined) throw incomplete();
  return { prefix, device, isProbed };
}

function addAddress(
  netns: Namespace,
  words: Words,
  family: string | undefined,
  world: World,
): string {
  const { prefix, device, isProbed } = readAddress(netns, words, family);
  const port = world.portOfSlave(device)?.port;
  const holder = port?.addresses.holder(prefix.ip) ?? 0;
  if (holder !== 0 && holder !== device.deviceId)
    throw explained("Address already assigned to an ipvlan device");
  if (!netns.addAddress(device, prefix, isProbed)) throw refused("File exists");
  return "";
}

function deleteAddress(netns: Namespace, words: Words, family: string | undefined): string {
  const { prefix, device } = readAddress(netns, words, family);
  const found = netns.addressesOf(device).find(({ ip }) => formatIp(ip) === formatIp(prefix.ip));
  if (found === undefined) throw refused("Cannot assign requested address");
  netns.removeAddress(found);
  return "";
}

function showAddresses(netns: Namespace, words: Words, family: string | undefined): string {
  const names = words.rest().filter((word) => word !== "dev" && word !== "show");
  const devices = names[0] === undefined ? netns.devices : [findIn(netns, names[0])];
  return devices
    .map((device) => {
      const lines = netns
        .addressesOf(device)
        .filter(({ ip }) => isOf(ip, family))
        .map((one) => {
          const kind = one.ip.length === 4 ? "inet" : "inet6";
          return `    ${kind} ${formatPrefix(one)}${one.isTentative ? " tentative" : ""}\n`;
        });
      return `${device.name}: ${device.isUp ? "UP" : "DOWN"}\n${lines.join("")}`;
    })
    .join("");
}

function readRoute(netns: Namespace, words: Words, family: string | undefined): Route {
  let to: Prefix | undefined;
  let via: Ip | undefined;
  let device: Device | undefined;
  let metric: number | undefined;
  let isDefault = false;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "via") via = getIp(words.value(), family);
    else if (word === "dev") device = findIn(netns, words.value());
    else if (word === "metric") metric = Number(words.value());
    else if (word === "default") isDefault = true;
    else to = getPrefix(word === "to" ? words.value() : word, family);
  }
  const width = via?.length ?? (family === "inet6" ? 16 : 4);
  if (isDefault) to = { ip: new Uint8Array(width), length: 0 };
  if (to === undefined) throw incomplete();
  device ??= via && netns.routes[width === 4 ? 4 : 16].find(via)?.device;
  if (device === undefined) throw explained("Nexthop has invalid gateway");
  return { to, device, ...(via !== undefined && { via }), ...(metric !== undefined && { metric }) };
}

function addRoute(netns: Namespace, words: Words, family: string | undefined): string {
  const route = readRoute(netns, words, family);
  const routes = netns.routes[widthOf(route.to.ip)];
  if (!route.device.isUp) throw refused("Network is down");
  if (route.via !== undefined && routes.find(route.via, route.device)?.via !== undefined)
    throw explained("Nexthop has invalid gateway");
  if (route.via !== undefined && routes.find(route.via, route.device) === undefined)
    throw explained("Nexthop has invalid gateway");
  if (!routes.add(route)) throw refused("File exists");
  return "";
}

function deleteRoute(netns: Namespace, words: Words, family: string | undefined): string {
  const { to, device } = readRoute(netns, words, family);
  const isGone = netns.routes[widthOf(to.ip)].remove(
    (one) =>
      one.device === device &&
      one.to.length === to.length &&
      formatIp(one.to.ip) === formatIp(to.ip),
  );
  if (!isGone) throw refused("No such process");
  return "";
}

function showRoutes(netns: Namespace, family: string | undefined): string {
  return netns.routes[family === "inet6" ? 16 : 4]
    .list()
    .map(({ to, device, via, metric }) => {
      const dst = to.length === 0 ? "default" : formatPrefix(network(to));
      const gateway = via === undefined ? "" : ` via ${formatIp(via)}`;
      return `${dst}${gateway} dev ${device.name}${metric === undefined ? "" : ` metric ${metric}`}\n`;
    })
    .join("");
}

/** The prefix of an address that is on a device. */
const network = ({ ip, length }: Prefix): Prefix => ({
  ip: ip.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff),
  length,
});

const widthOf = (ip: Ip): 4 | 16 => (ip.length === 4 ? 4 : 16);
