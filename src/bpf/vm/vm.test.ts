import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Assembler } from "../assembler.ts";

import type { Program } from "../program.ts";
import { ArrayMap, HashMap, word } from "./maps.ts";
import { VmFault } from "./memory.ts";
import { type FrameOptions, Vm, type VmOptions } from "./vm.ts";

const frame = Uint8Array.from({ length: 60 }, (_, i) => i + 1);

type Write = (a: Assembler) => Assembler;
const program = (write: Write): Program => write(new Assembler()).finish("test");
const run = (write: Write, options: VmOptions = {}, how: FrameOptions = {}): number =>
  new Vm(program(write), options).run(frame, how);
const faults = (write: Write, message: RegExp, options: VmOptions = {}): void => {
  assert.throws(
    () => run(write, options),
    (error: unknown) => {
      assert.ok(error instanceof VmFault, String(error));
      assert.match(error.message, message);
      return true;
    },
  );
};
/** r0 in two halves: the test's program leaves 64 bits in it. */
const run64 = (write: Write): bigint => {
  const upper = run((a) => write(a).alu("rsh", 0, 32).exit());
  return (BigInt(upper) << 32n) | BigInt(run((a) => write(a).exit()));
};

describe("numbers", () => {
  test("what is moved into a register is there, with its sign", () => {
    for (const value of [
      0,
      1,
      -1,
      0x7fffffff,
      -0x80000000,
      0x80000000,
      0xffffffff,
      2 ** 52,
      -(2 ** 40),
    ])
      assert.equal(
        run64((a) => a.move(0, value)),
        BigInt.asUintN(64, BigInt(value)),
        `${value}`,
      );
  });

  test("the result is the lower 32 bits, not signed", () => {
    assert.equal(
      run((a) => a.move(0, -1).exit()),
      0xffffffff,
    );
    assert.equal(
      run((a) => a.move(0, 2 ** 33 + 5).exit()),
      5,
    );
  });

  test("copies are of 64 bits or of the lower 32", () => {
    const both = (a: Assembler): Assembler => a.move(6, 2 ** 33 + 5);
    assert.equal(
      run64((a) => both(a).copy(0, 6)),
      2n ** 33n + 5n,
    );
    assert.equal(
      run64((a) => both(a).copy32(0, 6)),
      5n,
    );
  });

  test("an immediate operand is signed, whatever the operation", () => {
    assert.equal(
      run64((a) => a.move(0, 10).alu("add", 0, -11)),
      2n ** 64n - 1n,
    );
    assert.equal(
      run64((a) => a.move(0, -1).alu("and", 0, -16)),
      2n ** 64n - 16n,
    );
    assert.equal(
      run64((a) => a.move(0, 10).move(1, 3).aluRegister("sub", 0, 1)),
      7n,
    );
  });

  test("network order is turned into host order", () => {
    assert.equal(
      run((a) => a.move(0, 0x11223344).swap(0, 16).exit()),
      0x4433,
    );
    assert.equal(
      run((a) => a.move(0, 0x11223344).swap(0, 32).exit()),
      0x44332211,
    );
    assert.equal(
      run64((a) => a.move(0, 0x11223344).swap(0, 64)),
      0x4433221100000000n,
    );
  });
});

describe("jumps", () => {
  test("lead to their label, forwards and backwards", () => {
    const sum: Write = (a) =>
      a
        .move(0, 0)
        .move(1, 5)
        .jump("test")
        .label("again")
        .aluRegister("add", 0, 1)
        .alu("sub", 1, 1)
        .label("test")
        .jumpIf("ne", 1, 0, "again")
        .exit();
    assert.equal(run(sum), 15);
  });

  test("compare with a register or with a number, which has a sign", () => {
    const compare = (x: number, write: Write) =>
      run((a) => write(a.move(0, 1).move(1, x).move(2, 7)).move(0, 0).label("yes").exit());
    assert.equal(
      compare(8, (a) => a.jumpIfRegister("gt", 1, 2, "yes")),
      1,
    );
    assert.equal(
      compare(7, (a) => a.jumpIfRegister("gt", 1, 2, "yes")),
      0,
    );
    assert.equal(
      compare(-2, (a) => a.jumpIf("slt", 1, -1, "yes")),
      1,
    );
    assert.equal(
      compare(-2, (a) => a.jumpIf("lt", 1, 5, "yes")),
      0,
    );
    assert.equal(
      compare(5, (a) => a.jumpIf("lt", 1, -1, "yes")),
      1,
    );
  });
});

