/**
 * The routing of the master's namespace, as far as frames of l3 slaves need it: the subnets of the master's
 * addresses, its permanent neighbours, groups. For a neighbour it does not know the namespace asks by itself,
 * so the frame does not leave. Kernel: ipvlan_process_v4_outbound(), ipvlan_process_v6_outbound().
 */
import {
  formatIp,
  type Ip,
  ip4FromNumber,
  ip6From,
  type Mac,
  type Prefix,
} from "../../src/wire/address.ts";
import * as eth from "../../src/wire/ethernet.ts";
import type { Frame } from "../../src/wire/frame.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as ipv6 from "../../src/wire/ipv6.ts";
import { groupMac, type Lab } from "./lab.ts";

/** The frame as it leaves by the wire, with new MACs; undefined: it does not leave. */
export function routed(lab: Lab, f: Frame): Uint8Array | undefined {
  const mac = nextMac(lab, destination(f));
  if (mac === undefined) return undefined;
  const leaving = f.view().slice();
  leaving.set(mac, 0);
  leaving.set(lab.master.mac, mac.length);
  return leaving;
}

const destination = (f: Frame): Ip =>
  eth.type(f) === eth.ETH_P_IPV6
    ? ip6From(f, ipv6.dstAt(eth.HEADER))
    : ip4FromNumber(ipv4.dst(f, eth.HEADER));

function nextMac(lab: Lab, dst: Ip): Mac | undefined {
  const text = formatIp(dst);
  const { addresses } = lab.master;
  if (addresses.some((own) => formatIp(own.ip) === text)) return undefined;
  if (dst.length === 16 && dst[0] === 0xff) return leavesItsNode(dst) ? groupMac(dst) : undefined;
  // IPv4 without a route is on-link; IPv6 is not.
  if (dst.length === 16 && !addresses.some((own) => isInSubnet(dst, own))) return undefined;
  return lab.neighbours.get(text);
}

/** By the group's scope, RFC 4291 §2.7. */
const leavesItsNode = (group: Ip): boolean => (group[1]! & 0x0f) > 1;

const isInSubnet = (ip: Ip, subnet: Prefix): boolean =>
  ip.length === subnet.ip.length &&
  bits(ip).slice(0, subnet.length) === bits(subnet.ip).slice(0, subnet.length);

const bits = (ip: Ip): string =>
  Array.from(ip, (byte) => byte.toString(2).padStart(8, "0")).join("");
