/**
 * What the actions of all hooks are made of. Every step is some instructions; what it wants and leaves in registers
 * stands with it. r0 … r5 are lost in each.
 *
 * Throughout: r6 is the context (struct __sk_buff), r9 the sender's row of counters.
 */
import type { Assembler } from "../../bpf/assembler.ts";
import type { Register } from "../../bpf/instruction.ts";
import * as statistics from "../../driver/statistics.ts";
import type { Hook } from "../../linux/netlink/tc.ts";
import * as layout from "./layout.ts";
import { SETTINGS } from "./machine.ts";

export const R0: Register = 0;
export const R1: Register = 1;
export const R2: Register = 2;
export const R3: Register = 3;
export const R4: Register = 4;
export const R5: Register = 5;
export const CONTEXT: Register = 6;
export const R7: Register = 7;
export const R8: Register = 8;
export const SENDER: Register = 9;
export const STACK_END: Register = 10;

// Offsets in struct __sk_buff, each a u32.
export const SKB_LENGTH = 0;
export const SKB_PACKET_TYPE = 4;
export const SKB_MARK = 8;
export const SKB_PROTOCOL = 16;
export const SKB_IFINDEX = 40;

// Places on the stack, from its end; decisions keep to the first 128 bytes.
/** u32: key of a look-up. */
export const KEY = -136;
/** Key of a list of host ends: MAC, and the number of the piece (u16). */
export const GROUP_KEY = -144;
export const PIECE: number = GROUP_KEY + 6;
/** u32: host end that gets no copy. */
export const EXCEPT = -152;
/** u32: device id of that one. */
export const EXCEPT_ID = -160;
/** u32. */
export const SPAN = -168;
/** u64: what a helper returned. */
export const RESULT = -176;
/** u32: the mark that the frame came with. */
export const MARK = -184;
/** Key of a trie: length and at most 16 bytes. */
export const PREFIX = -208;
/** Bytes of the frame that are looked at or written. */
export const BYTES = -224;

// What programs return. Kernel: enum tcx_action_base; classifiers with direct action know the same numbers.
const TC_ACT_UNSPEC = -1;
const TC_ACT_SHOT = 2;
/** Of redirects: into the device's own stack, as if it had come from its wire. */
const BPF_F_INGRESS = 1;

/** Whatever else hangs at the hook goes on, and then the stack. */
export const goOn = (a: Assembler): Assembler => a.move(R0, TC_ACT_UNSPEC).exit();
export const shoot = (a: Assembler): Assembler => a.move(R0, TC_ACT_SHOT).exit();

/** The address of what the key on the stack at `key` leads to in r0, or 0. */
export function lookUp(a: Assembler, map: string, key: number): Assembler {
  return a.loadMap(R1, map).copy(R2, STACK_END).alu("add", R2, key).call("map_lookup_elem");
}

/** As `lookUp`, for a key that is a number in a register. */
export const lookUpNumber = (a: Assembler, map: string, number: Register): Assembler =>
  lookUp(a.store(4, STACK_END, KEY, number), map, KEY);

/** `to` becomes a u32 of the settings. */
export const setting = (a: Assembler, to: Register, offset: number): Assembler =>
  a.loadMapValue(to, SETTINGS, offset).load(4, to, to, 0);

/** One more in a column of the row. Loses r1. */
export function count(a: Assembler, row: Register, column: number): Assembler {
  const at = layout.rowCounter(column);
  return a.load(8, R1, row, at).alu("add", R1, 1).store(8, row, at, R1);
}

/** The frame's length more. Loses r1 and r2. */
function countBytes(a: Assembler, row: Register, column: number): Assembler {
  const at = layout.rowCounter(column);
  a.load(4, R2, CONTEXT, SKB_LENGTH).load(8, R1, row, at);
  return a.aluRegister("add", R1, R2).store(8, row, at, R1);
}

export const countSent = (a: Assembler): Assembler =>
  countBytes(count(a, SENDER, statistics.TX_PACKETS), SENDER, statistics.TX_BYTES);

