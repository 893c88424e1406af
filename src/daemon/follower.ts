/**
 * Follows what the kernel tells of devices and addresses, whoever changed them and with what tool.
 *
 * One socket in the private namespace hears of every namespace that has an id there: the slaves' (their host
 * ends give it one) and the masters'. It cannot hear of a namespace without an id: a slave that moves falls
 * silent until its host end is looked up. When the kernel had to drop messages, everything is listed again:
 * never trust memory where a dump can tell.
 */
import { type Address, dumpAddresses, parseAddress } from "../linux/netlink/address.ts";
import { RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK } from "../linux/netlink/constants.ts";
import {
  getLink,
  type Link,
  parseLink,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
} from "../linux/netlink/link.ts";
import { type Event, NetlinkError, NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { SysError, watch } from "../linux/sys.ts";
import type { Ground, LivePort } from "./live-port.ts";
import type { Slave } from "./slave.ts";

/** Bytes of events that may wait while we are busy. */
const EVENT_BUFFER = 8 << 20;
/** Of events that are looked at before somebody else's turn; the rest wakes us again. */
const DATAGRAMS_AT_ONCE = 32;
/** And before an answer; more come in that time only from who wants to keep us from answering. */
const DATAGRAMS_TO_SETTLE = 1 << 14;
const OWN = -1;
const RESYNC_MS = 500;

/** What the follower needs of the registry. */
export interface Followed {
  ports(): Iterable<LivePort>;
  /** The kernel took the master away. */
  masterGone(port: LivePort): void;
  /** The master leaves for another namespace; `to`: its last message in the old one. */
  masterMoved(port: LivePort, to: Link): void;
  /** A slave's devices are gone. */
  slaveGone(port: LivePort, slave: Slave): void;
}

export class Follower {
  readonly #ground: Ground;
  readonly #followed: Followed;
  readonly #events: NetlinkSocket;
  readonly #watch: { close(): void };
  #later: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(ground: Ground, followed: Followed) {
    this.#ground = ground;
    this.#followed = followed;
    this.#events = withNetns(ground.privateNetns, () =>
      NetlinkSocket.open({
        groups: [
          RTNLGRP_LINK,
          RTNLGRP_IPV4_IFADDR,
          RTNLGRP_IPV6_IFADDR,
          RTNLGRP_IPV4_ROUTE,
          RTNLGRP_IPV6_ROUTE,
        ],
        allNsid: true,
        receiveBuffer: EVENT_BUFFER,
      }),
    );
    this.#watch = watch(this.#events.fd, () => this.#read(DATAGRAMS_AT_ONCE));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#later);
    this.#watch.close();
    this.#events.close();
  }

  /** Hears all that the kernel has told so far: who asks now gets an answer that is true. */
  settle(): void {
    if (!this.#isClosed) this.#read(DATAGRAMS_TO_SETTLE);
  }

  /** Lists everything again. */
  resync(): void {
    const { socket } = this.#ground;
    for (const port of [...this.#followed.ports()]) {
      const master = getLink(socket, port.master.index, { targetNsid: port.masterNsid });
      if (master === undefined) {
        this.#followed.masterGone(port);
        continue;
      }
      port.masterChanged(master);
      this.#readMasterAddresses(port);
      port.routesChanged();
      for (const slave of port.slaves.all())
        if (port.hosts.find(slave.hostIfindex) === undefined) this.#followed.slaveGone(port, slave);
        else port.slaves.seek(slave);
    }
  }

  #read(datagramsMax: number): void {
    for (let n = 0; n < datagramsMax; n++) {
      const events = this.#events.receive();
      if (events === undefined) return;
      if (events === "overrun") this.#guarded(() => this.resync());
      else for (const event of events) this.#guarded(() => this.#hear(event));
    }
  }

  /** Devices go while we ask about them. What that left undone is found by listing everything again, a little later. */
  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof NetlinkError || error instanceof SysError)) throw error;
      this.#ground.log.warn({ code: error.code }, error.message);
      this.#later ??= setTimeout(() => {
        this.#later = undefined;
        this.#guarded(() => this.resync());
      }, RESYNC_MS);
    }
  }

  #hear(event: Event): void {
    switch (event.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        const link = parseLink(event.payload);
        if (link.family !== 0) return;
        if (event.type === RTM_NEWLINK) this.#linkChanged(event.nsid, link);
        else this.#linkGone(event.nsid, link);
        return;
      }
      case RTM_NEWADDR:
      case RTM_DELADDR:
        this.#addressChanged(event.nsid, parseAddress(event.payload), event.type === RTM_NEWADDR);
        return;
      default:
        this.#routesChanged(event.nsid);
    }
  }

  #linkChanged(nsid: number, link: Link): void {
    for (const port of this.#followed.ports()) {
      if (port.masterNsid === nsid && port.master.index === link.index) port.masterChanged(link);
      const slave = port.slaves.findAt(nsid, link.index);
      if (slave !== undefined) port.slaves.linkChanged(slave, link);
    }
  }

  #linkGone(nsid: number, link: Link): void {
    for (const port of [...this.#followed.ports()]) {
      const hostsNsid = port.hosts.nsid ?? OWN;
      if (nsid === hostsNsid && link.newIfindex === undefined) {
        const slave = port.slaves.findByHostEnd(link.index);
        if (slave !== undefined) this.#followed.slaveGone(port, slave);
      }
      if (nsid === OWN) continue;
      const slave = port.slaves.findAt(nsid, link.index);
      // One that leaves a namespace may be on its way into another, or gone for good.
      if (slave !== undefined && port.hosts.find(slave.hostIfindex) !== undefined)
        port.slaveMoved(slave);
      if (port.masterNsid !== nsid || port.master.index !== link.index) continue;
      if (link.newIfindex === undefined) this.#followed.masterGone(port);
      else this.#followed.masterMoved(port, link);
    }
  }

  #addressChanged(nsid: number, address: Address, added: boolean): void {
    for (const port of this.#followed.ports()) {
      const slave = port.slaves.findAt(nsid, address.ifindex);
      if (slave !== undefined && added) port.slaves.addressAdded(slave, address);
      if (slave !== undefined && !added) port.slaves.addressRemoved(slave, address);
      if (port.masterNsid === nsid && port.master.index === address.ifindex)
        this.#readMasterAddresses(port);
    }
  }

  #routesChanged(nsid: number): void {
    for (const port of this.#followed.ports()) if (port.masterNsid === nsid) port.routesChanged();
  }

  #readMasterAddresses(port: LivePort): void {
    const addresses = dumpAddresses(this.#ground.socket, {
      ifindex: port.master.index,
      targetNsid: port.masterNsid,
    });
    port.masterAddresses(addresses.map(({ ip }) => ip));
  }
}
