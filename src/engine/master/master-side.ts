/**
 * What a port needs in its master's namespace beside the master itself: the pair of devices that leads up into
 * it, and the intake that the port's mode asks for.
 *
 *     private namespace                master's namespace
 *     down<port>    ══════ pair ══════ ipvlup<ifindex>   L2: every frame enters again as if the master had received it
 *                                                        L3S: packets to and from the hooks
 */
import type { Mode } from "../../driver/settings.ts";
import { addVeth, deleteLink, getLink, setLink } from "../../linux/netlink/link.ts";
import { removeHopKeeper } from "../../linux/netlink/nft-hop-limit.ts";
import { isSupported, removeTable } from "../../linux/netlink/nftables.ts";
import { NetlinkError, NetlinkSocket } from "../../linux/netlink/socket.ts";
import {
  deleteClsact,
  ensureClsact,
  findClsBpf,
  HOOKS,
  redirectToIngress,
} from "../../linux/netlink/tc.ts";
import { withNetns } from "../../linux/netns.ts";
import { findSysctl, setSysctl } from "../../linux/sysctl.ts";
import type { EngineName } from "../engine.ts";
import { HooksIntake, hookRouting, restoreSysctls } from "./hooks-intake.ts";
import {
  blackholeRouting,
  type Intake,
  type Master,
  NftablesIntake,
  NoIntake,
  RoutesIntake,
  tableName,
} from "./intake.ts";

const NETLINK_NETFILTER = 12;
/** Larger than any slave's: nothing is to be cut on the way up. */
const PAIR_MTU = 65_535;

export interface MasterSideParts {
  /** rtnetlink in the private namespace. */
  readonly privateSocket: NetlinkSocket;
  readonly masterNetns: number;
  readonly master: { readonly name: string; readonly ifindex: number; readonly mac: Uint8Array };
  /** Name of our end of the pair. */
  readonly downName: string;
  /** File for what must be put back. */
  readonly savedPath: string;
  /** Says whose the pair is: it is born with it, so that it is never nobody's. */
  readonly alias: string;
  /** Addresses of slaves that are up. */
  readonly addresses: () => Iterable<Uint8Array>;
}

