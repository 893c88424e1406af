/** `ip route` of the simulated host. */
import { formatIp, formatPrefix, type Ip, type Prefix } from "../../wire/address.ts";
import { explained, incomplete, refused, wrongArgument } from "../../words/errors.ts";
import { matches, type Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import type { Route, Routes } from "../routes.ts";
import { MAIN } from "../routing.ts";
import {
  familyOf,
  findIn,
  garbage,
  getIp,
  getPrefix,
  isShow,
  networkOf,
  unknown,
  type Verb,
  widthOf,
} from "./common.ts";
import { formatTable, readTable } from "./rule.ts";

export const route: Verb = (netns, words, family) => {
  const verb = words.next() ?? "show";
  if (matches(verb, "add")) return addRoute(netns, words, family, false);
  if (matches(verb, "replace")) return addRoute(netns, words, family, true);
  if (matches(verb, "delete")) return deleteRoute(netns, words, family);
  if (matches(verb, "get")) return getRoute(netns, words, family);
  if (isShow(verb)) return showRoutes(netns, words, family);
  throw unknown(verb, "route", "add, replace, delete, get, show");
};

interface RouteWords extends Route {
  readonly table: number;
}

function readRoute(netns: Namespace, words: Words, family: string | undefined): RouteWords {
  let to: Prefix | undefined;
  let gateway: string | undefined;
  let device: Device | undefined;
  let metric: number | undefined;
  let table = MAIN;
  let isDefault = false;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "via") gateway = words.value();
    else if (word === "dev") device = findIn(netns, words.value());
    else if (word === "metric") metric = getMetric(words.value());
    else if (word === "table") table = readTable(words.value());
    else if (word === "default") isDefault = true;
    else if (to !== undefined) throw garbage("to", word);
    else to = getPrefix(word === "to" ? words.value() : word, family);
  }
  const via =
    gateway === undefined ? undefined : getIp(gateway, to === undefined ? family : familyOf(to.ip));
  const width = via?.length ?? (family === "inet6" ? 16 : 4);
  if (isDefault) to = { ip: new Uint8Array(width), length: 0 };
  if (to === undefined) throw incomplete();
  device ??= via && netns.routes[widthOf(via)].find(via)?.device;
  if (device === undefined) throw explained("Nexthop has invalid gateway");
  const more = { ...(via !== undefined && { via }), ...(metric !== undefined && { metric }) };
  return { to, device, table, ...more };
}

function getMetric(word: string): number {
  if (/^\d{1,10}$/.test(word) && Number(word) < 2 ** 32) return Number(word);
  throw wrongArgument(word, '"metric" value is invalid');
}

function addRoute(
  netns: Namespace,
  words: Words,
  family: string | undefined,
  mayBeThere: boolean,
): string {
  const { table, ...route } = readRoute(netns, words, family);
  const width = widthOf(route.to.ip);
  if (!route.device.isUp)
    throw explained(width === 4 ? "Device for nexthop is not up" : "Nexthop device is not up");
  if (width === 4 && formatIp(networkOf(route.to).ip) !== formatIp(route.to.ip))
    throw explained("Invalid prefix for given prefix length");
  if (route.via !== undefined) {
    const toGateway = netns.routes[width].find(route.via, route.device);
    if (toGateway === undefined || toGateway.via !== undefined)
      throw explained("Nexthop has invalid gateway");
  }
  const routes = netns.routing[width].makeTable(table);
  if (routes === undefined) throw refused("No buffer space available");
  if (mayBeThere) routes.remove((one) => isTo(one, route) && one.metric === route.metric);
  if (!routes.add(route)) throw refused("File exists");
  return "";
}

const isTo = (one: Route, { to }: Route): boolean =>
  one.to.length === to.length && formatIp(networkOf(one.to).ip) === formatIp(networkOf(to).ip);

function deleteRoute(netns: Namespace, words: Words, family: string | undefined): string {
  const { table, ...route } = readDeleted(netns, words, family);
  const isGone = netns.routing[widthOf(route.to.ip)]
    .findTable(table)
    ?.remove((one) => one.device === route.device && isTo(one, route));
  if (isGone !== true) throw refused("No such process");
  return "";
}

/** The device may be left out, if there is a route. */
function readDeleted(netns: Namespace, words: Words, family: string | undefined): RouteWords {
  const line = words.rest();
  if (line.includes("dev") || line.includes("via")) return readRoute(netns, words, family);
  const at = line.indexOf("table");
  const table = at < 0 ? MAIN : readTable(line[at + 1] ?? "");
  const [word] = at < 0 ? line : line.toSpliced(at, 2);
  if (word === undefined) throw incomplete();
  const any = { ip: new Uint8Array(family === "inet6" ? 16 : 4), length: 0 };
  const to = word === "default" ? any : getPrefix(word, family);
  const routes = netns.routing[widthOf(to.ip)].findTable(table);
  const found = routes?.list().find((one) => isTo(one, { ...one, to }));
  if (found === undefined) throw refused("No such process");
  return { ...found, table };
}

/** `ip route get ADDRESS [ from ADDRESS ] [ iif NAME ]`. */
function getRoute(netns: Namespace, words: Words, family: string | undefined): string {
  let to: Ip | undefined;
  let src: Ip | undefined;
  let by: Device | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "from") src = getIp(words.value(), family);
    else if (word === "iif") by = findIn(netns, words.value());
    else to = getIp(word === "to" ? words.value() : word, family);
  }
  if (to === undefined) throw incomplete();
  const dst = formatIp(to);
  if (netns.isLocal(to)) return `local ${dst} dev lo\n`;
  const asked = { ...(src !== undefined && { src }), ...(by !== undefined && { by }) };
  const found = netns.routing[widthOf(to)].find(to, asked);
  if (found === undefined) throw refused("Network is unreachable");
  const from = src === undefined ? "" : ` from ${formatIp(src)}`;
  const via = found.via === undefined ? "" : ` via ${formatIp(found.via)}`;
  const own = src === undefined ? netns.sourceFor(to) : undefined;
  const source = own === undefined ? "" : ` src ${formatIp(own)}`;
  return `${dst}${from}${via} dev ${found.device.name}${source}\n`;
}

/** `ip route show [ table { N | main | all } ]`. */
function showRoutes(netns: Namespace, words: Words, family: string | undefined): string {
  const routing = netns.routing[family === "inet6" ? 16 : 4];
  let table: number | "all" = MAIN;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word !== "table") throw unknown(word, "route show", "table { N | main | all }");
    const value = words.value();
    table = value === "all" ? value : readTable(value);
  }
  if (table !== "all") return showTable(routing.findTable(table), "");
  return routing.tables
    .map(([number, routes]) =>
      showTable(routes, number === MAIN ? "" : ` table ${formatTable(number)}`),
    )
    .join("");
}

const showTable = (routes: Routes | undefined, of: string): string =>
  (routes?.list() ?? [])
    .map(({ to, device, via, metric }) => {
      const dst = to.length === 0 ? "default" : formatPrefix(networkOf(to));
      const gateway = via === undefined ? "" : ` via ${formatIp(via)}`;
      const cost = metric === undefined ? "" : ` metric ${metric}`;
      return `${dst}${gateway} dev ${device.name}${of}${cost}\n`;
    })
    .join("");
