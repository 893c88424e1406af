/**
 * The slaves of a port as the kernel shows them. What it tells of their devices is written down here and handed
 * on: to the driver's port, and as effects to whoever moves the frames.
 */
import type { Slave as DeviceId } from "../driver/decide/machine.ts";
import { PortError } from "../driver/errors.ts";
import type { Groups } from "../driver/group-table.ts";
import { sharedLinkLocal } from "../driver/link-local.ts";
import type { Port } from "../driver/port.ts";
import { type Address, dumpAddresses } from "../linux/netlink/address.ts";
import { getLink, type Link } from "../linux/netlink/link.ts";
import type { NetlinkSocket } from "../linux/netlink/socket.ts";
import { formatPrefix, type Ip } from "../wire/address.ts";
import type { HostEnds } from "./host-ends.ts";
import { MembershipWatch } from "./memberships.ts";
import { Slave } from "./slave.ts";

export interface SlaveEffects {
  /** Addresses that may have another owner now, or none. */
  owners(ips: Iterable<Ip>): void;
  /** What the slave takes of group frames; undefined: it is down. */
  groups(id: DeviceId, groups: Groups | undefined): void;
  /** It has come to another namespace. */
  place(slave: Slave): void;
  /** The slave takes frames of another size; its host end passes none that are larger than its own MTU. */
  mtu(slave: Slave): void;
}

const SEEK_TRIES = 3;
/** Addresses of one slave, so that who sets them without end leaves room for the others'. */
export const ADDRESSES_PER_SLAVE_MAX = 8192;

export class SlaveTable {
  readonly #socket: NetlinkSocket;
  readonly #port: Port;
  readonly #hosts: () => HostEnds;
  readonly #effects: SlaveEffects;
  readonly #slaves: Map<DeviceId, Slave> = new Map();
  readonly #byHost: Map<number, Slave> = new Map();
  /** By `placeKey`. */
  readonly #byPlace: Map<string, Slave> = new Map();
  readonly #memberships: MembershipWatch;

