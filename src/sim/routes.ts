/** Routes of a namespace, of one family: the longest prefix that fits, then the least metric. */
import type { Ip, Prefix } from "../wire/address.ts";
import type { Device } from "./device.ts";

export interface Route {
  /** Length 0: the default. */
  readonly to: Prefix;
  readonly device: Device;
  /** Undefined: the destination is a neighbour. */
  readonly via?: Ip;
  readonly metric?: number;
  /** It came with an address, and goes with it. */
  readonly isOfAddress?: boolean;
}

/** Of a namespace. */
const ROUTES_MAX = 10_000;

export class Routes {
  /** In the order in which they are asked. */
  #routes: Route[] = [];

  list(): readonly Route[] {
    return this.#routes;
  }

  /** False: the same is there already. */
  add(route: Route): boolean {
    if (this.#routes.length >= ROUTES_MAX || this.#routes.some((one) => isSame(one, route)))
      return false;
    this.#routes.push(route);
    this.#routes.sort((a, b) => b.to.length - a.to.length || metricOf(a) - metricOf(b));
    return true;
  }

  /** Whether there were any. */
  remove(isGone: (route: Route) => boolean): boolean {
    const before = this.#routes.length;
    this.#routes = this.#routes.filter((route) => !isGone(route));
    return this.#routes.length < before;
  }

  /** `device`: only by this one. */
  find(dst: Ip, device?: Device): Route | undefined {
    for (const route of this.#routes)
      if (route.device.isUp && (device === undefined || route.device === device))
        if (hasPrefix(dst, route.to)) return route;
    return undefined;
  }
}

const metricOf = ({ metric = 0 }: Route): number => metric;

const isSame = (a: Route, b: Route): boolean =>
  a.to.length === b.to.length &&
  metricOf(a) === metricOf(b) &&
  hasPrefix(a.to.ip, b.to) &&
  (b.to.ip.length === 4 || a.device === b.device);

export function hasPrefix(ip: Ip, { ip: prefix, length }: Prefix): boolean {
  if (ip.length !== prefix.length) return false;
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) if (ip[i] !== prefix[i]) return false;
  const rest = length & 7;
  return rest === 0 || ((ip[whole]! ^ prefix[whole]!) & (0xff00 >> rest) & 0xff) === 0;
}

/** An address as the key of a Map, quicker than its text: a number for IPv4, eight UTF-16 units for IPv6. */
export function keyOf(ip: Ip): number | string {
  if (ip.length === 4) return ((ip[0]! << 24) | (ip[1]! << 16) | (ip[2]! << 8) | ip[3]!) >>> 0;
  let key = "";
  for (let i = 0; i < 16; i += 2) key += String.fromCharCode((ip[i]! << 8) | ip[i + 1]!);
  return key;
}
