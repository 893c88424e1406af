/**
 * What follows each decision in the kernel: the verdict becomes a redirect, copies, or a return code, and is counted.
 * The rules themselves are not here but in `driver/decide/`, compiled.
 *
 * A program begins its actions with the verdict in r0 and the context (struct __sk_buff) in r6.
 */
import type { Assembler } from "../../bpf/assembler.ts";
import { L3, L3S } from "../../driver/decide/machine.ts";
import * as v from "../../driver/decide/verdict.ts";
import * as statistics from "../../driver/statistics.ts";
import { startFlood } from "./flood.ts";
import * as layout from "./layout.ts";
import { SETTINGS, SETTINGS_PACKED } from "./machine.ts";
import { findLocal, intoHooks, intoStack, takeHop } from "./routed.ts";
import * as step from "./steps.ts";

const { R0, R1, R2, R3, R4, R7, R8, CONTEXT, SENDER, STACK_END } = step;

/** Of a slave's frame, at the ingress of its host end. */
export function xmitActions(a: Assembler): void {
  const [drop, lost, shot] = [a.newLabel("drop"), a.newLabel("lost"), a.newLabel("shot")];
  takeVerdict(a);
  a.load(4, R1, CONTEXT, step.SKB_IFINDEX);
  step.lookUpNumber(a, layout.STATISTICS, R1).jumpIf("eq", R0, 0, shot).copy(SENDER, R0);
  tellReports(a);
  dispatch(a, [v.DELIVER, v.WIRE, v.STACK, v.ROUTE, v.FLOOD_OUT]);

  // Dropped; the reason is in r8.
  a.label(drop);
  const ofReason = layout.rowCounter(statistics.DROPS);
  step.count(a, SENDER, statistics.TX_DROPPED).jumpIf("ge", R8, statistics.reasons.length, shot);
  a.copy(R1, R8).alu("lsh", R1, 3).aluRegister("add", R1, SENDER);
  a.load(8, R2, R1, ofReason).alu("add", R2, 1).store(8, R1, ofReason, R2);
  step.shoot(a.label(shot));

  a.label(kindLabel(v.DELIVER));
  step.deliver(a, { hook: "ingress", counts: () => step.countSent(a), lost });
  step.countDrop(step.count(a.label(lost), SENDER, statistics.TX_DROPPED), SENDER, v.SEND_FAILED);
  step.shoot(a);

  step.countSent(a.label(kindLabel(v.WIRE)));
  step.redirectTo(a, layout.SETTINGS_MASTER, "wire");

  step.countSent(a.label(kindLabel(v.STACK)));
  step.redirectTo(a, layout.SETTINGS_MASTER, "stack");

  route(a.label(kindLabel(v.ROUTE)), drop);

  step.countSent(a.label(kindLabel(v.FLOOD_OUT)));
  const [refused, out] = [a.newLabel("no_share"), a.newLabel("out")];
  a.load(4, R1, CONTEXT, step.SKB_IFINDEX).store(4, STACK_END, step.EXCEPT, R1);
  a.load(8, R1, SENDER, layout.ROW_ID).store(4, STACK_END, step.EXCEPT_ID, R1);
  a.store(4, STACK_END, step.KEY, R1);
  startFlood(a, refused);
  a.jump(out).label(refused);
  step.countDrop(a, SENDER, v.BACKLOG);
  step.redirectTo(a.label(out), layout.SETTINGS_MASTER, "wire");
}

/** Of a frame from the wire, at the ingress of the master. What is not a slave's alone is the stack's too. */
export function receiveActions(a: Assembler): void {
  const [stack, lost] = [a.newLabel("stack"), a.newLabel("lost")];
  const [refused, everybody] = [a.newLabel("no_share"), a.newLabel("everybody")];
  takeVerdict(a);
  dispatch(a, [v.DELIVER, v.FLOOD_IN]);
  step.goOn(a.label(stack));

  step.deliver(a.label(kindLabel(v.DELIVER)), { hook: "ingress", lost });
  step.countPortDrop(a.label(lost), v.SEND_FAILED);
  step.shoot(a);

  a.label(kindLabel(v.FLOOD_IN)).store(4, STACK_END, step.EXCEPT_ID, R8);
  a.storeValue(4, STACK_END, step.EXCEPT, 0).jumpIf("eq", R8, 0, everybody);
  step.lookUpNumber(a, layout.SLAVES, R8).jumpIf("eq", R0, 0, everybody);
  a.load(4, R1, R0, layout.SLAVE_HOST).store(4, STACK_END, step.EXCEPT, R1).label(everybody);
  a.storeValue(4, STACK_END, step.KEY, layout.WIRE_ROW);
  startFlood(a, refused);
  a.jump(stack).label(refused);
  step.countPortDrop(a, v.BACKLOG).jump(stack);
}

