/**
 * IPv6 link-local addresses of slaves that share one MAC. Kernel: addrconf_ifid_eui48() with `dev->dev_id`.
 *
 *     MAC            02:00:00 : 00:00:02
 *     all would form fe80::00 00:00 ff:fe 00:00:02      EUI-64: ff:fe between, U/L bit turned (RFC 4291 appendix A)
 *     with id 1      fe80::02 00:00 00:01 00:00:02      the id between, U/L bit kept
 */
import type { Ip, Mac } from "../wire/address.ts";
import type { Slave } from "./decide/machine.ts";

/** The address of the slave with this device id. */
export const linkLocal = (mac: Mac, deviceId: Slave): Ip =>
  join(mac, mac[0]!, deviceId >>> 8, deviceId & 0xff);

/** The address that every slave's own stack would form. */
export const sharedLinkLocal = (mac: Mac): Ip => join(mac, mac[0]! ^ 0x02, 0xff, 0xfe);

const join = (mac: Mac, first: number, high: number, low: number): Ip =>
  // biome-ignore format: the columns of RFC 4291
  Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0,
    first, mac[1]!, mac[2]!, high, low, mac[3]!, mac[4]!, mac[5]!);
