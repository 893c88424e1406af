/**
 * What a port needs in its master's namespace beside the master itself: the pair of devices that leads up into
 * it, and the intake that the port's mode asks for.
 *
 *     private namespace                master's namespace
 *     down<ifindex> ══════ pair ══════ ipvlup<ifindex>   L2: every frame enters again as if the master had received it
 *                                                        L3S: packets to and from the hooks
 */
import type { Mode } from "../../driver/settings.ts";
import { addVeth, deleteLink, getLink, setLink } from "../../linux/netlink/link.ts";
import { removeHopKeeper } from "../../linux/netlink/nft-hop-limit.ts";
import { isSupported, removeTable } from "../../linux/netlink/nftables.ts";
import { NetlinkError, NetlinkSocket } from "../../linux/netlink/socket.ts";
import { addClsact, deleteClsact, redirectToIngress } from "../../linux/netlink/tc.ts";
import { withNetns } from "../../linux/netns.ts";
import { HooksIntake, restoreSysctls } from "./hooks-intake.ts";
import { type Intake, type Master, NftablesIntake, RoutesIntake, tableName } from "./intake.ts";
import { OwnRouting, tablesOf } from "./own-routing.ts";

const NETLINK_NETFILTER = 12;
/** Larger than any slave's: nothing is to be cut on the way up. */
const PAIR_MTU = 65_535;

export interface MasterSideParts {
  /** rtnetlink in the private namespace. */
  readonly privateSocket: NetlinkSocket;
  readonly masterNetns: number;
  readonly master: { readonly name: string; readonly ifindex: number; readonly mac: Uint8Array };
  /** Folder for what must be put back. */
  readonly stateDir: string;
  /** Addresses of slaves that are up. */
  readonly addresses: () => Iterable<Uint8Array>;
}

export class MasterSide {
  /** Our end of the pair, in the private namespace. */
  readonly pairIfindex: number;
  readonly #parts: MasterSideParts;
  #master: Master;
  readonly #netfilter: NetlinkSocket | undefined;
  readonly #up: { readonly name: string; readonly ifindex: number };
  #intake: Intake | undefined;
  /** Whether frames that come up the pair enter at the master's ingress. */
  #redirects = false;