export class MasterSide {
  /** Our end of the pair, in the private namespace. */
  readonly pairIfindex: number;
  readonly #parts: MasterSideParts;
  readonly #master: Master;
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
    try {
      const found = this.#findPair();
      [this.pairIfindex, this.#up] = found ?? this.#makePair();
      this.#prepareUp();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** rtnetlink in the master's namespace. */
  get socket(): NetlinkSocket {
    return this.#master.socket;
  }
  /** The pair's end in the master's namespace. */
  get up(): { readonly name: string; readonly ifindex: number } {
    return this.#up;
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

  /** Prepares the namespace for what an engine needs in a mode. If it fails, what was before stays. */
  setMode(mode: Mode, engine: EngineName): void {
    const former = this.#intake;
    if (former === undefined) this.#clearLeftovers(mode);
    const next = this.#newIntake(mode, engine);
    const replaces = former === undefined || former.name === next.name;
    try {
      next.add([...this.#parts.addresses()]);
    } catch (error) {
      if (!replaces) next.close();
      throw error;
    }
    this.#intake = next;
    if (!replaces) former.close();
    this.#setRedirect(mode === "l2" && engine === "userspace");
  }

  /** All slaves of a former run are there: what is left of others goes. */
  dropLeftovers(): void {
    this.#intake?.keepOnly?.([...this.#parts.addresses()]);
  }
  addAddresses(ips: readonly Uint8Array[]): void {
    this.#intake?.add(ips);
  }
  removeAddresses(ips: readonly Uint8Array[]): void {
    this.#intake?.remove(ips);
  }
  /** The routes of the master's namespace have changed. */
  routesChanged(): void {
    if (this.#intake instanceof HooksIntake) this.#intake.refresh();
  }
  /** Rules and chains know the master by its name: `setMode` makes them anew. */
  rename(name: string): void {
    this.#master.name = name;
    this.#intake?.close();
    this.#intake = undefined;
  }
  setMac(mac: Uint8Array): void {
    setLink(this.#parts.privateSocket, this.pairIfindex, { mac });
    setLink(this.#master.socket, this.#up.ifindex, { mac });
  }

  /** Leaves the master's namespace as it was found. */
  remove(): void {
    this.#intake?.close();
    unlessGone(() => deleteLink(this.#parts.privateSocket, this.pairIfindex));
  }

  close(): void {
    this.#master.socket.close();
    this.#netfilter?.close();
  }

  #newIntake(mode: Mode, engine: EngineName): Intake {
    const { masterNetns, savedPath } = this.#parts;
    if (mode === "l3s")
      return new HooksIntake({
        master: this.#master,
        up: this.#up,
        inside: (section) => withNetns(masterNetns, section),
        netfilter: this.#netfilter,
        isHopKept: engine === "ebpf",
        savedPath,
      });
    if (engine === "ebpf") return new NoIntake();
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
      ensureClsact(socket, this.#up.ifindex); // the programs of another engine may hang there
      redirectToIngress(socket, this.#up.ifindex, ifindex);
      this.#redirects = true;
    } catch (error) {
      // A kernel without clsact, u32 or mirred: what goes up takes the raw sockets instead.
      if (!(error instanceof NetlinkError)) throw error;
    }
  }

  /**
   * The pair of a former run, or of the namespace where the master was before, with nothing on it but programs: those
   * move frames on until others take their place.
   */
  #findPair(): Pair | undefined {
    const { privateSocket, downName, master } = this.#parts;
    const { socket } = this.#master;
    const down = getLink(privateSocket, downName);
    const up = getLink(socket, upName(master.ifindex));
    if (down === undefined) return undefined;
    if (up === undefined || down.link !== up.index) {
      deleteLink(privateSocket, down.index);
      return undefined;
    }
    try {
      if (!HOOKS.some((hook) => findClsBpf(socket, up.index, hook) !== undefined))
        deleteClsact(socket, up.index);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error; // there was none
    }
    return [down.index, { name: up.name, ifindex: up.index }];
  }

  /** A former run may have been killed between two modes; what it left of this one goes on. */
  #clearLeftovers(mode: Mode): void {
    const { masterNetns, master, savedPath } = this.#parts;
    const { name } = this.#master;
    const kept = mode === "l3s" ? "hooks" : "nothing";
    withNetns(masterNetns, () => removeLeftovers({ ...master, name }, savedPath, kept));
  }

  #makePair(): Pair {
    const { privateSocket, masterNetns, master, alias, downName } = this.#parts;
    const { mac } = master;
    const name = upName(master.ifindex);
    const down = addVeth(privateSocket, {
      name: downName,
      mac,
      mtu: PAIR_MTU,
      noarp: true,
      alias,
      peer: { name, mac, mtu: PAIR_MTU, noarp: true, netnsFd: masterNetns },
    });
    return [down.index, { name, ifindex: getLink(this.#master.socket, name)!.index }];
  }

  /** A device that is new in its namespace has that namespace's defaults. */
  #prepareUp(): void {
    const { privateSocket, masterNetns, master } = this.#parts;
    const { socket } = this.#master;
    const { name, ifindex } = this.#up;
    withNetns(masterNetns, () => {
      // Where new devices are to have no IPv6, the slaves' packets still pass.
      const disabled = `ipv6/conf/${name}/disable_ipv6`;
      if (findSysctl(disabled) === "1") setSysctl(disabled, 0);
    });
    setLink(socket, ifindex, {
      addrGenModeNone: true,
      alias: `ipvlan: from the slaves of ${master.name} up into this namespace`,
    });
    setLink(socket, ifindex, { mac: master.mac, up: true });
    setLink(privateSocket, this.pairIfindex, { mac: master.mac, up: true });
  }
}

/** Index of the end in the private namespace, and the end in the master's. */
type Pair = [number, { readonly name: string; readonly ifindex: number }];

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

/** Removes what a port left in this namespace, all but its pair; `kept`: what of it stays. */
export function removeLeftovers(
  { name, ifindex }: { readonly name: string; readonly ifindex: number },
  savedPath: string,
  kept: "nothing" | "hooks" = "nothing",
): void {
  const socket = NetlinkSocket.open();
  const netfilter = findNftables();
  const master = { socket, name, ifindex };
  const table = tableName(master);
  const up = upName(ifindex);
  try {
    blackholeRouting(master).clear();
    if (netfilter !== undefined) removeTable(netfilter, table);
    if (kept === "hooks") return;
    hookRouting(master, up).clear();
    restoreSysctls({ master, up: { name: up, ifindex: 0 }, savedPath });
    if (netfilter !== undefined) removeHopKeeper(netfilter, table);
  } finally {
    netfilter?.close();
    socket.close();
  }
}

/** From this namespace to the one where the master is now, under a new index perhaps. */
export function movePair(ifindex: number, netnsFd: number, newIfindex: number): void {
  const socket = NetlinkSocket.open();
  try {
    const up = getLink(socket, upName(ifindex));
    if (up !== undefined) setLink(socket, up.index, { netnsFd, name: upName(newIfindex) });
  } finally {
    socket.close();
  }
}

function unlessGone(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== "ENODEV") throw error;
  }
}

/** Of the pair's end in the master's namespace. */
export const upName = (masterIfindex: number): string => `ipvlup${masterIfindex}`;

/** Tests run as on a kernel that lacks something: IPVLAN_WITHOUT="nftables tc" in the daemon's environment. */
const isLeftOut = (what: "nftables" | "tc"): boolean =>
  (process.env.IPVLAN_WITHOUT ?? "").split(" ").includes(what);
