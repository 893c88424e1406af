/** Packets that the master's namespace routes: to itself, or in L3S through its hooks. */
import type { Assembler } from "../../bpf/assembler.ts";
import * as eth from "../../wire/ethernet.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import { FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW } from "../master/hop-mark.ts";
import * as layout from "./layout.ts";
import { SETTINGS_MAC_HIGH, SETTINGS_MAC_LOW } from "./machine.ts";
import * as step from "./steps.ts";

const { R0, R1, R2, R3, R4, R5, R7, CONTEXT, STACK_END } = step;

/** ETH_P_IP and ETH_P_IPV6 as the context has them: network order. */
const IP = 0x0008;
const TTL_AT: number = eth.HEADER + 8;
const HEADER_CHECKSUM_AT: number = eth.HEADER + 10;
const HOP_LIMIT_AT: number = eth.HEADER + 7;
const HOPS_MAX = 255;

/** What the destination is to the namespace (layout.ts, LOCALS) in r7: 0 for nothing of its own. */
export function findLocal(a: Assembler): void {
  const [six, found, none] = [a.newLabel("v6"), a.newLabel("found"), a.newLabel("not_local")];
  a.move(R7, 0).load(4, R1, CONTEXT, step.SKB_PROTOCOL).jumpIf("ne", R1, IP, six);
  a.storeValue(4, STACK_END, step.PREFIX, 32);
  step.loadBytes(a, eth.HEADER + 16, step.PREFIX + 4, 4, none);
  step.lookUp(a, layout.LOCALS4, step.PREFIX);
  a.jumpIf("eq", R0, 0, none).jump(found).label(six);
  a.storeValue(4, STACK_END, step.PREFIX, 128);
  step.loadBytes(a, ipv6.dstAt(eth.HEADER), step.PREFIX + 4, ipv6.ADDRESS, none);
  step.lookUp(a, layout.LOCALS6, step.PREFIX).jumpIf("eq", R0, 0, none);
  a.label(found).load(4, R7, R0, 0).label(none);
}

/**
 * L3: up into the stack by the pair's end. Not by the master, whose taps never see it with Linux's driver either; it
 * sends by the loopback device, whose stack would refuse the source.
 */
export function intoStack(a: Assembler): void {
  ownMac(a, step.BYTES);
  step.storeBytes(a, 0, step.BYTES, 6);
  step.redirectTo(a, layout.SETTINGS_UP, "stack");
}

/** L3S: up into the stack by the pair's end; the hop that forwarding takes is added before. */
export function intoHooks(a: Assembler): void {
  const [full, marked, shot] = [a.newLabel("full"), a.newLabel("marked"), a.newLabel("shot")];
  ownMac(a, step.BYTES);
  takeHop(a, full, shot);
  ownMac(a, step.BYTES + 6);
  a.jump(marked).label(full);
  mac(a, step.BYTES + 6, FULL_HOPS_MAC_HIGH, FULL_HOPS_MAC_LOW);
  step.storeBytes(a.label(marked), 0, step.BYTES, 12);
  step.redirectTo(a, layout.SETTINGS_UP, "stack");
  step.shoot(a.label(shot));
}

/** One hop more, and further; at `full` if there is no room for one, at `short` if there is no header. Uses PREFIX. */
export function takeHop(a: Assembler, full: string, short: string): void {
  const [six, done] = [a.newLabel("v6"), a.newLabel("hop_added")];
  const at = step.PREFIX;
  a.load(4, R1, CONTEXT, step.SKB_PROTOCOL).jumpIf("ne", R1, IP, six);
  step.loadBytes(a, TTL_AT, at, 2, short);
  a.load(1, R1, STACK_END, at).jumpIf("eq", R1, HOPS_MAX, full);
  a.load(2, R3, STACK_END, at).alu("add", R1, 1).store(1, STACK_END, at, R1);
  a.load(2, R4, STACK_END, at).copy(R1, CONTEXT).move(R2, HEADER_CHECKSUM_AT).move(R5, 2);
  a.call("l3_csum_replace");
  step.storeBytes(a, TTL_AT, at, 1).jump(done).label(six);
  step.loadBytes(a, HOP_LIMIT_AT, at, 1, short);
  a.load(1, R1, STACK_END, at).jumpIf("eq", R1, HOPS_MAX, full);
  a.alu("add", R1, 1).store(1, STACK_END, at, R1);
  step.storeBytes(a, HOP_LIMIT_AT, at, 1, true).label(done);
}

/** The master's, as in a frame. */
function ownMac(a: Assembler, to: number): void {
  step.setting(a, R1, SETTINGS_MAC_HIGH);
  step.setting(a, R2, SETTINGS_MAC_LOW);
  storeMac(a, to);
}

function mac(a: Assembler, to: number, high: number, low: number): void {
  a.move(R1, high).move(R2, low);
  storeMac(a, to);
}

/** Bytes 0–1 are in r1, bytes 2–5 in r2. By twos: the stack wants words where words may be. */
function storeMac(a: Assembler, to: number): void {
  a.swap(R1, 16).store(2, STACK_END, to, R1);
  a.swap(R2, 32).store(2, STACK_END, to + 2, R2);
  a.alu("rsh", R2, 16).store(2, STACK_END, to + 4, R2);
}
