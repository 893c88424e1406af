/**
 * The host of `neighbours.ts` with the pair of devices that leads its packets to the data path, another link, and ears
 * on all of them; no data path: whoever tests says what slaves send, and looks at what would reach them.
 *
 *     w0 ══ m0 [host] up ══ down        x0 ══ y0
 *     LAN     10.0.0.2                  10.9.0.2/24, fd09::2/64
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW } from "../src/engine/master/hop-mark.ts";
import { addHop } from "../src/engine/userspace/packets.ts";
import { addAddress, IFA_F_NODAD } from "../src/linux/netlink/address.ts";
import { addVeth, getLink, setLink, type VethSpec } from "../src/linux/netlink/link.ts";
import { addNeighbour } from "../src/linux/netlink/neighbour.ts";
import { isSupported } from "../src/linux/netlink/nftables.ts";
import { NetlinkSocket } from "../src/linux/netlink/socket.ts";
import { withNetns } from "../src/linux/netns.ts";
import { setSysctl } from "../src/linux/sysctl.ts";
import { formatIp, formatMac, ip4FromNumber, ip6From, macFrom } from "../src/wire/address.ts";
import { dump } from "../src/wire/dump.ts";
import * as eth from "../src/wire/ethernet.ts";
import { Frame } from "../src/wire/frame.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import * as ipv6 from "../src/wire/ipv6.ts";
import * as udp from "../src/wire/udp.ts";
import { type Link, linkToLan, until } from "./neighbours.ts";
import { needsNamespaces, type Scratch } from "./scratch-netns.ts";
import { Tap } from "./tap.ts";
import { frame, ip, mac } from "./topology.ts";

const NETLINK_NETFILTER = 12;

const X0 = [
  ["10.9.0.2", 24],
  ["fd09::2", 64],
] as const;

/** Why a test in this lab is skipped; false if it need not be. */
export const needsLab: string | false =
  needsNamespaces || (spawnSync("ip", ["-V"]).status === 0 ? false : "needs the program ip");

/** Where frames are put on and listened to. */
export type Ear = "w0" | "down" | "y0";

export class HooksLab {
  readonly link: Link;
  /** For `HooksIntake`, `RoutesIntake` and `NftablesIntake`. */
  readonly master: { socket: NetlinkSocket; name: string; ifindex: number };
  readonly up: { name: string; ifindex: number };
  readonly netfilter: NetlinkSocket | undefined;
  readonly savedPath: string;
  readonly isHopKept = false;
  readonly taps: Readonly<Record<Ear, Tap>>;

  constructor(scratch: Scratch) {
    this.link = linkToLan(scratch);
    const { netns, lanNetns, socket, master } = this.link;
    this.master = { socket, name: "m0", ifindex: master };
    const beyond = scratch.namespace();
    // No stack says anything by itself there.
    withNetns(beyond, () => setSysctl("ipv6/conf/default/disable_ipv6", 1));
    const own = { mac: mac("own"), noarp: true };
    const up = cable(socket, scratch.socket(beyond), {
      ...own,
      name: "up",
      peer: { ...own, name: "down", netnsFd: beyond },
    });
    this.up = { name: "up", ifindex: up };
    const x0 = cable(socket, scratch.socket(beyond), {
      name: "x0",
      peer: { name: "y0", netnsFd: beyond },
    });
    for (const [address, prefixLength] of X0)
      addAddress(socket, { ifindex: x0, ip: ip(address), prefixLength, flags: IFA_F_NODAD });
    for (const address of ["10.9.0.1", "fd09::1"])
      addNeighbour(socket, { ifindex: x0, ip: ip(address), mac: mac("other") });
    this.netfilter = withNetns(netns, findNftables);
    const folder = mkdtempSync(join(tmpdir(), "sysctls-"));
    this.savedPath = join(folder, "saved.json");
    const tap = (fd: number, device: string) => new Tap(`/proc/self/fd/${fd}`, device);
    this.taps = { w0: tap(lanNetns, "w0"), down: tap(beyond, "down"), y0: tap(beyond, "y0") };
    scratch.later(() => {
      rmSync(folder, { recursive: true });
      for (const one of Object.values(this.taps)) one.close();
      this.netfilter?.close();
    });
  }

