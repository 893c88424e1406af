/** Messages that make and remove the objects of nf_tables, of family netdev: to be sent in a batch. man: nft(8). */
import { AttrWriter, type Message } from "./codec.ts";
import { NLM_F_APPEND, NLM_F_CREATE } from "./constants.ts";
import type { Expression } from "./nft-expr.ts";

export type NftMessage = Pick<Message, "type" | "flags" | "payload">;

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
const NFPROTO_NETDEV = 5;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;

const NF_NETDEV_INGRESS = 0;
const NF_ACCEPT = 1;
/** How nft(8) is to print the keys: its types ipv4_addr and ipv6_addr. */
const NFT_KEY_TYPES = { 4: 7, 16: 8 } as const;

export const newTable = (name: string): NftMessage =>
  message(NFT_MSG_NEWTABLE, NLM_F_CREATE, (w) => w.string(1, name)); // NFTA_TABLE_NAME

/** With all that is in it. */
export const deleteTable = (name: string): NftMessage =>
  message(NFT_MSG_DELTABLE, 0, (w) => w.string(1, name));

/** A chain that sees all that arrives at a device, and lets pass what no rule of it drops. */
export const newIngressChain = (spec: {
  table: string;
  name: string;
  device: string;
  priority: number;
}): NftMessage =>
  message(
    NFT_MSG_NEWCHAIN,
    NLM_F_CREATE,
    (w) =>
      w
        .string(1, spec.table) // NFTA_CHAIN_TABLE
        .string(3, spec.name) // NFTA_CHAIN_NAME
        .nest(
          4,
          (hook) =>
            hook // NFTA_CHAIN_HOOK
              .be32(1, NF_NETDEV_INGRESS) // NFTA_HOOK_HOOKNUM
              .be32(2, spec.priority) // NFTA_HOOK_PRIORITY
              .string(3, spec.device), // NFTA_HOOK_DEV
        )
        .be32(5, NF_ACCEPT) // NFTA_CHAIN_POLICY
        .string(7, "filter"), // NFTA_CHAIN_TYPE
  );

/** Behind those the chain has. */
export const newRule = (
  { table, chain }: { table: string; chain: string },
  expressions: readonly Expression[],
): NftMessage =>
  message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, (w) =>
    w
      .string(1, table) // NFTA_RULE_TABLE
      .string(2, chain) // NFTA_RULE_CHAIN
      .nest(4, (list) => {
        for (const write of expressions) write(list); // NFTA_RULE_EXPRESSIONS
      }),
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

function message(kind: number, flags: number, fill: (w: AttrWriter) => void): NftMessage {
  const w = new AttrWriter(Uint8Array.of(NFPROTO_NETDEV, 0, 0, 0)); // struct nfgenmsg
  fill(w);
  return { type: NFNL_SUBSYS_NFTABLES * 256 + kind, flags, payload: w.finish() };
}
