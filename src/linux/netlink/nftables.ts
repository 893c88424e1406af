/**
 * Keeps frames that belong to slaves from the master's own stack: a chain at the master's ingress drops
 * what the slaves own (sets of addresses), after packet sockets have had their copy and before anything of
 * the stack has.
 *
 * Its rules are `ownerOfDst()` of the driver in the words of nf_tables, and a test compares the two frame by
 * frame. At ingress the kernel has taken one VLAN tag off already; a frame with a second one has none of the
 * protocols asked for here, and so no owner, as it should. Talks to the kernel itself: the nft tool may be
 * missing.
 */
import { ETH_P_ARP, ETH_P_IP, ETH_P_IPV6 } from "../../wire/ethernet.ts";
import * as nft from "./nft-expr.ts";
import * as object from "./nft-object.ts";
import { NetlinkError, type NetlinkSocket } from "./socket.ts";

export interface Consumption {
  table: string;
  /** Name of the master. */
  device: string;
  /** Drop frames to group MACs too (L3); in L2 the master's stack gets those as well as the slaves. */
  groups: boolean;
}

const CHAIN = "ingress";
/** Before all that people usually hang there: what a slave owns is none of the master's business. */
const PRIORITY = -500;
/** Elements in one message: attributes end at 64 KiB, and a socket's send buffer at some 200. */
const ELEMENTS_MAX = 1000;

const PACKET_HOST = 0;
const PACKET_OTHERHOST = 3;
const NEXT_HEADER_ICMP6 = 58;
const NEIGHBOUR_SOLICITATION = 135;

const set4 = (table: string) => ({ table, name: "v4", id: 1, keyLength: 4 }) as const;
const set6 = (table: string) => ({ table, name: "v6", id: 2, keyLength: 16 }) as const;

/**
 * All or nothing. A table of that name that this socket made is replaced, and its elements with it. The table is the
 * socket's: a firewall that is loaded anew (`nft flush ruleset`) does not take it away, the end of the socket does.
 */
export function installConsumption(socket: NetlinkSocket, spec: Consumption): void {
  const { table } = spec;
  // Made first, so that deleting it cannot fail.
  const fresh = [
    object.newTable(table),
    object.deleteTable(table),
    object.newTable(table, "netdev", { isOwned: true }),
  ];
  socket.batch([...fresh, ...contents(spec)], `keep the slaves' frames from ${spec.device}`);
}

/** No error if it is not there. */
export function removeTable(socket: NetlinkSocket, table: string): void {
  const messages = [object.newTable(table), object.deleteTable(table)];
  socket.batch(messages, `remove nf_tables table ${table}`);
}

/** Those that are in already stay. */
export function addElements(
  socket: NetlinkSocket,
  table: string,
  ips: readonly Uint8Array[],
): void {
  for (const [set, some] of bySet(table, ips))
    socket.batch([object.newElements(set, some)], `add addresses to nf_tables table ${table}`);
}

/** Those that are not in do not matter. */
export function deleteElements(
  socket: NetlinkSocket,
  table: string,
  ips: readonly Uint8Array[],
): void {
  const doing = `remove addresses from nf_tables table ${table}`;
  // Added first, so that deleting cannot fail.
  for (const [set, some] of bySet(table, ips))
    socket.batch([object.newElements(set, some), object.deleteElements(set, some)], doing);
}

/** Whether this kernel takes the rules, tried without keeping them. Throws if we may not ask. */
export function isSupported(socket: NetlinkSocket): boolean {
  const spec = { table: "ipvlan-probe", device: "lo", groups: false };
  try {
    const table = object.newTable(spec.table, "netdev", { isOwned: true });
    const messages = [table, ...contents(spec)];
    socket.batch(messages, "try nf_tables", { rehearse: true });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.code !== "EPERM") return false;
    throw error;
  }
}

/** What is in the table. */
function contents({ table, device, groups }: Consumption): object.NftMessage[] {
  return [
    object.newAddressSet(set4(table)),
    object.newAddressSet(set6(table)),
    object.newIngressChain({ table, name: CHAIN, device, priority: PRIORITY }),
    ...rules(table, groups).map((rule) => object.newRule({ table, chain: CHAIN }, rule)),
  ];
}

function rules(table: string, groups: boolean): nft.Expression[][] {
  const v4 = nft.mustBeIn(set4(table));
  const v6 = nft.mustBeIn(set6(table));
  const drop = nft.verdict("drop");
  return [
    ...(groups ? [] : [[...groupFrame, nft.verdict("accept")]]),
    [...ipv4, nft.loadPayload(16, 4), v4, drop],
    [...arp, nft.loadPayload(24, 4), v4, drop],
    [...dadProbe, nft.loadPayload(48, 16), v6, drop],
    [...dadProbe, nft.verdict("accept")], // its destination is a group that many listen to
    [...ipv6, nft.loadPayload(24, 16), v6, drop],
  ];
}

const is = (load: nft.Expression, ...value: number[]): nft.Expression[] => [
  load,
  nft.mustBe(...value),
];
const isProtocol = (type: number) => is(nft.loadProtocol, type >> 8, type & 0xff);

const groupFrame = [
  nft.loadPacketType,
  nft.mustNotBe(PACKET_HOST),
  nft.mustNotBe(PACKET_OTHERHOST),
];

/** Kernel: nft_set_pktinfo_ipv4_validate() asks the same of the header as wire/ipv4.ts. */
const ipv4 = [...isProtocol(ETH_P_IP), nft.loadTransportProtocol];

const arp = isProtocol(ETH_P_ARP);

/** Not nft_set_pktinfo_ipv6_validate(): that asks for the payload length, too. */
const ipv6 = [...isProtocol(ETH_P_IPV6), nft.loadPayload(0, 1), nft.mask(0xf0), nft.mustBe(0x60)];

const dadProbe = [
  ...ipv6,
  ...is(nft.loadPayload(8, 16), ...new Uint8Array(16)),
  ...is(nft.loadPayload(6, 1), NEXT_HEADER_ICMP6),
  nft.loadPayload(40, 8), // so much must be there
  ...is(nft.loadPayload(40, 1), NEIGHBOUR_SOLICITATION),
];

/** Addresses by the set they belong into, as many as go into one message. */
function* bySet(
  table: string,
  ips: readonly Uint8Array[],
): Generator<[object.AddressSet, Uint8Array[]]> {
  for (const set of [set4(table), set6(table)]) {
    const ours = ips.filter((ip) => ip.length === set.keyLength);
    for (let i = 0; i < ours.length; i += ELEMENTS_MAX)
      yield [set, ours.slice(i, i + ELEMENTS_MAX)];
  }
}
