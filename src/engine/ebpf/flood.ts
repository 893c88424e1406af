/**
 * Copies of a group frame for all host ends that take its group. They are made a piece of the list at a time, so that
 * the copies of one piece are off the processor's queue before the next ones come: between two pieces the frame goes
 * through the queue itself, by the stack of the pair's end, where the program `flood` makes the next piece. The frame's
 * mark says which: the piece's number in the upper 16 bits, in the lower the id of the slave that gets no copy.
 */
import type { Assembler } from "../../bpf/assembler.ts";
import * as v from "../../driver/decide/verdict.ts";
import * as statistics from "../../driver/statistics.ts";
import * as layout from "./layout.ts";
import * as step from "./steps.ts";

const { R0, R1, R2, R3, R4, R5, R7, R8, CONTEXT, SENDER, STACK_END } = step;

/**
 * The first piece, if the sender's share allows the flood. EXCEPT, EXCEPT_ID and KEY (the row whose share it is) are
 * set. At `refused` if there is no share left, else behind it. Loses r7, r8, and r9 but when it is refused.
 */
export function startFlood(a: Assembler, refused: string): void {
  const [done, none, arrived] = [
    a.newLabel("flooded"),
    a.newLabel("nobody"),
    a.newLabel("arrived"),
  ];
  step.loadBytes(a, 0, step.GROUP_KEY, 6, none).storeValue(2, STACK_END, step.PIECE, 0);
  findPiece(a, none);
  takeShare(a, refused);
  copyPiece(a);
  a.load(4, R1, R7, layout.PIECE_MORE).jumpIf("eq", R1, 0, done);
  a.load(4, R1, CONTEXT, step.SKB_MARK).store(4, STACK_END, step.MARK, R1);
  a.load(4, R1, STACK_END, step.EXCEPT_ID).alu("or", R1, 1 << 16);
  a.store(4, CONTEXT, step.SKB_MARK, R1);
  step.cloneInto(a, layout.SETTINGS_UP).jumpIf("eq", R0, 0, arrived);
  step.countPortDrop(a, v.BACKLOG).label(arrived);
  a.load(4, R1, STACK_END, step.MARK).store(4, CONTEXT, step.SKB_MARK, R1);
  a.label(none).label(done);
}

/** A further piece: the program at the pair's end. What is not a flood that goes on is the stack's. */
export function goOnFlooding(a: Assembler): void {
  const [other, last, nobody] = [a.newLabel("no_flood"), a.newLabel("last"), a.newLabel("nobody")];
  a.copy(CONTEXT, R1);
  a.load(4, R8, CONTEXT, step.SKB_MARK).jumpIf("lt", R8, 1 << 16, other);
  a.copy(R1, R8).alu("and", R1, 0xffff);
  a.storeValue(4, STACK_END, step.EXCEPT, 0);
  step.lookUpNumber(a, layout.SLAVES, R1).jumpIf("eq", R0, 0, nobody);
  a.load(4, R1, R0, layout.SLAVE_HOST).store(4, STACK_END, step.EXCEPT, R1).label(nobody);
  step.loadBytes(a, 0, step.GROUP_KEY, 6, last);
  a.alu("rsh", R8, 16).store(2, STACK_END, step.PIECE, R8);
  findPiece(a, last);
  copyPiece(a);
  a.load(4, R1, R7, layout.PIECE_MORE).jumpIf("eq", R1, 0, last);
  a.load(4, R1, CONTEXT, step.SKB_MARK).alu("add", R1, 1 << 16);
  a.store(4, CONTEXT, step.SKB_MARK, R1);
  step.redirectTo(a, layout.SETTINGS_UP, "stack");
  step.shoot(a.label(last));
  step.goOn(a.label(other));
}

