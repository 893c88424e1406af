/** Makes the programs: each decision, compiled, and its actions. Runs when the project is built. */
import { Assembler } from "../src/bpf/assembler.ts";
import { compile } from "../src/bpf/compiler/compile.ts";
import type { ReadFile } from "../src/bpf/compiler/names.ts";
import type { Program } from "../src/bpf/program.ts";
import { inputActions, receiveActions, xmitActions } from "../src/engine/ebpf/actions.ts";
import { goOnFlooding } from "../src/engine/ebpf/flood.ts";
import { ENTRIES, machine } from "../src/engine/ebpf/machine.ts";
import type { Programs } from "../src/engine/ebpf/programs.ts";

/** `readFile`: of the repository, by path from its root. */
export function buildPrograms(readFile: ReadFile): Programs {
  const build = (entry: keyof typeof ENTRIES, epilogue: (a: Assembler) => void): Program =>
    compile({ file: ENTRIES[entry], entry, machine, readFile, epilogue });
  const flood = new Assembler();
  goOnFlooding(flood);
  return {
    xmit: build("xmit", xmitActions),
    receive: build("receive", receiveActions),
    flood: flood.finish("flood"),
    input: build("input", inputActions),
  };
}
