/** IP of a namespace: what comes in goes to its sockets or on to others, and what goes out finds its way. */
import type { Ip } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import type { Frame } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import type { Clock } from "./clock.ts";
import type { Device } from "./device.ts";
import type { Icmp } from "./icmp.ts";
import type { Failure } from "./icmp-errors.ts";
import type { Namespace } from "./namespace.ts";
import type { NeighbourDiscovery } from "./neighbour-discovery.ts";
import * as packets from "./packets.ts";
import { hasPrefix, type Route } from "./routes.ts";
import type { Asked } from "./routing.ts";

export interface IpLayerParts {
  readonly netns: Namespace;
  readonly clock: Clock;
  readonly discovery: NeighbourDiscovery;
  readonly icmp: Icmp;
}

export class IpLayer {
  readonly #netns: Namespace;
  readonly #clock: Clock;
  readonly #discovery: NeighbourDiscovery;
  readonly #icmp: Icmp;

  constructor({ netns, clock, discovery, icmp }: IpLayerParts) {
    this.#netns = netns;
    this.#clock = clock;
    this.#discovery = discovery;
    this.#icmp = icmp;
  }

  /** A packet with a sound header. Undefined: it has gone on, was heard, or has been told as lost already. */
  receive(device: Device, f: Frame): string | undefined {
    const netns = this.#netns;
    if (!netns.passes("prerouting", f, device, undefined)) return undefined;
    if (packets.isDiscovery(f)) {
      if (netns.passes("input", f, device, undefined)) this.#discovery.hear(device, f);
      return undefined;
    }
    if (!packets.isIpv6(f) && netns.isLocal(packets.srcOf(f))) return "martian-source";
    if (device.input?.(f)) return undefined;
    if (!netns.isLocal(packets.dstOf(f))) return this.#forward(device, f);
    this.#deliver(device, f);
    return undefined;
  }

  /** Sends a packet by the routes. Whether there is a way. */
  output(f: Frame): boolean {
    const dst = packets.dstOf(f);
    if (this.#netns.isLocal(dst)) {
      this.#loop(f);
      return true;
    }
    const route = this.#find(f, dst, {});
    if (route === undefined) return false;
    if (isTooBig(f, route.device))
      this.#netns.lose(route.device, f, this.refuse(f, "too big", route.device.mtu));
    else if (this.#netns.passes("output", f, undefined, route.device))
      this.#emit(undefined, route.device, f, route.via ?? dst);
    return true;
  }

  /**
   * Sends what a slave sends out of its master, whatever other routes say; what is for this namespace stays in it. `up`:
   * the packet is forwarded from there, by the hooks (L3S); undefined: past them (L3). Whether there is a way.
   */
  outputBy(master: Device, f: Frame, isOnLinkElse: boolean, up?: Device): boolean {
    const netns = this.#netns;
    if (up !== undefined && !netns.passes("prerouting", f, up, undefined)) return true;
    const dst = packets.dstOf(f);
    if (netns.isLocal(dst)) {
      this.#clock.after(0, () => {
        if (up === undefined && !netns.passes("prerouting", f, master, undefined)) return;
        this.#deliver(up ?? master, f);
      });
      return true;
    }
    const route = this.#find(f, dst, { out: master });
    if (route === undefined && !isOnLinkElse) return false;
    const next = route?.via ?? dst;
    if (up === undefined) netns.transmit(master, f, next);
    else if (netns.passes("forward", f, up, master)) this.#emit(up, master, f, next);
    return true;
  }

  /** What comes from the wire for a slave is forwarded to where they are (L3S). Whether it may go on. */
  forwardTo(up: Device, master: Device, f: Frame): boolean {
    const reason = ethernet.isGroup(f)
      ? "not-forwarding"
      : packets.ttlOf(f) <= 1 && this.refuse(f, "time exceeded");
    if (reason !== false) this.#netns.lose(master, f, reason);
    return (
      reason === false &&
      this.#netns.passes("forward", f, master, up) &&
      this.#netns.passes("postrouting", f, master, up)
    );
  }

  /** Tells a packet's sender why it goes no further. The reason. */
  refuse(f: Frame, failure: Failure, mtu = 0): string {
    this.#icmp.tell(failure, f, mtu);
    return failure.replace(" ", "-");
  }

  #find(f: Frame, dst: Ip, asked: Omit<Asked, "src">): Route | undefined {
    const routing = this.#netns.routing[dst.length === 4 ? 4 : 16];
    return routing.find(dst, routing.isRuled ? { ...asked, src: packets.srcOf(f) } : asked);
  }

  /** To this namespace itself. */
  #loop(f: Frame): void {
    const netns = this.#netns;
    const lo = netns.devices.find(({ isLoopback }) => isLoopback);
    if (!netns.passes("output", f, undefined, lo) || !netns.passes("postrouting", f, undefined, lo))
      return;
    this.#clock.after(0, () => {
      if (netns.passes("prerouting", f, lo, undefined)) this.#deliver(lo, f);
    });
  }

  /** The last hook, and out. */
  #emit(from: Device | undefined, to: Device, f: Frame, next: Ip): void {
    if (this.#netns.passes("postrouting", f, from, to)) this.#netns.transmit(to, f, next);
  }

  /** To whoever waits for it in this namespace. */
  #deliver(from: Device | undefined, f: Frame): void {
    if (!this.#netns.passes("input", f, from, undefined)) return;
    const reason = this.#hear(from, f);
    if (reason !== undefined && from !== undefined) this.#netns.lose(from, f, reason);
  }

  /** Undefined: somebody has heard it. */
  #hear(from: Device | undefined, f: Frame): string | undefined {
    if (packets.isFragment(f)) return "fragment";
    switch (packets.protocolOf(f)) {
      case icmp.PROTOCOL:
      case icmp.PROTOCOL6:
        this.#icmp.hear(from, f);
        return undefined;
      case udp.PROTOCOL:
        return this.#netns.udp.hear(f);
      case tcp.PROTOCOL:
        return this.#netns.tcp.hear(f);
    }
    return "unknown-protocol";
  }

  #forward(from: Device, f: Frame): string | undefined {
    const ttl = packets.ttlOf(f);
    if (ethernet.isGroup(f) || !this.#netns.isForwarding[packets.isIpv6(f) ? 16 : 4])
      return "not-forwarding";
    if (ttl <= 1) return this.refuse(f, "time exceeded");
    const dst = packets.dstOf(f);
    const route = this.#find(f, dst, { by: from });
    if (route === undefined) return this.refuse(f, "no route");
    if (isTooBig(f, route.device)) {
      if (packets.isIpv6(f) || ipv4.dontFragment(f, packets.IP))
        return this.refuse(f, "too big", route.device.mtu);
      return "fragmentation";
    }
    packets.setTtl(f, ttl - 1);
    if (route.device === from) this.#redirect(from, f, route.via ?? dst);
    if (this.#netns.passes("forward", f, from, route.device))
      this.#emit(from, route.device, f, route.via ?? dst);
    return undefined;
  }

  /** The sender, on the same link as the next hop, might ask that one itself: RFC 1812 §5.2.7.2. */
  #redirect(device: Device, f: Frame, next: Ip): void {
    const src = packets.srcOf(f);
    const isNear = this.#netns
      .addressesOf(device)
      .some((address) => hasPrefix(src, address) && hasPrefix(next, address));
    if (isNear && src.length === 4) this.#icmp.redirect(f, next);
  }
}

const isTooBig = (f: Frame, device: Device): boolean => f.length - packets.IP > device.mtu;
