/**
 * `ipvlan/wire`: headers read and written in place. One namespace per header, over `(frame, at)`; addresses
 * as text and bytes; one line about any frame.
 *
 *     const f = Frame.of(bytes);
 *     if (ethernet.type(f) === ethernet.ETH_P_IP && ipv4.check(f, ethernet.HEADER))
 *       ipv4.setTtl(f, ethernet.HEADER, 64);
 */
export * from "./address.ts";
export * as arp from "./arp.ts";
export * as checksum from "./checksum.ts";
export { dump } from "./dump.ts";
export * as ethernet from "./ethernet.ts";
export * from "./frame.ts";
export * as icmp from "./icmp.ts";
export * as ipv4 from "./ipv4.ts";
export * as ipv6 from "./ipv6.ts";
export * as ndisc from "./ndisc.ts";
export * as pseudoHeader from "./pseudo-header.ts";
export * as tcp from "./tcp.ts";
export * as udp from "./udp.ts";
