/**
 * Source MAC of packets that go into the hooks with a hop limit of 255: the mark by which the master's
 * namespace gives the hop back itself (linux/netlink/nft-hop-limit.ts). Locally administered, on no wire.
 */
export const FULL_HOPS_MAC_HIGH = 0x0269;
export const FULL_HOPS_MAC_LOW = 0x70766cff;
