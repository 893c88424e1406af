/** What is done in the container's namespace, by netlink: addresses and routes, and looking at them. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Address, addAddress, dumpAddresses } from "../linux/netlink/address.ts";
import { getLink, setLink } from "../linux/netlink/link.ts";
import { appendRoute, dumpRoutes, RT_TABLE_MAIN } from "../linux/netlink/route.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { close, openFile } from "../linux/sys.ts";
import { findSysctl, setSysctl } from "../linux/sysctl.ts";
import { formatMac, type Ip, type Prefix, parseIp, parsePrefix } from "../wire/address.ts";
import { failure, inOneLine, lowerFirst } from "./errors.ts";
import { findDefaultMaster, isDevice } from "./host.ts";
import { isSix, type Result, type Route } from "./result.ts";

const AF_INET = 2;
const AF_INET6 = 10;
/** Duplicate address detection takes a second or two. */
const SETTLE_MS_MAX = 10_000;
const SETTLE_POLL_MS = 50;

/** Of the container, open while it is worked on: it may be named no more a moment later. */
export class Inside {
  readonly #netns: number;
  readonly #socket: NetlinkSocket;

  constructor(path: string) {
    this.#netns = openFile(path);
    try {
      this.#socket = withNetns(this.#netns, () => NetlinkSocket.open());
    } catch (error) {
      close(this.#netns);
      throw error;
    }
  }

  close(): void {
    this.#socket.close();
    close(this.#netns);
  }

  findDefaultMaster(): string | undefined {
    return withNetns(this.#netns, findDefaultMaster);
  }

  isDevice(name: string): boolean {
    return withNetns(this.#netns, () => isDevice(name));
  }

  /** The device's MAC and index, or undefined. */
  find(name: string): { readonly ifindex: number; readonly mac: string } | undefined {
    const link = getLink(this.#socket, name);
    return link && { ifindex: link.index, mac: link.mac === undefined ? "" : formatMac(link.mac) };
  }

  /** Gives the device what the result says. Its neighbours hear of the addresses, as the sysctls say, when it comes up. */
  async configure(name: string, result: Result): Promise<void> {
    const link = getLink(this.#socket, name);
    if (link === undefined)
      throw failure(`failed to lookup ${JSON.stringify(name)}: Link not found`);
    const prefixes = result.ips.map(({ address }) => parsePrefix(address)!);
    withNetns(this.#netns, () =>
      setSysctls(
        name,
        prefixes.some(({ ip }) => ip.length === 16),
      ),
    );
    for (const prefix of prefixes) this.#addAddress(name, link.index, prefix);
    setLink(this.#socket, link.index, { up: true });
    await this.#settle(name, link.index);
    for (const route of result.routes) this.#addRoute(name, link.index, route, result);
  }

  #addAddress(name: string, ifindex: number, { ip, length }: Prefix): void {
    try {
      addAddress(this.#socket, { ifindex, ip, prefixLength: length });
    } catch (error) {
      throw failure(`failed to add IP addr to ${JSON.stringify(name)}: ${reasonOf(error)}`);
    }
  }

  /** Until duplicate address detection is through. */
  async #settle(name: string, ifindex: number): Promise<void> {
    const deadline = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const addresses = dumpAddresses(this.#socket, { ifindex, family: AF_INET6 }).filter(isGlobal);
      if (addresses.some(({ dadFailed }) => dadFailed))
        throw failure(`somebody else has an IPv6 address of ${JSON.stringify(name)}`);
      if (!addresses.some(({ tentative }) => tentative) || performance.now() > deadline) return;
      await sleep(SETTLE_POLL_MS);
    }
  }

  #addRoute(name: string, oif: number, route: Route, { ips }: Result): void {
    const { dst, mtu, advmss, priority, table = RT_TABLE_MAIN, scope } = route;
    const gateways = ips.map(({ gateway }) => gateway).filter((one) => one !== undefined);
    const gw = route.gw ?? gateways.find((one) => isSix(one) === isSix(dst));
    const to = parsePrefix(dst)!;
    try {
      appendRoute(this.#socket, {
        family: to.ip.length === 4 ? AF_INET : AF_INET6,
        ...(to.length > 0 && { dst: to.ip }),
        prefixLength: to.length,
        table,
        type: "unicast",
        oif,
        ...(gw !== undefined && { gateway: parseIp(gw)! }),
        ...(priority !== undefined && { priority }),
        ...(scope !== undefined && { scope }),
        ...(mtu !== undefined && { mtu }),
        ...(advmss !== undefined && { advmss }),
      });
    } catch (error) {
      const via = gw === undefined ? "" : ` via ${gw}`;
      throw failure(`failed to add route '${dst}${via} dev ${name}': ${reasonOf(error)}`);
    }
  }

  /** What is not there as the result says, or undefined. */
  findMissing(name: string, ifindex: number, { ips, routes }: Result): string | undefined {
    const has = dumpAddresses(this.#socket, { ifindex });
    const ip = ips.find(({ address }) => {
      const { ip, length } = parsePrefix(address)!;
      return !has.some((one) => one.prefixLength === length && isSame(one.ip, ip));
    });
    if (ip !== undefined) return `Failed to match addr ${ip.address} on interface ${name}`;
    const route = routes.find((one) => !this.#hasRoute(one));
    return route && `Expected Route ${route.dst} not found in routing table`;
  }

  #hasRoute({ dst, table = RT_TABLE_MAIN }: Route): boolean {
    const { ip, length } = parsePrefix(dst)!;
    const family = ip.length === 4 ? AF_INET : AF_INET6;
    return dumpRoutes(this.#socket, { family, table }).some(
      (route) => route.prefixLength === length && (length === 0 || isSame(route.dst ?? ip, ip)),
    );
  }
}

const isGlobal = ({ ip }: Address): boolean => !(ip[0] === 0xfe && (ip[1]! & 0xc0) === 0x80);

const isSame = (a: Ip, b: Ip): boolean => Buffer.compare(a, b) === 0;

function reasonOf(error: unknown): string {
  return lowerFirst(inOneLine(error).replace(/^[^:]*: /, ""));
}

/** A kernel may have no IPv6, or none for this device. */
function setSysctls(name: string, hasIpv6: boolean): void {
  const set = (path: string, value: number) => {
    const has = findSysctl(path);
    if (has !== undefined && has !== String(value)) setSysctl(path, value);
  };
  set(`ipv4/conf/${name}/arp_notify`, 1);
  set(`ipv6/conf/${name}/ndisc_notify`, 1);
  if (hasIpv6) for (const device of ["lo", name]) set(`ipv6/conf/${device}/disable_ipv6`, 0);
}
