/**
 * `ipvlan/bpf`: programs of eBPF written (`Assembler`), shown (`listing`), described to the kernel (`btf`) and run without
 * one (`Vm`). Runs wherever JavaScript does. `ipvlan/bpf/compiler` makes programs of TypeScript; examples/firewall is a
 * whole one.
 */
export { Assembler } from "./assembler.ts";
export { type Btf, btf } from "./btf.ts";
export type {
  AluOperation,
  Condition,
  Helper,
  Instruction,
  Register,
  Size,
} from "./instruction.ts";
export { decode, disassemble, listing } from "./listing.ts";
export type { MapReference, Program, SourceLine } from "./program.ts";
export { ArrayMap, HashMap, type VmMap, word } from "./vm/maps.ts";
export { VmFault } from "./vm/memory.ts";
export { type FrameOptions, Vm, type VmOptions } from "./vm/vm.ts";