  inside = <T>(section: () => T): T => withNetns(this.link.netns, section);

  run(line: string): string {
    return this.inside(() => execFileSync("sh", ["-ec", line], { encoding: "utf8" }));
  }

  /** A packet `FROM>TO` that comes in by the device of a tap. */
  send(by: Ear, ends: string, hops: number = 64): void {
    this.taps[by].send(packet(ends, hops).view());
  }

  /** What a slave sends, as the data path puts it into the hooks. */
  sendSlave(ends: string, hops: number = 64): void {
    const f = packet(ends, hops);
    if (!addHop(f)) eth.setSrc(f, FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW);
    this.taps.down.send(f.view());
  }

  /** What has come by since the last call: "FROM>TO DST-MAC hops N" of UDP, a line in other words of the rest. */
  heard(at: Ear): string[] {
    const lines = this.taps[at].heard().map((bytes) => tell(Frame.of(bytes)));
    return lines.filter((line) => !CHATTER.test(line));
  }

  /** Waits for a packet `FROM>TO`; what else `heard` told of it. */
  hear(at: Ear, ends: string): string {
    let told: string | undefined;
    until(() => {
      told = this.heard(at).find((line) => line.startsWith(`${ends} `));
      return told !== undefined;
    });
    return told!.slice(ends.length + 1);
  }

  /** All that an intake might leave behind in the host's namespace. */
  snapshot(): string[] {
    return this.run(SHOW.join("\n")).split("\n");
  }
}

/** The index of the first end, when both ends are up. */
function cable(near: NetlinkSocket, far: NetlinkSocket, spec: VethSpec): number {
  const { index } = addVeth(near, spec);
  setLink(near, index, { addrGenModeNone: true });
  setLink(near, index, { up: true });
  setLink(far, getLink(far, spec.peer.name)!.index, { up: true });
  until(() => getLink(near, index)!.operstate === "UP");
  return index;
}

function findNftables(): NetlinkSocket | undefined {
  try {
    const socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
    if (isSupported(socket)) return socket;
    socket.close();
  } catch {
    // A kernel without it.
  }
  return undefined;
}

function packet(ends: string, hops: number): Frame {
  const f = frame(`own>own ${ends}`);
  if (eth.type(f) === eth.ETH_P_IP) ipv4.setTtl(f, eth.HEADER, hops);
  else ipv6.setHopLimit(f, eth.HEADER, hops);
  return f;
}

function tell(f: Frame): string {
  const to = formatMac(macFrom(eth.dstHigh(f), eth.dstLow(f)));
  const at = eth.HEADER;
  if (eth.type(f) === eth.ETH_P_IP && ipv4.protocol(f, at) === udp.PROTOCOL) {
    const [src, dst] = [ipv4.src(f, at), ipv4.dst(f, at)].map((n) => formatIp(ip4FromNumber(n)));
    return `${src}>${dst} ${to} hops ${ipv4.ttl(f, at)}`;
  }
  if (eth.type(f) === eth.ETH_P_IPV6 && ipv6.nextHeader(f, at) === udp.PROTOCOL) {
    const [src, dst] = [ipv6.srcAt(at), ipv6.dstAt(at)].map((n) => formatIp(ip6From(f, n)));
    return `${src}>${dst} ${to} hops ${ipv6.hopLimit(f, at)}`;
  }
  return dump(f);
}

/** What kernels say by themselves when a device comes up: duplicate detection, MLD, router solicitations. */
const CHATTER = /^:: > |> ff02::(2|16) /;

const SHOW: readonly string[] = [
  "grep -rs . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf || true", // not all can be read
  "ip -o link; ip -o addr; ip -4 rule; ip -6 rule",
  "ip -4 route show table all; ip -6 route show table all",
  "nft list ruleset 2>/dev/null || true",
];
