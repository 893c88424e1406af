/** What instructions compute, on registers as unsigned numbers of 64 bits. RFC 9669 §4. */
import { ALU, CONDITION } from "../instruction.ts";

/** Of the operands; the 32-bit forms see their lower halves and clear the upper half of the result. */
export type Width = 32 | 64;

/** `operation`: the high four bits of an opcode. undefined: there is no such operation here. */
export function compute(
  operation: number,
  width: Width,
  dst: bigint,
  src: bigint,
): bigint | undefined {
  const x = BigInt.asUintN(width, dst);
  const y = BigInt.asUintN(width, src);
  const result = computeExactly(operation, width, x, y);
  return result === undefined ? undefined : BigInt.asUintN(width, result);
}

function computeExactly(operation: number, width: Width, x: bigint, y: bigint): bigint | undefined {
  const shift = y & BigInt(width - 1); // the rest of the number is ignored, as processors do
  switch (operation) {
    case ALU.add:
      return x + y;
    case ALU.sub:
      return x - y;
    case ALU.mul:
      return x * y;
    case ALU.or:
      return x | y;
    case ALU.and:
      return x & y;
    case ALU.xor:
      return x ^ y;
    case ALU.lsh:
      return x << shift;
    case ALU.rsh:
      return x >> shift;
    case ALU.arsh:
      return BigInt.asIntN(width, x) >> shift;
    case ALU.mov:
      return y;
  }
  return undefined;
}

/** `condition`: the high four bits of an opcode. undefined: there is no such condition here. */
export function holds(
  condition: number,
  width: Width,
  dst: bigint,
  src: bigint,
): boolean | undefined {
  const x = BigInt.asUintN(width, dst);
  const y = BigInt.asUintN(width, src);
  const signed = (n: bigint): bigint => BigInt.asIntN(width, n);
  switch (condition) {
    case CONDITION.eq:
      return x === y;
    case CONDITION.ne:
      return x !== y;
    case CONDITION.gt:
      return x > y;
    case CONDITION.ge:
      return x >= y;
    case CONDITION.lt:
      return x < y;
    case CONDITION.le:
      return x <= y;
    case CONDITION.sgt:
      return signed(x) > signed(y);
    case CONDITION.sge:
      return signed(x) >= signed(y);
    case CONDITION.slt:
      return signed(x) < signed(y);
    case CONDITION.sle:
      return signed(x) <= signed(y);
  }
  return undefined;
}

/** The lower `bits` with their bytes in the opposite order, the upper bits 0. undefined: no such width. */
export function swapBytes(value: bigint, bits: number): bigint | undefined {
  if (bits !== 16 && bits !== 32 && bits !== 64) return undefined;
  let result = 0n;
  for (let bit = 0; bit < bits; bit += 8)
    result = (result << 8n) | ((value >> BigInt(bit)) & 0xffn);
  return result;
}
