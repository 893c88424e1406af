/**
 * Where each temporary lives: a register, or where those are taken a slot of the stack. One scan in the order of the
 * blocks is enough, because every jump goes forward: a temporary is needed from where it is first written to where it is last
 * read, and nowhere else.
 */
import type { Register } from "../instruction.ts";
import {
  type Block,
  type End,
  endOperands,
  isConstant,
  type Step,
  stepOperands,
  type Temporary,
} from "./blocks.ts";

/** A u32 of the context needs no slot: it is read again. */
export type Home =
  | { readonly register: Register }
  | { readonly slot: number }
  | { readonly context: number };

/** Lost in calls of helpers; r0 and r1 are for the moment, r6 to r8 hold the context and the frame's ends. */
const LOST: readonly Register[] = [5, 4, 3, 2];
const KEPT: readonly Register[] = [9];

interface Life {
  readonly temporary: Temporary;
  readonly from: number;
  to: number;
  /** Offset, if this is a u32 of the context. */
  readonly context: number | undefined;
}

/** `isCall` tells which steps become a call of a helper; slots are numbered from 0. */
export function assignHomes(
  blocks: readonly Block[],
  isCall: (s: Step) => boolean,
): { homes: ReadonlyMap<Temporary, Home>; slots: number } {
  const nodes: (Step | End)[] = blocks.flatMap((b) => [...b.steps, b.end!]);
  const calls = nodes.flatMap((n, i) => ("dst" in n && isCall(n) ? [i] : []));
  const homes = new Map<Temporary, Home>();
  /** Until when each is taken. */
  const registers = new Map<Register, number>();
  const slots: number[] = [];
  for (const { temporary, from, to, context } of lives(nodes)) {
    const crossesCall = calls.some((call) => from < call && call < to);
    if (crossesCall && context !== undefined) {
      homes.set(temporary, { context });
      continue;
    }
    const usable = crossesCall ? KEPT : [...LOST, ...KEPT];
    const register = usable.find((r) => (registers.get(r) ?? -1) <= from);
    if (register !== undefined) {
      registers.set(register, to);
      homes.set(temporary, { register });
      continue;
    }
    const free = slots.findIndex((until) => until <= from);
    const slot = free < 0 ? slots.length : free;
    slots[slot] = to;
    homes.set(temporary, { slot });
  }
  return { homes, slots: slots.length };
}

/** By rising start. */
function lives(nodes: readonly (Step | End)[]): Iterable<Life> {
  const found = new Map<Temporary, Life>();
  for (const [i, node] of nodes.entries()) {
    const operands = "dst" in node ? [...stepOperands(node), node.dst] : endOperands(node);
    const context = "dst" in node && node.kind === "context" ? node.offset : undefined;
    for (const v of operands) {
      if (isConstant(v)) continue;
      const life = found.get(v);
      if (life) life.to = i;
      else found.set(v, { temporary: v, from: i, to: i, context });
    }
  }
  return found.values();
}