  /** `socket`: rtnetlink in the private namespace. */
  constructor(socket: NetlinkSocket, port: Port, hosts: () => HostEnds, effects: SlaveEffects) {
    this.#socket = socket;
    this.#port = port;
    this.#hosts = hosts;
    this.#effects = effects;
    this.#memberships = new MembershipWatch(
      () => this.#slaves.keys(),
      (id) => this.#readGroups(id),
    );
  }

  get size(): number {
    return this.#slaves.size;
  }
  /** A copy: slaves may go while somebody looks at it. */
  all(): Slave[] {
    return [...this.#slaves.values()];
  }
  get(id: DeviceId): Slave | undefined {
    return this.#slaves.get(id);
  }
  /** The slave that is device `ifindex` of namespace `nsid`. */
  findAt(nsid: number, ifindex: number): Slave | undefined {
    return this.#byPlace.get(placeKey(nsid, ifindex));
  }
  /** The slave of a host end. */
  findByHostEnd(ifindex: number): Slave | undefined {
    return this.#byHost.get(ifindex);
  }

  /** Nothing is known of it yet: `seek`. */
  add(id: DeviceId, hostIfindex: number, label?: string): Slave {
    const slave = new Slave(this.#socket, id, hostIfindex, label);
    this.#slaves.set(id, slave);
    this.#byHost.set(hostIfindex, slave);
    return slave;
  }

  /** Its host end is another device now. */
  rehost(slave: Slave, hostIfindex: number): void {
    this.#byHost.delete(slave.hostIfindex);
    slave.hostIfindex = hostIfindex;
    this.#byHost.set(hostIfindex, slave);
  }

  /** Whoever claims its addresses gets them. */
  remove(slave: Slave): void {
    const addresses = this.#port.addresses.addressesOf(slave.id);
    this.#place(slave, undefined, 0);
    this.#byHost.delete(slave.hostIfindex);
    this.#slaves.delete(slave.id);
    this.#port.removeSlave(slave.id);
    this.#effects.owners(addresses);
  }

  /** Looks up where a slave is now, and all that the kernel says of it; it may move while we ask. */
  seek(slave: Slave): void {
    for (let tries = 0; tries < SEEK_TRIES; tries++) {
      const host = this.#hosts().find(slave.hostIfindex); // asking gives its namespace an id, and us its events
      if (host?.link === undefined || host.linkNsid === undefined) return;
      const link = getLink(this.#socket, host.link, { targetNsid: host.linkNsid });
      if (link === undefined) continue;
      this.#place(slave, host.linkNsid, host.link);
      this.linkChanged(slave, link);
      this.#readAddresses(slave, host.linkNsid);
      return;
    }
  }

  linkChanged(slave: Slave, link: Link): void {
    const { up, flags, mtu } = slave;
    Object.assign(slave, { name: link.name, mtu: link.mtu, up: link.up, flags: link.flags });
    if (mtu !== link.mtu) this.#effects.mtu(slave);
    if (up !== link.up) this.#upChanged(slave);
    if (up !== link.up || flags !== link.flags) this.#memberships.changed(slave.id);
  }

  /** It has arrived in another namespace, which knows nothing of what we set. */
  moved(slave: Slave, noarp: boolean): void {
    this.#releaseAll(slave, [...slave.addresses]);
    this.#place(slave, undefined, 0);
    this.seek(slave);
    slave.change({ noarp });
    this.#replaceLinkLocal(slave);
  }

  addressAdded(slave: Slave, address: Address): void {
    this.#addressesAdded(slave, [address]);
  }

  addressRemoved(slave: Slave, address: Address): void {
    this.#releaseAll(slave, [[formatPrefixOf(address), address.ip]]);
    this.#memberships.changed(slave.id);
  }

  /** What the slaves' stacks want to receive is read anew, and told. */
  membershipsChanged(id: DeviceId): void {
    this.#memberships.changed(id);
  }

  /** How many more addresses it may have. */
  roomOf({ addresses }: Slave): number {
    const { limit, count } = this.#port.addresses;
    return Math.max(0, Math.min(ADDRESSES_PER_SLAVE_MAX - addresses.size, limit - count));
  }

  close(): void {
    this.#memberships.close();
  }

  /** False if there is no room for it. */
  #claim(slave: Slave, ip: Ip): boolean {
    if (slave.addresses.size >= ADDRESSES_PER_SLAVE_MAX) return false;
    try {
      this.#port.claimAddress(slave.id, ip);
      return true;
    } catch (error) {
      if (error instanceof PortError && error.code === "ENOSPC") return false;
      throw error;
    }
  }

  #upChanged(slave: Slave): void {
    this.#port.setUp(slave.id, slave.up);
    this.#effects.owners(slave.addresses.values());
    if (slave.up) slave.addLinkLocal(this.#port.mac);
  }

  #replaceLinkLocal(slave: Slave): void {
    slave.forbidSharedLinkLocal(this.#port.mac);
    if (slave.up) slave.addLinkLocal(this.#port.mac);
  }

  /** Compares what is known with what the kernel lists. */
  #readAddresses(slave: Slave, nsid: number): void {
    const listed = dumpAddresses(this.#socket, { ifindex: slave.ifindex, targetNsid: nsid });
    const texts = new Set(listed.map(formatPrefixOf));
    this.#releaseAll(
      slave,
      [...slave.addresses].filter(([text]) => !texts.has(text)),
    );
    this.#addressesAdded(slave, listed);
  }

  #addressesAdded(slave: Slave, addresses: readonly Address[]): void {
    const added = addresses.filter((address) => this.#add(slave, address)).map(({ ip }) => ip);
    if (added.length === 0) return;
    const shared = sharedLinkLocal(this.#port.mac);
    if (added.some((ip) => Buffer.compare(ip, shared) === 0)) this.#replaceLinkLocal(slave);
    this.#effects.owners(added);
    this.#memberships.changed(slave.id);
  }

  /** False for one that is known, and told again of a change of its state; and for one that there is no room for. */
  #add(slave: Slave, address: Address): boolean {
    const text = formatPrefixOf(address);
    if (slave.addresses.has(text)) return false;
    if (!this.#claim(slave, address.ip)) {
      slave.refused++;
      return false;
    }
    slave.addresses.set(text, address.ip);
    return true;
  }

  #releaseAll(slave: Slave, addresses: readonly (readonly [text: string, ip: Ip])[]): void {
    const released = addresses.filter(([text]) => slave.addresses.delete(text)).map(([, ip]) => ip);
    for (const ip of released) this.#port.releaseAddress(slave.id, ip);
    this.#effects.owners(released);
  }

  #place(slave: Slave, nsid: number | undefined, ifindex: number): void {
    if (slave.nsid !== undefined) this.#byPlace.delete(placeKey(slave.nsid, slave.ifindex));
    slave.nsid = nsid;
    slave.ifindex = ifindex;
    if (nsid === undefined) return;
    this.#byPlace.set(placeKey(nsid, ifindex), slave);
    this.#effects.place(slave);
  }

  #readGroups(id: DeviceId): void {
    const slave = this.#slaves.get(id);
    if (slave !== undefined) this.#effects.groups(id, slave.groups());
  }
}

const placeKey = (nsid: number, ifindex: number): string => `${nsid}.${ifindex}`;
const formatPrefixOf = ({ ip, prefixLength }: Address): string =>
  formatPrefix({ ip, length: prefixLength });
