/**
 * Expressions of nf_tables: a rule is a list of them; each loads something into the register, or looks at it and
 * breaks off, or says the verdict. Loading what a packet does not have breaks off too. Kernel:
 * uapi/linux/netfilter/nf_tables.h; `nft --debug=netlink` prints them.
 */
import type { AttrWriter } from "./codec.ts";

/** Writes one expression into a list of them. */
export type Expression = (list: AttrWriter) => AttrWriter;

export type Verdict = "accept" | "drop";

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;

/** 16 bytes: one is enough, since every rule uses up what it loads before it loads again. */
const NFT_REG_1 = 1;
const NFT_REG_VERDICT = 0;
const NF_VERDICTS = { drop: 0, accept: 1 } as const;

const NFT_META_PROTOCOL = 1;
const NFT_META_IIF = 4;
const NFT_META_L4PROTO = 16;
const NFT_META_PKTTYPE = 19;
const NFT_PAYLOAD_LL_HEADER = 0;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_CSUM_INET = 1;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;

/** The ethertype, behind a VLAN tag: at ingress the kernel has taken that off. */
export const loadProtocol: Expression = meta(NFT_META_PROTOCOL);
/** Is there only where the kernel found a valid IP header. */
export const loadTransportProtocol: Expression = meta(NFT_META_L4PROTO);
/** PACKET_HOST, PACKET_BROADCAST, …, in one byte. */
export const loadPacketType: Expression = meta(NFT_META_PKTTYPE);

/** Index of the device it came in by, four bytes in the machine's order. */
export const loadInputDevice: Expression = meta(NFT_META_IIF);

/** `length` bytes from `offset` on, counted from the network header. */
export const loadPayload = (offset: number, length: number): Expression =>
  load(NFT_PAYLOAD_NETWORK_HEADER, offset, length);
/** Counted from the Ethernet header with which it came. */
export const loadLinkPayload = (offset: number, length: number): Expression =>
  load(NFT_PAYLOAD_LL_HEADER, offset, length);

const load = (base: number, offset: number, length: number): Expression =>
  expression(
    "payload",
    (data) =>
      data
        .be32(1, NFT_REG_1) // NFTA_PAYLOAD_DREG
        .be32(2, base) // NFTA_PAYLOAD_BASE
        .be32(3, offset) // NFTA_PAYLOAD_OFFSET
        .be32(4, length), // NFTA_PAYLOAD_LEN
  );

/** Writes one byte, counted from the network header; `checksumAt`: where the header's checksum is to follow it. */
export const setPayload = (offset: number, value: number, checksumAt?: number): Expression[] => [
  expression("immediate", (data) =>
    data
      .be32(1, NFT_REG_1) // NFTA_IMMEDIATE_DREG
      .nest(2, (operand) => operand.bytes(NFTA_DATA_VALUE, Uint8Array.of(value))),
  ),
  expression("payload", (data) => {
    data
      .be32(2, NFT_PAYLOAD_NETWORK_HEADER) // NFTA_PAYLOAD_BASE
      .be32(3, offset) // NFTA_PAYLOAD_OFFSET
      .be32(4, 1) // NFTA_PAYLOAD_LEN
      .be32(5, NFT_REG_1); // NFTA_PAYLOAD_SREG
    if (checksumAt !== undefined)
      data
        .be32(6, NFT_PAYLOAD_CSUM_INET) // NFTA_PAYLOAD_CSUM_TYPE
        .be32(7, checksumAt); // NFTA_PAYLOAD_CSUM_OFFSET
  }),
];

export const mustBe = (...value: number[]): Expression => compare(NFT_CMP_EQ, value);
export const mustNotBe = (...value: number[]): Expression => compare(NFT_CMP_NEQ, value);

/** Keeps those bits of what is loaded. */
export const mask = (...bits: number[]): Expression =>
  expression(
    "bitwise",
    (data) =>
      data
        .be32(1, NFT_REG_1) // NFTA_BITWISE_SREG
        .be32(2, NFT_REG_1) // NFTA_BITWISE_DREG
        .be32(3, bits.length) // NFTA_BITWISE_LEN
        .nest(4, (and) => and.bytes(NFTA_DATA_VALUE, Uint8Array.from(bits))) // NFTA_BITWISE_MASK
        .nest(5, (xor) => xor.bytes(NFTA_DATA_VALUE, new Uint8Array(bits.length))), // NFTA_BITWISE_XOR
  );

/** `id`: the set may be made in the same batch, where it has no other identity yet. */
export const mustBeIn = (set: { name: string; id: number }): Expression =>
  expression(
    "lookup",
    (data) =>
      data
        .string(1, set.name) // NFTA_LOOKUP_SET
        .be32(2, NFT_REG_1) // NFTA_LOOKUP_SREG
        .be32(4, set.id), // NFTA_LOOKUP_SET_ID
  );

export const verdict = (what: Verdict): Expression =>
  expression("immediate", (data) =>
    data
      .be32(1, NFT_REG_VERDICT) // NFTA_IMMEDIATE_DREG
      .nest(2, (value) =>
        value.nest(NFTA_DATA_VERDICT, (v) => v.be32(NFTA_VERDICT_CODE, NF_VERDICTS[what])),
      ),
  );

function meta(key: number): Expression {
  return expression(
    "meta",
    (data) =>
      data
        .be32(1, NFT_REG_1) // NFTA_META_DREG
        .be32(2, key), // NFTA_META_KEY
  );
}

const compare = (op: number, value: number[]): Expression =>
  expression("cmp", (data) =>
    data
      .be32(1, NFT_REG_1) // NFTA_CMP_SREG
      .be32(2, op) // NFTA_CMP_OP
      .nest(3, (operand) => operand.bytes(NFTA_DATA_VALUE, Uint8Array.from(value))),
  );

function expression(name: string, fill: (data: AttrWriter) => void): Expression {
  return (list) =>
    list.nest(NFTA_LIST_ELEM, (e) => e.string(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, fill));
}
