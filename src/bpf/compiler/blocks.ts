/**
 * Between TypeScript and instructions: blocks of steps over values. Every jump goes forward, so a pass over the blocks in
 * their order, or backwards, sees each once.
 */
import type { AluOperation, Size } from "../instruction.ts";
import type { Facts } from "./facts.ts";
import type { Range, Test } from "./ranges.ts";
import type { Place } from "./source.ts";

export type Value = Constant | Temporary;

export interface Constant {
  readonly constant: number;
}

/** A number that is computed; where it lives is decided last (`registers.ts`). */
export interface Temporary {
  readonly id: number;
  /** Grows as long as values come in. */
  range: Range;
  /** Whether it may have another value next time: a `let`, or one whose values are still coming in. */
  changes: boolean;
}

export const isConstant = (v: Value): v is Constant => "constant" in v;

/** `signed` and `unsigned` take the lower 32 bits as such a number. */
export type Operation = Exclude<AluOperation, "mov"> | "signed" | "unsigned";

export type Step = { readonly place: Place; readonly dst: Temporary } & (
  | { readonly kind: "copy"; readonly value: Value }
  | {
      readonly kind: "compute";
      readonly operation: Operation;
      readonly left: Value;
      /** A constant in shifts; without meaning in `signed` and `unsigned`. */
      readonly right: Value;
    }
  /** `known`: the frame has these bytes on every way to here, and the verifier knows it. */
  | { readonly kind: "load"; readonly size: Size; readonly at: Value; readonly known: boolean }
  /** A u32 of struct __sk_buff. */
  | { readonly kind: "context"; readonly offset: number }
  /** A u32 in the value of an array map. */
  | { readonly kind: "word"; readonly map: string; readonly offset: number }
  | { readonly kind: "findByNumber"; readonly map: string; readonly key: Value }
  | {
      readonly kind: "findByBytes";
      readonly map: string;
      readonly size: number;
      readonly at: Value;
      readonly known: boolean;
    }
);

export type End = { readonly place: Place } & (
  | { readonly kind: "goto"; readonly to: Block }
  | {
      readonly kind: "if";
      readonly test: Test;
      readonly left: Value;
      readonly right: Value;
      readonly yes: Block;
      readonly no: Block;
    }
  /** Whether the frame has at least so many bytes: no more than WINDOW. */
  | {
      readonly kind: "ifLength";
      readonly atLeast: number;
      readonly yes: Block;
      readonly no: Block;
    }
  | { readonly kind: "return"; readonly value: Value }
);

export interface Block {
  /** For labels: what it is, and a number that no other has. */
  readonly label: string;
  steps: Step[];
  end: End | undefined;
  /** What is known where it starts; undefined as long as nothing leads there. */
  facts: Facts | undefined;
}

/**
 * Bytes at the start of a frame that are read without a call: Ethernet and IPv6. No more, since a sender's stack leaves
 * little more than the headers in the first piece: to ask for bytes behind it would have the kernel copy every
 * super-frame of TCP, which costs five times what the decision does.
 */
export const WINDOW = 54;

export function stepOperands(s: Step): readonly Value[] {
  switch (s.kind) {
    case "copy":
      return [s.value];
    case "compute":
      return [s.left, s.right];
    case "load":
    case "findByBytes":
      return [s.at];
    case "findByNumber":
      return [s.key];
    case "context":
    case "word":
      return [];
  }
}

export function endOperands(e: End): readonly Value[] {
  if (e.kind === "if") return [e.left, e.right];
  return e.kind === "return" ? [e.value] : [];
}

export function successors(e: End): readonly Block[] {
  if (e.kind === "goto") return [e.to];
  return e.kind === "return" ? [] : [e.yes, e.no];
}
