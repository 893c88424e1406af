import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ALU, type AluOperation, CONDITION, type Condition } from "../instruction.ts";
import { compute, holds, swapBytes, type Width } from "./arithmetic.ts";

const ALL_ONES = 2n ** 64n - 1n;
const of64 = (n: bigint): bigint => BigInt.asUintN(64, n);

describe("what an operation computes", () => {
  const cases: [AluOperation, Width, bigint, bigint, bigint][] = [
    ["add", 64, ALL_ONES, 2n, 1n],
    ["add", 32, 0x1_ffff_ffffn, 2n, 1n],
    ["sub", 64, 1n, 2n, ALL_ONES],
    ["sub", 32, 1n, 2n, 0xffff_ffffn],
    ["mul", 64, 2n ** 63n, 3n, 2n ** 63n],
    ["mul", 32, 0x8000_0001n, 2n, 2n],
    ["or", 64, 0xf0n, 0x0fn, 0xffn],
    ["or", 32, 2n ** 40n, 1n, 1n],
    ["and", 64, 0xff0n, 0x0ffn, 0x0f0n],
    ["and", 32, ALL_ONES, ALL_ONES, 0xffff_ffffn],
    ["xor", 64, ALL_ONES, 1n, ALL_ONES - 1n],
    ["xor", 32, ALL_ONES, 1n, 0xffff_fffen],
    ["lsh", 64, 3n, 63n, 2n ** 63n],
    ["lsh", 64, 3n, 64n, 3n],
    ["lsh", 32, 3n, 31n, 0x8000_0000n],
    ["lsh", 32, 3n, 33n, 6n],
    ["rsh", 64, ALL_ONES, 63n, 1n],
    ["rsh", 32, ALL_ONES, 31n, 1n],
    ["arsh", 64, of64(-8n), 1n, of64(-4n)],
    ["arsh", 64, 8n, 65n, 4n],
    ["arsh", 32, of64(-8n), 1n, 0xffff_fffcn],
    ["arsh", 32, 0x1_0000_0008n, 1n, 4n],
    ["mov", 64, 5n, ALL_ONES, ALL_ONES],
    ["mov", 32, 5n, ALL_ONES, 0xffff_ffffn],
  ];
  for (const [operation, width, x, y, result] of cases)
    test(`${operation}, ${width} bits: ${x}, ${y} give ${result}`, () => {
      assert.equal(compute(ALU[operation], width, x, y), result);
    });

  test("every operation has its case in both widths", () => {
    for (const operation of Object.keys(ALU))
      for (const width of [32, 64])
        assert.ok(
          cases.some((c) => c[0] === operation && c[1] === width),
          `${operation} ${width}`,
        );
  });

  test("is always an unsigned number of its width", () => {
    const register = fc.bigInt(0n, ALL_ONES);
    const operation = fc.constantFrom(...Object.values(ALU));
    fc.assert(
      fc.property(operation, fc.constantFrom(32, 64), register, register, (o, width, x, y) => {
        const result = compute(o, width, x, y)!;
        assert.equal(result, BigInt.asUintN(width, result));
      }),
    );
  });

  test("an operation that is not here has no result", () => {
    assert.equal(compute(0x30, 64, 6n, 3n), undefined);
  });
});

describe("conditions", () => {
  const signed: readonly Condition[] = ["sgt", "sge", "slt", "sle"];
  /** The conditions that hold. */
  const cases: [Width, bigint, bigint, Condition[]][] = [
    [64, 1n, 1n, ["eq", "ge", "le", "sge", "sle"]],
    [64, 1n, 2n, ["ne", "lt", "le", "slt", "sle"]],
    [64, 2n, 1n, ["ne", "gt", "ge", "sgt", "sge"]],
    [64, ALL_ONES, 1n, ["ne", "gt", "ge", "slt", "sle"]],
    [64, 1n, ALL_ONES, ["ne", "lt", "le", "sgt", "sge"]],
    [64, 0x1_0000_0000n, 0n, ["ne", "gt", "ge", "sgt", "sge"]],
    [32, 0x1_0000_0000n, 0n, ["eq", "ge", "le", "sge", "sle"]],
    [32, 0xffff_ffffn, 1n, ["ne", "gt", "ge", "slt", "sle"]],
  ];
  for (const [width, x, y, expected] of cases)
    test(`${width} bits: ${x}, ${y}: ${expected.join(" ")}`, () => {
      const names = Object.keys(CONDITION) as Condition[];
      assert.deepEqual(
        names.filter((name) => holds(CONDITION[name], width, x, y)).sort(),
        expected.sort(),
      );
    });

  test("compare as numbers with a sign only if they are to", () => {
    const register = fc.bigInt(0n, ALL_ONES);
    fc.assert(
      fc.property(register, register, (x, y) => {
        for (const name of signed) {
          const shifted = (n: bigint): bigint => of64(n + 2n ** 63n);
          const unsigned = CONDITION[name.slice(1) as Condition];
          assert.equal(
            holds(CONDITION[name], 64, x, y),
            holds(unsigned, 64, shifted(x), shifted(y)),
          );
        }
      }),
    );
  });

  test("a condition that is not here neither holds nor fails", () => {
    assert.equal(holds(0x40, 64, 1n, 1n), undefined);
  });
});

test("bytes are swapped within 16, 32 or 64 bits, and what is above is gone", () => {
  const value = 0x1122_3344_5566_7788n;
  assert.equal(swapBytes(value, 16), 0x8877n);
  assert.equal(swapBytes(value, 32), 0x8877_6655n);
  assert.equal(swapBytes(value, 64), 0x8877_6655_4433_2211n);
  assert.equal(swapBytes(value, 24), undefined);
});
