/**
 * Whether random programs would find a fault: compilers that are broken on purpose, one by one, each of which they must
 * find. A fault is a change in the text of one compiled file; should a text not be there any more, look for what became
 * of it: the fault is what counts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { allAsked } from "../in-sandbox.ts";

/** The repository: this runs from `dist/test/compiler`. */
const root = fileURLToPath(new URL("../../..", import.meta.url));
/** Programs in which a fault must show. */
const PROGRAMS = 600;
/** Each fault takes seconds: one of so many is tried unless all is asked for. */
const A_FEW = 5;
interface Fault {
  readonly what: string;
  /** In `src/bpf/compiler`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const faults: readonly Fault[] = [
  {
    what: "a shift right of a negative number is that of an unsigned one",
    file: "arithmetic",
    from: `compute(l, "arsh", a`,
    to: `compute(l, "rsh", a`,
  },
  {
    what: "the sign of 32 bits is not carried up",
    file: "arithmetic",
    from: "isWithin(l.code.range(v), INT32) ? v",
    to: "true ? v",
  },
  {
    what: "the upper half is not cleared before an unsigned shift",
    file: "arithmetic",
    from: "isWithin(l.code.range(v), UINT32) ? v",
    to: "true ? v",
  },
  {
    what: "left and right of a subtraction change places",
    file: "emit",
    from: "this.#operands.move(1, right);\n        this.#operands.move(to, left);",
    to: "this.#operands.move(1, left);\n        this.#operands.move(to, right);",
  },
  {
    what: "a length test lets frames pass that are one byte short",
    file: "code",
    from: "atLeast: bytes + 1, isMet: false",
    to: "atLeast: bytes, isMet: false",
  },
  {
    what: "a load's own check of the length is one byte short",
    file: "frame-access",
    from: `jumpIfLength("below", offset + size, short)`,
    to: `jumpIfLength("below", offset + size - 1, short)`,
  },
  {
    what: "a byte too many counts as known to be there",
    file: "intrinsics",
    from: "at.constant + size <= l.code.knownLength",
    to: "at.constant + size <= l.code.knownLength + 1",
  },
  {
    what: "what a variable led to is taken for what it leads to now",
    file: "code",
    from: "operands.some((v) => !isConstant(v) && v.changes)",
    to: "false",
  },
  {
    what: "a const of a variable changes with it",
    file: "statements",
    from: "isConstant(value) || !value.changes",
    to: "true",
  },
  {
    what: "what one way computed is used where another way came",
    file: "facts",
    from: "([key, value]) => b.results.get(key) === value",
    to: "() => true",
  },
  {
    what: "what one way knew of a number holds for all ways",
    file: "facts",
    from: "hull(range, other)",
    to: "range",
  },
  {
    what: "the length that one way knew holds for all ways",
    file: "facts",
    from: "Math.min(a.length, b.length)",
    to: "Math.max(a.length, b.length)",
  },
  {
    what: "a condition's opposite is another one",
    file: "ranges",
    from: `sgt: "sle",\n    sle: "sgt",\n};\n/** With both`,
    to: `sgt: "slt",\n    sle: "sgt",\n};\n/** With both`,
  },
  {
    what: "continue leaves the loop",
    file: "statements",
    from: "exits: { onBreak: end, onContinue: next }",
    to: "exits: { onBreak: end, onContinue: end }",
  },
  {
    what: "a number is kept over a call in a register that is lost there",
    file: "registers",
    from: "crossesCall ? KEPT : [...LOST, ...KEPT]",
    to: "[...LOST, ...KEPT]",
  },
  {
    what: "a register is given out before its number is read for the last time",
    file: "registers",
    from: "(registers.get(r) ?? -1) <= from",
    to: "(registers.get(r) ?? -1) <= from + 1",
  },
  {
    what: "a value is dropped that is used behind a branch",
    file: "tidy",
    from: "successors(block.end).flatMap",
    to: "successors(block.end).slice(0, 1).flatMap",
  },
  {
    what: "words are left in network order",
    file: "frame-access",
    from: "if (size !== 1)",
    to: "if (size === 4)",
  },
  {
    what: "a key is read where the frame does not have all of it",
    file: "frame-access",
    from: `jumpIfLength("below", offset + size, none)`,
    to: `jumpIfLength("below", offset + size - 2, none)`,
  },
  {
    what: "|| goes on to its second part where the first holds",
    file: "conditions",
    from: "l.condition(n.left, yes, second)",
    to: "l.condition(n.left, second, yes)",
  },
];

let copy = "";

before(() => {
  copy = mkdtempSync(path.join(tmpdir(), "broken-compiler-"));
  cpSync(path.join(root, "dist"), copy, { recursive: true });
  for (const part of ["node_modules", "package.json"])
    symlinkSync(path.join(root, part), path.join(copy, part));
});
after(() => rmSync(copy, { recursive: true }));

for (const [n, { what, file, from, to }] of faults.entries()) {
  const skip = allAsked || n % A_FEW === 0 ? false : "one of many: npm test -- --all";
  test(`is found: ${what}`, { skip }, () => {
    const place = path.join(copy, "src/bpf/compiler", `${file}.js`);
    const text = readFileSync(place, "utf8");
    assert.equal(text.split(from).length, 2, `${file}.js has it once: ${from}`);
    writeFileSync(
      place,
      text.replace(from, () => to),
    );
    const { status, stdout, stderr } = fuzz();
    writeFileSync(place, text);
    assert.equal(status, 1, stdout + stderr);
    assert.match(stdout, /^seed \d+: (JavaScript|VmFault|Error: instruction|VerifierError|Error)/m);
  });
}

test("the compiler as it is passes", () => {
  const { status, stdout, stderr } = fuzz();
  assert.equal(status, 0, stdout + stderr);
});

function fuzz() {
  const main = path.join(copy, "test/compiler/main.js");
  return spawnSync(process.execPath, [main, String(PROGRAMS)], { encoding: "utf8" });
}