  constructor(parts: MasterSideParts) {
    this.#parts = parts;
    const { name, ifindex } = parts.master;
    const socket = withNetns(parts.masterNetns, () => NetlinkSocket.open());
    this.#master = { socket, name, ifindex };
    this.#netfilter = withNetns(parts.masterNetns, findNftables);
    [this.pairIfindex, this.#up] = this.#makePair();
  }

  get redirects(): boolean {
    return this.#redirects;
  }
  /** How frames for slaves are kept from the master's own stack. */
  get intakeName(): string {
    return this.#intake?.name ?? "none";
  }
  /** How slaves' frames for the master's own stack get there. */
  get wayUpName(): string {
    return this.#redirects ? "tc" : "raw sockets";
  }

  setMode(mode: Mode): void {
    this.#intake?.close();
    this.#intake = undefined;
    this.#setRedirect(mode === "l2");
    this.#intake = this.#newIntake(mode);
    for (const ip of this.#parts.addresses()) this.#intake.add(ip);
  }

  addAddress(ip: Uint8Array): void {
    this.#intake?.add(ip);
  }
  removeAddress(ip: Uint8Array): void {
    this.#intake?.remove(ip);
  }
  /** The routes of the master's namespace have changed. */
  routesChanged(): void {
    if (this.#intake instanceof HooksIntake) this.#intake.refresh();
  }
  /** Rules and chains know the master by its name. */
  rename(name: string, mode: Mode): void {
    this.#intake?.close();
    this.#intake = undefined;
    this.#master = { ...this.#master, name };
    this.setMode(mode);
  }
  setMac(mac: Uint8Array): void {
    setLink(this.#parts.privateSocket, this.pairIfindex, { mac });
    setLink(this.#master.socket, this.#up.ifindex, { mac });
  }

  /** Leaves the master's namespace as it was found. */
  remove(): void {
    this.#intake?.close();
    deleteLink(this.#parts.privateSocket, this.pairIfindex);
  }

  close(): void {
    this.#master.socket.close();
    this.#netfilter?.close();
  }

  #newIntake(mode: Mode): Intake {
    const { masterNetns, stateDir } = this.#parts;
    if (mode === "l3s")
      return new HooksIntake({
        master: this.#master,
        up: this.#up,
        inside: (section) => withNetns(masterNetns, section),
        netfilter: this.#netfilter,
        savedPath: savedPath(stateDir, this.#master.ifindex),
      });
    if (this.#netfilter === undefined) return new RoutesIntake(this.#master);
    return new NftablesIntake(this.#netfilter, this.#master, mode === "l3");
  }

  #setRedirect(wanted: boolean): void {
    if (wanted === this.#redirects) return;
    const { socket, ifindex } = this.#master;
    if (!wanted) {
      deleteClsact(socket, this.#up.ifindex);
      this.#redirects = false;
      return;
    }
    if (isLeftOut("tc")) return;
    try {
      addClsact(socket, this.#up.ifindex);
      redirectToIngress(socket, this.#up.ifindex, ifindex);
      this.#redirects = true;
    } catch (error) {
      // A kernel without clsact, u32 or mirred: what goes up takes the raw sockets instead.
      if (!(error instanceof NetlinkError)) throw error;
    }
  }

  #makePair(): [number, { name: string; ifindex: number }] {
    const { privateSocket, masterNetns, master } = this.#parts;
    const { mac } = master;
    const peer = upName(master.ifindex);
    const ours = `down${master.ifindex}`;
    const former = getLink(privateSocket, ours);
    if (former !== undefined) deleteLink(privateSocket, former.index);
    addVeth(privateSocket, {
      name: ours,
      mac,
      mtu: PAIR_MTU,
      noarp: true,
      peer: { name: peer, mac, mtu: PAIR_MTU, noarp: true, netnsFd: masterNetns },
    });
    const down = getLink(privateSocket, ours)!;
    const up = getLink(this.#master.socket, peer)!;
    setLink(this.#master.socket, up.index, {
      addrGenModeNone: true,
      alias: `ipvlan: from the slaves of ${master.name} up into this namespace`,
    });
    setLink(this.#master.socket, up.index, { up: true });
    setLink(privateSocket, down.index, { up: true });
    return [down.index, { name: peer, ifindex: up.index }];
  }
}

/** A socket to nf_tables, where this namespace's kernel has what the intake needs. */
function findNftables(): NetlinkSocket | undefined {
  if (isLeftOut("nftables")) return undefined;
  try {
    const socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
    if (isSupported(socket)) return socket;
    socket.close();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return undefined;
}

/** Removes what a port left in this namespace, all but its pair, after its master has gone unseen. */
export function removeLeftovers(
  { name, ifindex }: { name: string; ifindex: number },
  stateDir: string,
): void {
  const socket = NetlinkSocket.open();
  const netfilter = findNftables();
  const table = tableName({ ifindex });
  try {
    new OwnRouting(socket, [name, upName(ifindex)], tablesOf(ifindex)).clear();
    restoreSysctls(savedPath(stateDir, ifindex));
    if (netfilter === undefined) return;
    removeTable(netfilter, table);
    removeHopKeeper(netfilter, table);
  } finally {
    netfilter?.close();
    socket.close();
  }
}

const upName = (masterIfindex: number): string => `ipvlup${masterIfindex}`;
const savedPath = (stateDir: string, masterIfindex: number): string =>
  `${stateDir}/sysctls-${masterIfindex}.json`;

/** Tests run as on a kernel that lacks something: IPVLAN_WITHOUT="nftables tc" in the daemon's environment. */
const isLeftOut = (what: "nftables" | "tc"): boolean =>
  (process.env.IPVLAN_WITHOUT ?? "").split(" ").includes(what);
