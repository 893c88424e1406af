/** Messages that make and remove the objects of nf_tables: to be sent in a batch. man: nft(8). */
import { AttrWriter, type Message } from "./codec.ts";
import { NLM_F_APPEND, NLM_F_CREATE } from "./constants.ts";
import type { Expression } from "./nft-expr.ts";

export type NftMessage = Pick<Message, "type" | "flags" | "payload">;

/** Where a table's chains hang: at devices, or at the hooks of IPv4 and IPv6. Kernel: uapi/linux/netfilter.h. */
export type Family = keyof typeof FAMILIES;
const FAMILIES = { netdev: 5, inet: 1 } as const;

/** A set of addresses of one family. */
export interface AddressSet {
  readonly table: string;
  readonly name: string;
  /** Names it within the batch that makes it. */
  readonly id: number;
  /** Of an address, in bytes. */
  readonly keyLength: 4 | 16;
}

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;

const NF_NETDEV_INGRESS = 0;
const NF_INET_FORWARD = 2;
const NF_ACCEPT = 1;
const NFT_TABLE_F_OWNER = 2;
/** How nft(8) is to print the keys: its types ipv4_addr and ipv6_addr. */
const NFT_KEY_TYPES = { 4: 7, 16: 8 } as const;

/**
 * `isOwned`: nobody but the socket that makes it changes it, `nft flush ruleset` passes it over, and it goes
 * with the socket. Linux 5.12.
 */
export const newTable = (
  name: string,
  family: Family = "netdev",
  { isOwned = false }: { isOwned?: boolean } = {},
): NftMessage =>
  message(
    NFT_MSG_NEWTABLE,
    NLM_F_CREATE,
    (w) => {
      w.string(1, name); // NFTA_TABLE_NAME
      if (isOwned) w.be32(2, NFT_TABLE_F_OWNER); // NFTA_TABLE_FLAGS
    },
    family,
  );

/** With all that is in it. */
export const deleteTable = (name: string, family: Family = "netdev"): NftMessage =>
  message(NFT_MSG_DELTABLE, 0, (w) => w.string(1, name), family);

export interface ChainSpec {
  readonly table: string;
  readonly name: string;
  readonly priority: number;
}

/** A chain that sees all that arrives at a device, and lets pass what no rule of it drops. */
export const newIngressChain = (spec: ChainSpec & { readonly device: string }): NftMessage =>
  newChain(spec, "netdev", (hook) => hook.be32(1, NF_NETDEV_INGRESS).string(3, spec.device)); // NFTA_HOOK_DEV

/** A chain that sees all that is forwarded, IPv4 and IPv6. */
export const newForwardChain = (spec: ChainSpec): NftMessage =>
  newChain(spec, "inet", (hook) => hook.be32(1, NF_INET_FORWARD));

const newChain = (
  spec: ChainSpec,
  family: Family,
  where: (hook: AttrWriter) => AttrWriter,
): NftMessage =>
  message(
    NFT_MSG_NEWCHAIN,
    NLM_F_CREATE,
    (w) =>
      w
        .string(1, spec.table) // NFTA_CHAIN_TABLE
        .string(3, spec.name) // NFTA_CHAIN_NAME
        .nest(4, (hook) => where(hook).be32(2, spec.priority)) // NFTA_CHAIN_HOOK, NFTA_HOOK_PRIORITY
        .be32(5, NF_ACCEPT) // NFTA_CHAIN_POLICY
        .string(7, "filter"), // NFTA_CHAIN_TYPE
    family,
  );

/** Behind those the chain has. */
export const newRule = (
  { table, chain }: { table: string; chain: string },
  expressions: readonly Expression[],
  family: Family = "netdev",
): NftMessage =>
  message(
    NFT_MSG_NEWRULE,
    NLM_F_CREATE | NLM_F_APPEND,
    (w) =>
      w
        .string(1, table) // NFTA_RULE_TABLE
        .string(2, chain) // NFTA_RULE_CHAIN
        .nest(4, (list) => {
          for (const write of expressions) write(list); // NFTA_RULE_EXPRESSIONS
        }),
    family,
  );

export const newAddressSet = (set: AddressSet): NftMessage =>
  message(
    NFT_MSG_NEWSET,
    NLM_F_CREATE,
    (w) =>
      w
        .string(1, set.table) // NFTA_SET_TABLE
        .string(2, set.name) // NFTA_SET_NAME
        .be32(3, 0) // NFTA_SET_FLAGS
        .be32(4, NFT_KEY_TYPES[set.keyLength]) // NFTA_SET_KEY_TYPE
        .be32(5, set.keyLength) // NFTA_SET_KEY_LEN
        .be32(10, set.id), // NFTA_SET_ID
  );

/** Elements that are there already do not matter. */
export const newElements = (set: AddressSet, ips: readonly Uint8Array[]): NftMessage =>
  message(NFT_MSG_NEWSETELEM, NLM_F_CREATE, (w) => writeElements(w, set, ips));

/** Elements that are not there make the batch fail. */
export const deleteElements = (set: AddressSet, ips: readonly Uint8Array[]): NftMessage =>
  message(NFT_MSG_DELSETELEM, 0, (w) => writeElements(w, set, ips));

function writeElements(w: AttrWriter, set: AddressSet, ips: readonly Uint8Array[]): void {
  w.string(1, set.table) // NFTA_SET_ELEM_LIST_TABLE
    .string(2, set.name) // NFTA_SET_ELEM_LIST_SET
    .be32(4, set.id) // NFTA_SET_ELEM_LIST_SET_ID
    .nest(3, (list) => {
      for (const ip of ips) list.nest(1, (element) => element.nest(1, (key) => key.bytes(1, ip))); // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
    });
}

function message(
  kind: number,
  flags: number,
  fill: (w: AttrWriter) => void,
  family: Family = "netdev",
): NftMessage {
  const w = new AttrWriter(Uint8Array.of(FAMILIES[family], 0, 0, 0)); // struct nfgenmsg
  fill(w);
  return { type: NFNL_SUBSYS_NFTABLES * 256 + kind, flags, payload: w.finish() };
}
