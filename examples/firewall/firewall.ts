/** A firewall in front of a server: ARP, ICMP, and TCP to the ports 22 and 80 may come in. IPv6 and all else may not. */
import { type Frame, u8, u16 } from "ipvlan/wire";

/** What tc is told: <linux/pkt_cls.h>. */
export const PASS = 0;
export const DROP = 2;

const IP = 14;
const etherType = (f: Frame): number => u16(f, 12);
const protocol = (f: Frame): number => u8(f, IP + 9);
const isFragment = (f: Frame): boolean => (u16(f, IP + 6) & 0x1fff) !== 0;
const headerLength = (f: Frame): number => (u8(f, IP) & 15) * 4;
const dstPort = (f: Frame): number => u16(f, IP + headerLength(f) + 2);
const isOpen = (port: number): boolean => port === 22 || port === 80;

export function firewall(f: Frame): number {
  if (etherType(f) === 0x0806) return PASS;
  if (etherType(f) !== 0x0800) return DROP;
  if (protocol(f) === 1) return PASS;
  const isTcp = protocol(f) === 6 && !isFragment(f);
  return isTcp && isOpen(dstPort(f)) ? PASS : DROP;
}
