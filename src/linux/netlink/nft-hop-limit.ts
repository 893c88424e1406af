/**
 * Gives packets the hop back that forwarding takes, where they came with all 255: whoever sends them into the
 * forwarding has no room to add one, and marks them with a source MAC of its own. Neighbour discovery, BGP's
 * and other protocols' security is that the hop limit is 255 (RFC 4861 §3.1, RFC 5082).
 */
import { ETH_P_IP, ETH_P_IPV6 } from "../../wire/ethernet.ts";
import * as nft from "./nft-expr.ts";
import * as object from "./nft-object.ts";
import type { NetlinkSocket } from "./socket.ts";

export interface HopKeeper {
  readonly table: string;
  /** The device by which they come into the forwarding. */
  readonly ifindex: number;
  readonly markMac: Uint8Array;
  /** It stays when the socket is closed; else it goes with it, and `nft flush ruleset` passes it over. */
  readonly isKept: boolean;
}

const CHAIN = "forward";
/** Before any rule of a person, who should see the packet as it was sent. */
const PRIORITY = -500;
const FULL = 255;

/** All or nothing. A table of that name that is there is replaced. */
export function installHopKeeper(socket: NetlinkSocket, spec: HopKeeper): void {
  const { table } = spec;
  const rule = (type: number, ...change: nft.Expression[]) =>
    object.newRule(
      { table, chain: CHAIN },
      [...marked(spec), ...isProtocol(type), ...change],
      "inet",
    );
  const messages = [
    object.newTable(table, "inet"),
    object.deleteTable(table, "inet"),
    object.newTable(table, "inet", { isOwned: !spec.isKept }),
    object.newForwardChain({ table, name: CHAIN, priority: PRIORITY }),
    rule(ETH_P_IP, ...nft.setPayload(8, FULL, 10)),
    rule(ETH_P_IPV6, ...nft.setPayload(7, FULL)),
  ];
  socket.batch(messages, "keep hop limits of 255");
}

/** No error if it is not there. */
export function removeHopKeeper(socket: NetlinkSocket, table: string): void {
  const messages = [object.newTable(table, "inet"), object.deleteTable(table, "inet")];
  socket.batch(messages, `remove nf_tables table ${table}`);
}

function marked({ ifindex, markMac }: HopKeeper): nft.Expression[] {
  const index = new Uint8Array(Uint32Array.of(ifindex).buffer);
  return [
    nft.loadInputDevice,
    nft.mustBe(...index),
    nft.loadLinkPayload(6, 6),
    nft.mustBe(...markMac),
  ];
}

const isProtocol = (type: number): nft.Expression[] => [
  nft.loadProtocol,
  nft.mustBe(type >> 8, type & 0xff),
];