describe("memory", () => {
  test("words of every size are stored and loaded, the lowest byte first", () => {
    for (const size of [1, 2, 4, 8] as const) {
      const stored: Write = (a) =>
        a.storeValue(8, 10, -8, 0).move(1, 0x11223344).store(size, 10, -8, 1).load(8, 0, 10, -8);
      const mask = 2n ** BigInt(8 * size) - 1n;
      assert.equal(run64(stored), 0x11223344n & mask);
      const loaded: Write = (a) => a.move(1, -2).store(8, 10, -8, 1).load(size, 0, 10, -8);
      assert.equal(run64(loaded), BigInt.asUintN(64, -2n) & mask);
    }
    assert.equal(
      run64((a) => a.storeValue(8, 10, -8, -3).load(8, 0, 10, -8)),
      2n ** 64n - 3n,
    );
  });

  test("a frame lies between the addresses that the context tells", () => {
    assert.equal(
      run((a) => a.load(4, 1, 1, 76).load(2, 0, 1, 12).exit()),
      0x0e0d,
    );
    const length: Write = (a) =>
      a.load(4, 2, 1, 76).load(4, 0, 1, 80).aluRegister("sub", 0, 2).exit();
    assert.equal(run(length), 60);
    assert.equal(run(length, {}, { linear: 14 }), 14);
    assert.equal(
      run((a) => a.load(4, 0, 1, 0).exit(), {}, { linear: 14 }),
      60,
    );
  });

  test("other words of the context are those told", () => {
    assert.equal(
      run((a) => a.load(4, 0, 1, 20).exit()),
      0,
    );
    assert.equal(
      run((a) => a.load(4, 0, 1, 20).exit(), {}, { context: { 20: 0x80000001 } }),
      0x80000001,
    );
  });

  test("nothing can be reached outside of it", () => {
    const data: Write = (a) => a.load(4, 6, 1, 76);
    faults(
      (a) => data(a).load(1, 0, 6, 60).exit(),
      /^instruction 1: 1 bytes at 60 of the frame, which has 60$/,
    );
    faults((a) => data(a).load(4, 0, 6, 57).exit(), /4 bytes at 57 of the frame/);
    faults((a) => data(a).load(1, 0, 6, -1).exit(), /1 bytes at -1 of the frame/);
    faults((a) => a.storeValue(8, 10, -4, 0).exit(), /8 bytes at 508 of the stack, which has 512/);
    faults((a) => a.storeValue(1, 10, -513, 0).exit(), /1 bytes at -1 of the stack/);
    faults((a) => a.load(4, 0, 1, 192).exit(), /4 bytes at 192 of the context/);
    faults((a) => a.move(0, 0).load(4, 0, 0, 0).exit(), /4 bytes at 0x0, where nothing is/);
    faults((a) => a.move(6, 0).load(4, 0, 6, -8).exit(), /where nothing is/);
  });

  test("what a program writes is in the frame", () => {
    const own = new Uint8Array(20);
    new Vm(program((a) => a.load(4, 6, 1, 76).storeValue(2, 6, 3, 0x0102).move(0, 0).exit())).run(
      own,
    );
    assert.deepEqual([...own.subarray(2, 6)], [0, 2, 1, 0]);
  });
});

