/**
 * The addresses of the master's namespace itself: what L3 routes to them is for its own stack, and no helper would take
 * it there. Its local table has them all, by whole prefixes too (127.0.0.0/8).
 */
import { dumpRoutes, type RouteType, RT_TABLE_LOCAL } from "../../linux/netlink/route.ts";
import type { NetlinkSocket } from "../../linux/netlink/socket.ts";
import { formatPrefix, type Prefix } from "../../wire/address.ts";
import { FAMILIES } from "../master/own-routing.ts";
import { LOCAL_ADDRESS, LOCAL_BROADCAST, LOCAL_GROUP } from "./layout.ts";
import type { Tables } from "./tables.ts";

/** Routes change by the dozen. */
const PAUSE_MS = 5;
/** Of the time, for reading them: where slaves by the thousand are beside their master, its table is long. */
const SHARE = 1 / 5;
/** What no table has: "this host", which Linux takes for itself, and the groups of IPv6. */
const ALWAYS: readonly Local[] = [
  { ip: new Uint8Array(4), length: 32, meaning: LOCAL_ADDRESS },
  { ip: Uint8Array.of(0xff, ...new Array<number>(15).fill(0)), length: 8, meaning: LOCAL_GROUP },
];
const MEANINGS: Readonly<Partial<Record<RouteType, number>>> = {
  local: LOCAL_ADDRESS,
  broadcast: LOCAL_BROADCAST,
};

interface Local extends Prefix {
  readonly meaning: number;
}

export class LocalAddresses {
  readonly #socket: NetlinkSocket;
  readonly #tables: Tables;
  #known: ReadonlyMap<string, Local> = new Map();
  #later: NodeJS.Timeout | undefined;
  #pauseMs: number = PAUSE_MS;

  /** `socket`: rtnetlink in the master's namespace. */
  constructor(socket: NetlinkSocket, tables: Tables) {
    this.#socket = socket;
    this.#tables = tables;
  }

  changed(): void {
    this.#later ??= setTimeout(() => {
      this.#later = undefined;
      const start = performance.now();
      this.read();
      this.#pauseMs = Math.max(PAUSE_MS, (performance.now() - start) / SHARE);
    }, this.#pauseMs);
  }

  read(): void {
    const found = new Map(ALWAYS.map((local) => [textOf(local), local]));
    for (const family of FAMILIES)
      for (const route of dumpRoutes(this.#socket, { family, table: RT_TABLE_LOCAL })) {
        const { dst: ip, prefixLength: length } = route;
        const meaning = MEANINGS[route.type];
        if (meaning === undefined || ip === undefined) continue;
        const local = { ip, length, meaning };
        found.set(textOf(local), local);
      }
    for (const [text, { ip, length }] of this.#known)
      if (!found.has(text)) this.#tables.setLocal(ip, length, undefined);
    for (const [text, { ip, length, meaning }] of found)
      if (!this.#known.has(text)) this.#tables.setLocal(ip, length, meaning);
    this.#known = found;
  }

  close(): void {
    clearTimeout(this.#later);
  }
}

const textOf = (local: Local): string => `${formatPrefix(local)} ${local.meaning}`;
