/**
 * After lowering: jumps whose outcome is known are led on, and what nothing leads to or nothing uses goes. The verifier
 * refuses instructions that nothing leads to.
 */
import {
  type Block,
  type End,
  endOperands,
  isConstant,
  type Step,
  stepOperands,
  successors,
  type Temporary,
  type Value,
} from "./blocks.ts";
import { holds } from "./ranges.ts";

/** The blocks that are left, in their order; all of them have an end. */
export function tidy(blocks: readonly Block[]): Block[] {
  // Backwards: where a jump leads to has been led on already, since it stands further on.
  for (const block of blocks.toReversed()) leadOn(block);
  const left = reached(blocks);
  dropUnused(left);
  return left;
}

function leadOn(block: Block): void {
  for (;;) {
    const end = shortened(block);
    if (!end) return;
    block.end = end;
  }
}

/** The end of a block without what is passed through only; undefined if it is as short as it can be. */
function shortened({ steps, end }: Block): End | undefined {
  if (end!.kind === "goto") return shortenedGoto(steps, end!.to);
  if (end!.kind === "return") return undefined;
  const { yes, no } = end!;
  if (yes === no) return { kind: "goto", to: yes, place: end!.place };
  const [toYes, toNo] = [passed(yes), passed(no)];
  return toYes === yes && toNo === no ? undefined : { ...end!, yes: toYes, no: toNo };
}

/** Where a block leads that does nothing but lead on. */
function passed(block: Block): Block {
  return block.steps.length === 0 && block.end!.kind === "goto" ? block.end!.to : block;
}

/** `steps; goto to`, where `to` has no steps of its own. */
function shortenedGoto(steps: readonly Step[], to: Block): End | undefined {
  if (to.steps.length > 0) return undefined;
  const end = to.end!;
  switch (end.kind) {
    case "goto":
      return end;
    case "return":
      return { ...end, value: lastCopy(steps, end.value) ?? end.value };
    case "if": {
      const left = lastCopy(steps, end.left) ?? end.left;
      if (!isConstant(left) || !isConstant(end.right)) return undefined;
      const isYes = holds(end.test, left.constant, end.right.constant);
      return { kind: "goto", to: isYes ? end.yes : end.no, place: end.place };
    }
    case "ifLength":
      return undefined;
  }
}

/** What the steps leave in a temporary, if it is a value that still holds at their end. */
function lastCopy(steps: readonly Step[], v: Value): Value | undefined {
  const i = steps.findLastIndex(({ dst }) => dst === v);
  const step = steps[i];
  if (step?.kind !== "copy") return undefined;
  const isStill = steps.slice(i + 1).every(({ dst }) => dst !== step.value);
  return isStill ? step.value : undefined;
}

function reached(blocks: readonly Block[]): Block[] {
  const found = new Set<Block>(blocks.slice(0, 1));
  for (const block of blocks)
    if (found.has(block)) for (const next of successors(block.end!)) found.add(next);
  return blocks.filter((block) => found.has(block));
}

/** Takes out steps whose results nobody uses. */
function dropUnused(blocks: readonly Block[]): void {
  const wantedAtStart = new Map<Block, ReadonlySet<Temporary>>();
  for (const block of blocks.toReversed()) {
    const wanted = new Set(successors(block.end!).flatMap((b) => [...wantedAtStart.get(b)!]));
    const want = (values: readonly Value[]) => {
      for (const v of values) if (!isConstant(v)) wanted.add(v);
    };
    want(endOperands(block.end!));
    const kept: Step[] = [];
    for (const step of block.steps.toReversed()) {
      if (!wanted.delete(step.dst)) continue;
      want(stepOperands(step));
      kept.push(step);
    }
    block.steps = kept.reverse();
    wantedAtStart.set(block, wanted);
  }
}
