/** Why frames end, in words. The driver's own reasons are those of `driver/statistics.ts`. */
export const losses: Readonly<Record<string, string>> = {
  // The driver's.
  runt: "shorter than an Ethernet header",
  isolated: "for another slave, and the port is private",
  pause: "a PAUSE frame, which stays where it is",
  "group-in-l3": "broadcast or multicast, which l3 and l3s do not carry",
  "not-ip": "neither IPv4 nor IPv6, or tagged: l3 and l3s route nothing else",
  "forged-mac": "its source MAC is not the port's",
  "shared-probe": "a probe for the link-local address that all slaves would share",
  "bad-source": "its source is a loopback address",
  "no-route": "no route to its destination",
  "no-neighbour": "the next hop's MAC is not known",
  backlog: "too many floods are waiting",
  "send-failed": "the master did not take it",
  // The stacks'.
  down: "the device is down",
  "other-host": "for another MAC",
  noarp: "ARP, at a device that has no neighbours to resolve",
  "bad-header": "its header is broken",
  "unknown-type": "of a type that this stack does not know",
  "martian-source": "it says that it comes from an address of this very namespace",
  "not-forwarding": "for somebody else, and this namespace does not forward",
  "no-host": "nobody answered who its next hop is",
  "time-exceeded": "it has passed too many routers",
  "too-big": "longer than the MTU of the device by which it would leave",
  fragmentation:
    "longer than the MTU of the device by which it would leave; it may be cut, but this stack does not",
  fragment: "a piece of a packet: this stack does not put them together",
  "no-port": "nobody listens at its port",
  "no-connection": "of no TCP connection that there is",
  "bad-checksum": "its checksum is wrong",
  "unknown-protocol": "of a protocol that this stack does not know",
  "netfilter-prerouting": "a rule or policy at prerouting dropped it",
  "netfilter-input": "a rule or policy at input dropped it, or the table of connections is full",
  "netfilter-forward": "a rule or policy at forward dropped it",
  "netfilter-output": "a rule or policy at output dropped it",
  "netfilter-postrouting":
    "a rule or policy at postrouting dropped it, or nothing is free to masquerade it as",
  // Cables' and switches'.
  "cable-loss": "lost on the cable",
  "too-long": "longer than the MTU of the cable's other end",
  "cable-full": "too many frames are on the cable",
  "switch-refuses-mac": "the switch does not take frames from this MAC",
};

/** The reason itself, where there are no better words. */
export const wordsOf = (reason: string): string =>
  Object.hasOwn(losses, reason) ? losses[reason]! : reason;
