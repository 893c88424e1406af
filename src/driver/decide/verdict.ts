/** A verdict is one number: what to do in the top byte, with whom or why in the lower 24 bits. */
import { NOBODY, type Slave } from "./machine.ts";

export type Verdict = number;

export const DROP = 1;
export const DELIVER = 2;
export const WIRE = 3;
export const STACK = 4;
export const ROUTE = 5;
export const FLOOD_OUT = 6;
export const FLOOD_IN = 7;

// Reasons of a drop; each is a counter. `reasons` in ../statistics.ts names them.
export const RUNT = 1;
export const ISOLATED = 2;
export const PAUSE_FRAME = 3;
export const GROUP_IN_L3 = 4;
export const NOT_IP = 5;
export const FORGED_MAC = 6;
export const SHARED_PROBE = 7;
export const BAD_SOURCE = 8;
export const NO_ROUTE = 9;
export const NO_NEIGHBOUR = 10;
export const BACKLOG = 11;
export const SEND_FAILED = 12;

export const drop = (reason: number): Verdict => (DROP << 24) | reason;
export const deliver = (to: Slave): Verdict => (DELIVER << 24) | to;
/** Out of the master as it is. */
export const wire = (): Verdict => WIRE << 24;
/** Up into the master's own stack. */
export const stack = (): Verdict => STACK << 24;
/** To the routing of the master's namespace. */
export const route = (): Verdict => ROUTE << 24;
/** A copy to every other slave whose filter takes it, and out of the master. */
export const floodOut = (): Verdict => FLOOD_OUT << 24;
/** A copy to every slave but one (NOBODY: to every slave) whose filter takes it; the master's stack has it too. */
export const floodIn = (except: Slave): Verdict => (FLOOD_IN << 24) | except;
export const floodInToAll = (): Verdict => floodIn(NOBODY);

export const kind = (v: Verdict): number => v >>> 24;
/** The slave of `deliver` and `floodIn`, the reason of `drop`. */
export const value = (v: Verdict): number => v & 0xffffff;