/** In the row in r0. */
export const countReceived = (a: Assembler): Assembler =>
  countBytes(count(a, R0, statistics.RX_PACKETS), R0, statistics.RX_BYTES);

/** A reason that is known when the program is written. */
export const countDrop = (a: Assembler, row: Register, reason: number): Assembler =>
  count(a, row, statistics.DROPS + reason);

/** In the port's own row. */
export function countPortDrop(a: Assembler, reason: number): Assembler {
  const none = a.newLabel("no_row");
  a.move(R1, 0);
  lookUpNumber(a, layout.STATISTICS, R1).jumpIf("eq", R0, 0, none);
  return countDrop(a, R0, reason).label(none);
}

/** Out of the device whose ifindex the setting is; or into its stack. */
export function redirectTo(a: Assembler, deviceSetting: number, into: "wire" | "stack"): Assembler {
  setting(a, R1, deviceSetting);
  return a
    .move(R2, into === "stack" ? BPF_F_INGRESS : 0)
    .call("redirect")
    .exit();
}

/** A copy into the stack of the device whose ifindex the setting is; r0 is 0 if it got there. */
export function cloneInto(a: Assembler, deviceSetting: number): Assembler {
  setting(a, R2, deviceSetting);
  return a.copy(R1, CONTEXT).move(R3, BPF_F_INGRESS).call("clone_redirect");
}

/** `count` bytes of the frame from `offset` on to the stack; at `short` if the frame ends before. */
export function loadBytes(
  a: Assembler,
  offset: number,
  to: number,
  count: number,
  short: string,
): Assembler {
  return a
    .copy(R1, CONTEXT)
    .move(R2, offset)
    .copy(R3, STACK_END)
    .alu("add", R3, to)
    .move(R4, count)
    .call("skb_load_bytes")
    .jumpIf("ne", R0, 0, short);
}

const BPF_F_RECOMPUTE_CSUM = 1;

/** The other way round. `isSummed`: no checksum of the packet makes up for the change. */
export function storeBytes(
  a: Assembler,
  offset: number,
  from: number,
  count: number,
  isSummed = false,
): Assembler {
  return a
    .copy(R1, CONTEXT)
    .move(R2, offset)
    .copy(R3, STACK_END)
    .alu("add", R3, from)
    .move(R4, count)
    .move(R5, isSummed ? BPF_F_RECOMPUTE_CSUM : 0)
    .call("skb_store_bytes");
}

export interface Delivery {
  readonly hook: Hook;
  /** Written where it is certain that the frame gets there. */
  readonly counts?: () => void;
  /** Where to go if there is no such slave. */
  readonly lost: string;
}

/** Gives the frame to the slave whose id is in r8: counts it in the slave's row, and ends. */
export function deliver(a: Assembler, { hook, counts, lost }: Delivery): Assembler {
  const [uncounted, byQueue] = [a.newLabel("uncounted"), a.newLabel("by_queue")];
  lookUpNumber(a, layout.SLAVES, R8).jumpIf("eq", R0, 0, lost);
  a.load(4, R8, R0, layout.SLAVE_HOST).load(4, R7, R0, layout.SLAVE_IS_WITH_MASTER);
  a.jumpIf("eq", R8, 0, lost);
  lookUpNumber(a, layout.STATISTICS, R8).jumpIf("eq", R0, 0, uncounted);
  countReceived(a).label(uncounted);
  counts?.();
  // The direct way leads from an ingress into another namespace, and takes every frame for the slave's own.
  if (hook === "ingress") {
    a.load(4, R1, CONTEXT, SKB_PACKET_TYPE).jumpIf("eq", R1, PACKET_OTHERHOST, byQueue);
    a.jumpIf("ne", R7, 0, byQueue).copy(R1, R8).move(R2, 0).call("redirect_peer").exit();
    a.label(byQueue);
  }
  return a.copy(R1, R8).move(R2, 0).call("redirect").exit();
}

/** Of SKB_PACKET_TYPE: to a MAC that is not the device's. */
const PACKET_OTHERHOST = 3;