/** The piece that GROUP_KEY names in r7, or of those who take every group; at `none` if there is no such piece. */
function findPiece(a: Assembler, none: string): void {
  const found = a.newLabel("members");
  step.lookUp(a, layout.GROUPS, step.GROUP_KEY).jumpIf("ne", R0, 0, found);
  a.storeValue(4, STACK_END, step.GROUP_KEY, 0).storeValue(2, STACK_END, step.GROUP_KEY + 4, 0);
  step.lookUp(a, layout.GROUPS, step.GROUP_KEY).jumpIf("eq", R0, 0, none);
  a.label(found).copy(R7, R0);
}

/**
 * Nobody asks for more copies in a span than are left of it, so that who floods leaves others room; a flood that comes
 * first always goes. As `Backlog.hasShare` of the driver. The row whose share it is has its number in KEY.
 */
function takeShare(a: Assembler, refused: string): void {
  const allowed = a.newLabel("allowed");
  a.load(4, R8, STACK_END, step.KEY);
  a.call("ktime_get_ns").alu("rsh", R0, layout.SPAN_SHIFT).store(4, STACK_END, step.SPAN, R0);
  step.lookUpNumber(a, layout.SLAVES, R8).jumpIf("eq", R0, 0, refused);
  startSpan(a, "own");
  a.copy(R8, R0).move(R1, 0);
  step.lookUpNumber(a, layout.SLAVES, R1).jumpIf("eq", R0, 0, refused);
  startSpan(a, "ports");
  a.load(4, R1, R0, layout.SLAVE_COPIES).load(4, R2, R8, layout.SLAVE_COPIES);
  a.load(4, R3, R7, layout.PIECE_TOTAL).jumpIf("eq", R1, 0, allowed);
  a.move(R4, layout.COPIES_PER_SPAN).aluRegister("sub", R4, R1);
  a.copy(R5, R2).aluRegister("add", R5, R3).jumpIfRegister("sgt", R5, R4, refused);
  a.label(allowed).aluRegister("add", R1, R3).store(4, R0, layout.SLAVE_COPIES, R1);
  a.aluRegister("add", R2, R3).store(4, R8, layout.SLAVE_COPIES, R2);
}

/** Nothing has been asked for in a span that is new. The row is in r0. */
function startSpan(a: Assembler, whose: string): void {
  const same = a.newLabel(`${whose}_span`);
  a.load(4, R1, STACK_END, step.SPAN).load(4, R2, R0, layout.SLAVE_SPAN);
  a.jumpIfRegister("eq", R1, R2, same);
  a.store(4, R0, layout.SLAVE_SPAN, R1).storeValue(4, R0, layout.SLAVE_COPIES, 0).label(same);
}

/** A copy to each host end of the piece in r7 but EXCEPT, counted. Loses r8 and r9. */
function copyPiece(a: Assembler): void {
  const each = a.newLabel("each");
  const [next, end, missed] = [a.newLabel("next"), a.newLabel("end"), a.newLabel("missed")];
  a.move(R8, 0).label(each).jumpIf("ge", R8, layout.PIECE_MAX, end);
  a.load(4, R1, R7, layout.PIECE_COUNT).jumpIfRegister("ge", R8, R1, end);
  a.copy(R1, R8).alu("lsh", R1, 2).aluRegister("add", R1, R7);
  a.load(4, SENDER, R1, layout.PIECE_MEMBERS).load(4, R1, STACK_END, step.EXCEPT);
  a.jumpIfRegister("eq", R1, SENDER, next);
  a.copy(R1, CONTEXT).copy(R2, SENDER).move(R3, 0).call("clone_redirect");
  a.store(8, STACK_END, step.RESULT, R0);
  step.lookUpNumber(a, layout.STATISTICS, SENDER).jumpIf("eq", R0, 0, next);
  a.load(8, R1, STACK_END, step.RESULT).jumpIf("ne", R1, 0, missed);
  step.count(step.countReceived(a), R0, statistics.MULTICAST).jump(next);
  step.countDrop(step.count(a.label(missed), R0, statistics.RX_MISSED), R0, v.SEND_FAILED);
  a.label(next).alu("add", R8, 1).jump(each).label(end);
}
