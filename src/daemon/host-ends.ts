/**
 * Where a port's host ends are: for the userspace engine in the private namespace, where no stack sees what comes out
 * of them; for the eBPF engine in the master's, which is as far as its redirects reach. There they are devices among
 * a person's own, so a name tells whose they are, and the namespace's stack is kept off them.
 */
import type { Slave } from "../driver/decide/machine.ts";
import {
  addVeth,
  dumpLinks,
  getLink,
  type Link,
  setLink,
  type VethPeer,
} from "../linux/netlink/link.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { findSysctl, setSysctl } from "../linux/sysctl.ts";
import type { Mac } from "../wire/address.ts";
import { hostName, type PortId, parseSlaveAlias } from "./identity.ts";

export interface HostPlace {
  /** rtnetlink in the private namespace, which sees all others that have an id there. */
  readonly observer: NetlinkSocket;
  /** rtnetlink where the host ends are. */
  readonly socket: NetlinkSocket;
  readonly netns: number;
  /** What the private namespace calls it; undefined: it is that one. */
  readonly nsid: number | undefined;
  /** What tells this port's host ends from others' there: `hostName`. */
  readonly number: number;
}

export interface NewHostEnd {
  readonly mac: Mac;
  readonly mtu: number;
  readonly peer: VethPeer;
}

/** Of a device that has IPv6. RFC 8200 §5. */
const IPV6_MTU_MIN = 1280;

/**
 * What a slave's host end gets. Kernel: addrconf_notify() takes IPv6 from a device whose MTU falls below its least, and
 * gives it back as to a new one, which the stack would not be kept off any more.
 */
export const hostMtu = (slaveMtu: number): number => Math.max(slaveMtu, IPV6_MTU_MIN);

export class HostEnds {
  readonly place: HostPlace;

  constructor(place: HostPlace) {
    this.place = place;
  }

  get nsid(): number | undefined {
    return this.place.nsid;
  }

  /** A pair of devices; the returned one is the host end. */
  make(id: Slave, { mac, mtu, peer }: NewHostEnd): Link {
    const spec = { name: this.#nameOf(id), mac, mtu: hostMtu(mtu), noarp: true, peer };
    const host = addVeth(this.place.socket, spec);
    this.#keepStackOff(host);
    return host;
  }

  /** As the private namespace sees it: the link's namespace, if it is another one, has an id there from now on. */
  find(ifindex: number): Link | undefined {
    const { observer, nsid } = this.place;
    const host = getLink(observer, ifindex, nsid === undefined ? {} : { targetNsid: nsid });
    // The kernel does not tell the namespace of a peer that is where the device is.
    return (
      host && {
        ...host,
        ...(host.linkNsid === undefined && nsid !== undefined && { linkNsid: nsid }),
      }
    );
  }

  /** All that bear this port's number. */
  list(): Link[] {
    const prefix = this.#nameOf(0).slice(0, -1);
    return dumpLinks(this.place.socket).filter(
      ({ name, kind }) => kind === "veth" && name.startsWith(prefix),
    );
  }

  /** Takes over a host end that is elsewhere. It is down then, and may have another index. */
  bring(host: Link, id: Slave, from: HostPlace): Link {
    const name = this.#nameOf(id);
    const mtu = hostMtu(host.mtu);
    setLink(from.socket, host.index, { netnsFd: this.place.netns, name, mtu });
    const here = getLink(this.place.socket, name)!;
    this.#keepStackOff(here);
    return here;
  }

  /** Neither addresses nor anything sent by itself. In the private namespace there is no IPv6. */
  #keepStackOff({ name }: Link): void {
    const { netns, nsid } = this.place;
    if (nsid === undefined) return;
    withNetns(netns, () => {
      const disabled = `ipv6/conf/${name}/disable_ipv6`;
      if (findSysctl(disabled) === "0") setSysctl(disabled, 1);
    });
  }

  #nameOf(id: Slave): string {
    return hostName({ port: this.place.number, id });
  }
}

/** From this thread's namespace, where the master was, into the private one: a port is leaving. */
export function fetchHostEnds(masterIfindex: number, port: PortId, privateNetns: number): void {
  const socket = NetlinkSocket.open();
  try {
    for (const { index, name, alias } of dumpLinks(socket)) {
      const told = parseSlaveAlias(alias);
      if (told?.port !== port || name !== hostName({ port: masterIfindex, id: told.id })) continue;
      setLink(socket, index, { netnsFd: privateNetns, name: hostName(told) });
    }
  } finally {
    socket.close();
  }
}
