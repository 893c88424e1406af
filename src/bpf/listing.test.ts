import assert from "node:assert/strict";
import { test } from "node:test";
import { Assembler } from "./assembler.ts";
import { listing } from "./listing.ts";

const shown = (write: (a: Assembler) => Assembler): string =>
  listing(write(new Assembler()).finish("test"));

test("each kind of instruction has its line", () => {
  const text = shown((a) =>
    a
      .move(1, 5)
      .move(1, -300)
      .move(1, 2 ** 40)
      .copy(2, 1)
      .copy32(2, 1)
      .alu("arsh", 2, 3)
      .aluRegister("xor", 2, 1)
      .swap(2, 16)
      .load(2, 3, 1, 12)
      .store(8, 10, -8, 3)
      .storeValue(1, 10, -9, 7)
      .loadMap(1, "addresses")
      .loadMapValue(1, "settings", 4)
      .call("map_lookup_elem")
      .exit(),
  );
  assert.equal(
    text,
    `    mov r1, 5
    mov r1, -0x12c
    lddw r1, 1099511627776
    mov r2, r1
    mov32 r2, r1
    arsh r2, 3
    xor r2, r1
    be16 r2
    ldxh r3, [r1+12]
    stxdw [r10-8], r3
    stb [r10-9], 7
    lddw r1, map addresses
    lddw r1, value of settings + 4
    call map_lookup_elem
    exit
`,
  );
});

test("a line of source stands above its instructions, a label where something jumps to", () => {
  const text = shown((a) =>
    a
      .line({ file: "a.ts", line: 1, text: "if (n > 5)" })
      .label("start")
      .jumpIf("sgt", 0, 5, "large")
      .jumpIfRegister("ne", 0, 1, "large")
      .line({ file: "a.ts", line: 2, text: "return 0;" })
      .move(0, 0)
      .label("large")
      .exit(),
  );
  assert.equal(
    text,
    `  ; a.ts:1  if (n > 5)
    jsgt r0, 5, large
    jne r0, r1, large
  ; a.ts:2  return 0;
    mov r0, 0
large:
    exit
`,
  );
});
