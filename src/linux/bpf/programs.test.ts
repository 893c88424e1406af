import assert from "node:assert/strict";
import { test } from "node:test";
import { needsBpf, returning } from "../../../test/bpf.ts";
import { inScratch } from "../../../test/scratch-netns.ts";
import { Assembler } from "../../bpf/assembler.ts";
import type { Program } from "../../bpf/program.ts";
import { word } from "../../bpf/vm/maps.ts";
import { addVeth, getLink } from "../netlink/link.ts";
import { withNetns } from "../netns.ts";
import { close } from "../sys.ts";
import { BpfMap } from "./maps.ts";
import {
  loadProgram,
  programInfo,
  type TestRunOptions,
  testRun,
  VerifierError,
} from "./programs.ts";

const skip = needsBpf;

const frame = Buffer.alloc(64);
frame.writeUInt16BE(0x88b5, 12);

function run(program: Program, options: TestRunOptions = {}, bytes: Uint8Array = frame) {
  const fd = loadProgram(program, {});
  try {
    return testRun(fd, bytes, options);
  } finally {
    close(fd);
  }
}

test("a program runs on a frame, and all 32 bits of what it returns are told", { skip }, () => {
  assert.equal(run(returning(3))?.result, 3);
  assert.equal(run(returning(-1))?.result, 0xffffffff);
  const length = new Assembler().load(4, 0, 1, 0).exit().finish("length");
  for (const size of [14, 64, 1514, 3000])
    assert.equal(run(length, {}, Buffer.alloc(size))?.result, size);
});

test("a frame that the kernel does not run has no result", { skip }, () => {
  assert.equal(run(returning(3), {}, frame.subarray(0, 13)), undefined);
  assert.equal(run(returning(3), {}, Buffer.alloc(5000)), undefined);
  const ip = Buffer.from(frame.subarray(0, 20));
  ip.writeUInt16BE(0x0800, 12);
  assert.equal(run(returning(3), {}, ip), undefined);
});

test("a frame may be marked", { skip }, () => {
  const mark = new Assembler().load(4, 0, 1, 8).exit().finish("mark");
  assert.equal(run(mark, { mark: 0x80000001 })?.result, 0x80000001);
  assert.equal(run(mark)?.result, 0);
});

test("repeated, it tells the time of one run", { skip }, () => {
  const { durationNs } = run(returning(3), { repeat: 100_000 })!;
  assert.ok(durationNs > 0 && durationNs < 100_000, `${durationNs} ns`);
});

test(
  "a frame may come from a device of the thread's namespace",
  { skip },
  inScratch((scratch) => {
    const netns = scratch.namespace();
    const socket = scratch.socket(netns);
    addVeth(socket, { name: "a0", peer: { name: "a1" } });
    const ifindex = getLink(socket, "a0")!.index;
    const device = new Assembler().load(4, 0, 1, 40).exit().finish("device");
    withNetns(netns, () => assert.equal(run(device, { ifindex })?.result, ifindex));
  }),
);

test("maps get their descriptors where the program names them", { skip }, () => {
  const spec = { keySize: 4, valueSize: 8, maxEntries: 1 };
  const numbers = BpfMap.create({ ...spec, type: "array", name: "numbers" });
  const other = BpfMap.create({ ...spec, type: "array", name: "other" });
  const value = Buffer.alloc(8);
  value.writeUInt32LE(77, 4);
  numbers.update(word(0), value);
  const program = new Assembler()
    .loadMapValue(1, "numbers", 4)
    .load(4, 6, 1, 0)
    .loadMap(1, "other")
    .storeValue(4, 10, -4, 0)
    .copy(2, 10)
    .alu("add", 2, -4)
    .call("map_lookup_elem")
    .jumpIf("eq", 0, 0, "out")
    .storeValue(4, 0, 0, 5)
    .label("out")
    .copy(0, 6)
    .exit()
    .finish("with_maps");
  const fd = loadProgram(program, { numbers: numbers.fd, other: other.fd });
  assert.equal(testRun(fd, frame)?.result, 77);
  other.lookup(word(0), value);
  assert.equal(value.readUInt32LE(), 5);
  assert.throws(() => loadProgram(program, { numbers: numbers.fd }), /with_maps uses a map other/);
  for (const one of [fd, numbers.fd, other.fd]) close(one);
});

test("what the verifier refuses is one line for the person, and its whole log for who repairs it", {
  skip,
}, () => {
  const program = new Assembler().load(4, 0, 1, 76).load(1, 0, 0, 0).exit().finish("unchecked");
  assert.throws(
    () => loadProgram(program, {}),
    (error: unknown) => {
      assert.ok(error instanceof VerifierError);
      assert.equal(error.code, "EACCES");
      assert.match(
        error.message,
        /^load program unchecked: the kernel's verifier refuses it: R0 offset is outside of the packet$/,
      );
      assert.doesNotMatch(error.message, /\n/);
      assert.match(error.log, /r0 = \*\(u32 \*\)\(r1 \+76\)/i);
      return true;
    },
  );
});

test("the verifier's log shows the lines of source", { skip }, () => {
  const program = new Assembler()
    .line({ file: "case.ts", line: 7, text: "return u32(f, 0);" })
    .load(4, 2, 1, 76)
    .load(4, 0, 2, 0)
    .exit()
    .finish("unchecked");
  assert.throws(
    () => loadProgram(program, {}),
    (error: unknown) => error instanceof VerifierError && /; return u32\(f, 0\);/.test(error.log),
  );
});

test("a program is known by id, name and the hash of its instructions", { skip }, () => {
  const [one, same, other] = [returning(1, "one"), returning(1, "same"), returning(2, "other")].map(
    (program) => loadProgram(program, {}),
  ) as [number, number, number];
  assert.equal(programInfo(one).name, "one");
  assert.match(programInfo(one).tag, /^[0-9a-f]{16}$/);
  assert.equal(programInfo(one).tag, programInfo(same).tag);
  assert.notEqual(programInfo(one).tag, programInfo(other).tag);
  assert.notEqual(programInfo(one).id, programInfo(same).id);
  for (const fd of [one, same, other]) close(fd);
});
