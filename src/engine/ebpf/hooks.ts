/**
 * Where a port's programs hang. At the master and at the pair's end: tcx links, pinned, beside whatever others hang
 * there; before Linux 6.6, filters. At the host ends: filters of a block that they all share. A tcx link would cost
 * each new slave a grace period of RCU, eight milliseconds where a block costs a tenth of one; and a new program is
 * every slave's at once.
 */
import { attachTcx, linkInfo, updateLink } from "../../linux/bpf/links.ts";
import { NetlinkError, type NetlinkSocket } from "../../linux/netlink/socket.ts";
import * as tc from "../../linux/netlink/tc.ts";
import { withNetns } from "../../linux/netns.ts";
import { close, ENOENT, SysError } from "../../linux/sys.ts";
import type { Pins } from "./pins.ts";
import type { ProgramName } from "./programs.ts";

export interface HooksParts {
  /** rtnetlink in the master's namespace. */
  readonly socket: NetlinkSocket;
  readonly masterNetns: number;
  readonly masterIfindex: number;
  readonly pins: Pins;
}

/** Blocks are numbered by namespace; ours, by this and the master's ifindex. */
const BLOCKS = 770_000_000;

export class Hooks {
  readonly #parts: HooksParts;

  constructor(parts: HooksParts) {
    this.#parts = parts;
  }

  /** Whether a former run's program hangs there. */
  has(name: ProgramName, ifindex: number, hook: tc.Hook): boolean {
    if (this.#withLink(name, ifindex, () => true)) return true;
    return tc.findClsBpf(this.#parts.socket, ifindex, hook) !== undefined;
  }

  /** Throws NetlinkError where host ends could get no program later: finds out at a device that is ours. */
  tryFilters(ifindex: number, program: number): void {
    const { socket } = this.#parts;
    if (isLeftOut("tc")) throw new NetlinkError("attach a program to a device", ENOENT);
    tc.attachClsBpf(socket, ifindex, "egress", program, "trial");
    tc.detachClsBpf(socket, ifindex, "egress");
  }

  /** In the place of what hangs there under that name; no frame passes between the two. */
  attach(name: ProgramName, program: number, ifindex: number, hook: tc.Hook): void {
    const isReplaced = this.#withLink(name, ifindex, (link) => {
      updateLink(link, program);
      return true;
    });
    if (isReplaced) return;
    const link = this.#makeLink(program, ifindex, hook);
    if (link === undefined) {
      tc.attachClsBpf(this.#parts.socket, ifindex, hook, program, name);
      return;
    }
    try {
      this.#parts.pins.set(name, link);
    } finally {
      close(link);
    }
    detachFilter(this.#parts.socket, ifindex, hook); // of a run that did without tcx
  }

  detach(name: ProgramName, ifindex: number, hook: tc.Hook): void {
    this.#parts.pins.remove(name);
    detachFilter(this.#parts.socket, ifindex, hook);
  }

  /** A host end gets the program of all. */
  addHost(ifindex: number, program: number): void {
    const { socket } = this.#parts;
    unlessThere(() => tc.joinBlock(socket, ifindex, this.#block));
    // The block, and its program with it, goes with the last device and comes with the first.
    unlessThere(() => tc.attachToBlock(socket, this.#block, program, "xmit", true));
  }

  /** All host ends get another. */
  replaceAtHosts(program: number): void {
    const { socket } = this.#parts;
    tolerate(() => tc.attachToBlock(socket, this.#block, program, "xmit", false)); // if there are any
  }

  get #block(): number {
    return BLOCKS + this.#parts.masterIfindex;
  }

  /** Undefined: there is no link, or one to another device. */
  #withLink<T>(name: ProgramName, ifindex: number, section: (link: number) => T): T | undefined {
    const link = this.#parts.pins.open(name, "link");
    if (link === undefined) return undefined;
    try {
      return linkInfo(link)?.ifindex === ifindex ? section(link) : undefined;
    } finally {
      close(link);
    }
  }

  /** Undefined: this kernel has no tcx. */
  #makeLink(program: number, ifindex: number, hook: tc.Hook): number | undefined {
    if (isLeftOut("tcx")) return undefined;
    try {
      return withNetns(this.#parts.masterNetns, () => attachTcx(program, ifindex, hook));
    } catch (error) {
      if (error instanceof SysError && error.code === "EINVAL") return undefined;
      throw error;
    }
  }
}

/** Tests run as on a kernel that lacks something: IPVLAN_WITHOUT="tcx" in the daemon's environment. */
const isLeftOut = (what: "tc" | "tcx"): boolean =>
  (process.env.IPVLAN_WITHOUT ?? "").split(" ").includes(what);

/** What hangs there as on a kernel without tcx, if anything does. */
export const detachFilter = (socket: NetlinkSocket, ifindex: number, hook: tc.Hook): void =>
  tolerate(() => tc.detachClsBpf(socket, ifindex, hook));

function unlessThere(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== "EEXIST") throw error;
  }
}

/** Devices go, and with them what hangs at them. */
function tolerate(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
  }
}
