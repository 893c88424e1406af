/** One slave's device as the kernel shows it, and what is told to or asked of its namespace. */
import { type Stats, statSync } from "node:fs";
import type { Slave as DeviceId } from "../driver/decide/machine.ts";
import type { Groups } from "../driver/group-table.ts";
import { linkLocal, sharedLinkLocal } from "../driver/link-local.ts";
import { addAddress, deleteAddress, IFA_F_NODAD } from "../linux/netlink/address.ts";
import { IFF_ALLMULTI, type LinkChange, setLink } from "../linux/netlink/link.ts";
import { NetlinkError, NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { SysError } from "../linux/sys.ts";
import { readGroups } from "./memberships.ts";
import { findNetnsPath } from "./namespaces.ts";

const IFF_PROMISC = 0x100;

export class Slave {
  readonly id: DeviceId;
  /** For whom it was made, if that was said. */
  readonly label: string | undefined;
  /** Its host end: `host-ends.ts`. */
  hostIfindex: number;
  name = "";
  ifindex = 0;
  /** Its namespace, as the private one numbers it; undefined while the kernel has not told. */
  nsid: number | undefined;
  flags = 0;
  mtu = 0;
  up = false;
  /** What its stack has, by text with prefix length. */
  readonly addresses: Map<string, Uint8Array> = new Map();
  /** How often an address of it was not taken for want of room. */
  refused = 0;
  readonly #socket: NetlinkSocket;
  /** Where its namespace was found last, and which it was. */
  #found: { readonly path: string; readonly nsid: number; readonly file: Stats } | undefined;

  /** `socket`: rtnetlink in the private namespace. */
  constructor(socket: NetlinkSocket, id: DeviceId, hostIfindex: number, label?: string) {
    this.#socket = socket;
    this.id = id;
    this.hostIfindex = hostIfindex;
    this.label = label;
  }

  /** A path to its namespace now. */
  get netnsPath(): string | undefined {
    const { nsid } = this;
    if (nsid === undefined) return undefined;
    if (this.#found?.nsid === nsid && isStill(this.#found)) return this.#found.path;
    const path = findNetnsPath(this.#socket, nsid, this.#found?.path);
    const file = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
    this.#found = path === undefined || file === undefined ? undefined : { path, nsid, file };
    return path;
  }

  /** The group MACs its stack takes: a list, all of them, or none while it is down. */
  groups(): Groups | undefined {
    if (!this.up) return undefined;
    if ((this.flags & (IFF_PROMISC | IFF_ALLMULTI)) !== 0) return "all";
    // A namespace that cannot be found: rather every group than none.
    return this.#inside(() => readGroups(this.ifindex)) ?? "all";
  }

  change(change: LinkChange): void {
    this.#withSocket((socket) => setLink(socket, this.ifindex, change));
  }

  /** No address formed from the MAC that all share. A move to another namespace forgets that. */
  forbidSharedLinkLocal(mac: Uint8Array): void {
    this.#withSocket((socket) => {
      setLink(socket, this.ifindex, { addrGenModeNone: true });
      tolerate(() =>
        deleteAddress(socket, {
          ifindex: this.ifindex,
          ip: sharedLinkLocal(mac),
          prefixLength: 64,
        }),
      );
    });
  }

  /** Its own link-local address; unique on the port, so not probed for. */
  addLinkLocal(mac: Uint8Array): void {
    const ip = linkLocal(mac, this.id);
    this.#withSocket((socket) =>
      tolerate(() =>
        addAddress(socket, {
          ifindex: this.ifindex,
          ip,
          prefixLength: 64,
          flags: IFA_F_NODAD,
        }),
      ),
    );
  }

  #withSocket(section: (socket: NetlinkSocket) => void): void {
    this.#inside(() => {
      const socket = NetlinkSocket.open();
      try {
        tolerate(() => section(socket));
      } finally {
        socket.close();
      }
    });
  }

  /** Undefined if its namespace cannot be found, or is gone by now. */
  #inside<T>(section: () => T): T | undefined {
    const path = this.netnsPath;
    if (path === undefined) return undefined;
    try {
      return withNetns(path, section);
    } catch (error) {
      if (error instanceof SysError && GONE.has(error.code)) return undefined;
      throw error;
    }
  }
}

/** A namespace that is alive, as a slave's is, shares its file's number with no other. */
function isStill({ path, file }: { readonly path: string; readonly file: Stats }): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now?.ino === file.ino && now.dev === file.dev;
}

/** The path leads nowhere, or to a file that a namespace was mounted on. */
const GONE = new Set(["ENOENT", "EINVAL"]);

/** The device may be gone, its IPv6 switched off, the address be there: the kernel's next event will tell. */
function tolerate(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
  }
}