/** Of a packet that has passed the hooks of the master's namespace, at the egress of the pair's end (L3S). */
export function inputActions(a: Assembler): void {
  const shot = a.newLabel("shot");
  takeVerdict(a);
  a.loadMapValue(R1, SETTINGS, SETTINGS_PACKED).load(1, R1, R1, 0).jumpIf("ne", R1, L3S, shot);
  a.jumpIf("ne", R7, v.DELIVER, shot);
  const full = a.newLabel("full");
  takeHop(a, full, shot);
  step.deliver(a.label(full), { hook: "egress", lost: shot });
  step.shoot(a.label(shot));
}

/**
 * By the routes of the master's namespace: L3 by a helper, L3S through its stack, which has the hooks. At `drop` with the
 * reason in r8 for what has no route.
 */
function route(a: Assembler, drop: string): void {
  const [hooks, routed, away] = [a.newLabel("hooks"), a.newLabel("routed"), a.newLabel("away")];
  findLocal(a);
  a.move(R8, v.NO_ROUTE).jumpIf("eq", R7, layout.LOCAL_BROADCAST, drop);
  step.countSent(a);
  a.loadMapValue(R1, SETTINGS, SETTINGS_PACKED).load(1, R1, R1, 0).jumpIf("ne", R1, L3, hooks);
  a.jumpIf("ne", R7, layout.LOCAL_ADDRESS, away);
  intoStack(a);
  step.setting(a.label(away), R1, layout.SETTINGS_MASTER);
  a.move(R2, 0).move(R3, 0).move(R4, 0).call("redirect_neigh").exit();
  a.label(hooks).jumpIf("ne", R7, layout.LOCAL_GROUP, routed).jump(away);
  intoHooks(a.label(routed));
}

/** Splits the verdict: kind in r7, value in r8. */
function takeVerdict(a: Assembler): void {
  a.copy32(R7, R0).alu("rsh", R7, 24).copy(R8, R0).alu("and", R8, 0xffffff);
}

const kindLabel = (kind: number): string => `kind_${kind}`;

function dispatch(a: Assembler, kinds: readonly number[]): void {
  for (const kind of kinds) a.jumpIf("eq", R7, kind, kindLabel(kind));
}

const PACKET_MULTICAST = 2;
const ETH_P_IP = 0x0008; // in network order
const IGMP = 2;
const HOP_BY_HOP = 0;

/** As `isMembershipReport` of the userspace engine: then the slave's filter is read anew. */
function tellReports(a: Assembler): void {
  const [none, ipv6, told] = [a.newLabel("no_report"), a.newLabel("mld"), a.newLabel("report")];
  a.load(4, R1, CONTEXT, step.SKB_PACKET_TYPE).jumpIf("ne", R1, PACKET_MULTICAST, none);
  a.load(4, R1, CONTEXT, step.SKB_PROTOCOL).jumpIf("ne", R1, ETH_P_IP, ipv6);
  step.loadBytes(a, 14 + 9, step.BYTES, 1, none).load(1, R1, STACK_END, step.BYTES);
  a.jumpIf("eq", R1, IGMP, told).jump(none).label(ipv6);
  step.loadBytes(a, 14 + 6, step.BYTES, 1, none).load(1, R1, STACK_END, step.BYTES);
  a.jumpIf("ne", R1, HOP_BY_HOP, none).label(told);
  a.load(8, R1, SENDER, layout.ROW_ID).store(4, STACK_END, step.KEY, R1);
  a.loadMap(R1, layout.REPORTS).copy(R2, STACK_END).alu("add", R2, step.KEY);
  a.move(R3, 4).move(R4, 0).call("ringbuf_output").label(none);
}