describe("what the verifier would refuse", () => {
  test("registers have no value before they get one, and r1 to r5 none after a call", () => {
    faults((a) => a.exit(), /^instruction 0: r0 has no value$/);
    faults((a) => a.alu("add", 3, 1).exit(), /r3 has no value/);
    faults((a) => a.copy(0, 9).exit(), /r9 has no value/);
    for (const register of [1, 2, 3, 4, 5] as const)
      faults(
        (a) =>
          a
            .move(2, 0)
            .move(3, 0)
            .move(4, 0)
            .move(5, 0)
            .call("skb_pull_data")
            .copy(0, register)
            .exit(),
        new RegExp(`r${register} has no value`),
      );
    const kept: Write = (a) => a.move(6, 9).move(2, 0).call("skb_pull_data").copy(0, 6).exit();
    assert.equal(run(kept), 9);
  });

  test("the stack's end cannot be moved", () => {
    faults((a) => a.alu("add", 10, -8).exit(), /r10 cannot be written/);
  });

  test("a program that leaves itself or never ends", () => {
    faults((a) => a.move(0, 0), /^instruction 1: it is outside of the program/);
    faults((a) => a.label("x").move(0, 0).jump("x"), /does not end in 1000000 steps/);
  });

  test("instructions and helpers that are not known", () => {
    const code = program((a) => a.move(0, 0).move(0, 0).exit());
    for (const opcode of [0x37, 0x45, 0x00]) {
      // division, a jump if bits are set, nothing
      code.bytes[8] = opcode;
      assert.throws(() => new Vm(code).run(frame), VmFault);
    }
    faults((a) => a.call("redirect_peer").exit(), /there is no helper redirect_peer/);
  });

  test("any bytes: a result or a fault", () => {
    const opcodes = [
      0x07, 0x0f, 0xb7, 0xb4, 0xbf, 0x18, 0x61, 0x79, 0x63, 0x62, 0xdc, 0x05, 0x15, 0x2d, 0x85,
      0x95,
    ];
    const instruction = fc.tuple(
      fc.oneof(fc.constantFrom(...opcodes), fc.nat(255)),
      fc.nat(255),
      fc.constantFrom(0, 1, 76, 0xff),
      fc.constantFrom(0, 0xff),
      fc.constantFrom(0, 1, 26, 39, 255),
      ...[0, 0, 0].map((n) => fc.constant(n)),
    );
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 12 }), (instructions) => {
        const any = { ...program((a) => a.exit()), bytes: Uint8Array.from(instructions.flat()) };
        try {
          new Vm(any).run(frame);
        } catch (error) {
          assert.ok(error instanceof VmFault, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("maps", () => {
  const owners = new HashMap(4).set(word(7), word(70)).set(word(0xffffffff), word(80));
  const port = new ArrayMap([Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0)]);
  const maps = { owners, port };
  const look =
    (key: number): Write =>
    (a) =>
      a
        .storeValue(4, 10, -4, key)
        .loadMap(1, "owners")
        .copy(2, 10)
        .alu("add", 2, -4)
        .call("map_lookup_elem")
        .jumpIf("eq", 0, 0, "out")
        .load(4, 0, 0, 0)
        .label("out")
        .exit();

  test("a hash finds what it has, and nothing else", () => {
    assert.equal(run(look(7), { maps }), 70);
    assert.equal(run(look(-1), { maps }), 80);
    assert.equal(run(look(8), { maps }), 0);
  });

  test("an array's values are found by index", () => {
    const index =
      (n: number): Write =>
      (a) => {
        a.storeValue(4, 10, -4, n).loadMap(1, "port").copy(2, 10).alu("add", 2, -4);
        return a.call("map_lookup_elem").exit();
      };
    assert.notEqual(run(index(0), { maps }), 0);
    assert.equal(run(index(1), { maps }), 0);
  });

  test("the first value of an array is reached without a look-up", () => {
    assert.equal(
      run((a) => a.loadMapValue(1, "port", 4).load(4, 0, 1, 0).exit(), { maps }),
      2,
    );
    faults(
      (a) => a.loadMapValue(1, "port", 4).load(8, 0, 1, 0).exit(),
      /8 bytes at 4 of the map value/,
      { maps },
    );
  });

  test("what a program writes into a value is there in the next run", () => {
    const count: Write = (a) =>
      a.loadMapValue(1, "port", 0).load(4, 0, 1, 0).alu("add", 0, 1).store(4, 1, 0, 0).exit();
    const vm = new Vm(program(count), { maps: { port: new ArrayMap([word(3)]) } });
    assert.deepEqual([vm.run(frame), vm.run(frame)], [4, 5]);
  });

  test("a map that nobody gave, or a number in its place, is a fault", () => {
    faults(look(7), /there is no map owners/);
    faults((a) => a.move(1, 5).call("map_lookup_elem").exit(), /no map in the register/);
  });
});

describe("helpers", () => {
  const load =
    (offset: number, length: number): Write =>
    (a) =>
      a
        .move(2, offset)
        .copy(3, 10)
        .alu("add", 3, -16)
        .move(4, length)
        .call("skb_load_bytes")
        .load(2, 1, 10, -16);

  test("skb_load_bytes copies from the frame, in one piece or not; beyond it, 0", () => {
    for (const linear of [60, 0]) {
      assert.equal(
        run((a) => load(58, 2)(a).copy(0, 1).exit(), {}, { linear }),
        0x3c3b,
      );
      assert.equal(
        run((a) => load(58, 2)(a).exit(), {}, { linear }),
        0,
      );
    }
    assert.equal(
      run((a) => load(59, 2)(a).copy(0, 1).exit()),
      0,
    );
    assert.equal(run((a) => load(59, 2)(a).exit()) | 0, -14);
    assert.equal(run((a) => load(-1, 2)(a).exit()) | 0, -14);
    faults((a) => load(0, 17)(a).exit(), /17 bytes at 496 of the stack/);
  });

  const pull =
    (length: number): Write =>
    (a) =>
      a
        .copy(6, 1)
        .load(4, 7, 1, 76)
        .move(2, length)
        .call("skb_pull_data")
        .copy(8, 0)
        .load(4, 9, 6, 76);
  const linear: Write = (a) => a.load(4, 0, 6, 80).aluRegister("sub", 0, 9).exit();

  test("skb_pull_data brings so many bytes into one piece, or says that there are not so many", () => {
    assert.equal(
      run((a) => linear(pull(40)(a)), {}, { linear: 14 }),
      40,
    );
    assert.equal(
      run((a) => linear(pull(10)(a)), {}, { linear: 14 }),
      14,
    );
    assert.equal(
      run((a) => linear(pull(61)(a)), {}, { linear: 14 }),
      14,
    );
    assert.equal(
      run((a) => pull(60)(a).copy(0, 8).exit(), {}, { linear: 14 }),
      0,
    );
    assert.equal(run((a) => pull(61)(a).copy(0, 8).exit(), {}, { linear: 14 }) | 0, -12);
    assert.equal(
      run((a) => pull(40)(a).load(1, 0, 9, 39).exit(), {}, { linear: 14 }),
      40,
    );
  });

  test("after skb_pull_data the frame's old addresses are void", () => {
    faults((a) => pull(60)(a).load(1, 0, 7, 0).exit(), /1 bytes at .* where nothing is|of the/);
  });

  test("others are what is given for them", () => {
    const sent: number[] = [];
    const redirect = (a: Assembler): Assembler => a.move(1, 12).move(2, 0).call("redirect").exit();
    const helpers = {
      redirect: (r: { argument(n: number): bigint }): bigint => {
        sent.push(Number(r.argument(1)));
        return 7n;
      },
    };
    assert.equal(run(redirect, { helpers }), 7);
    assert.deepEqual(sent, [12]);
  });
});
