/** What tests of programs in the kernel need. */
import { Assembler } from "../src/bpf/assembler.ts";
import type { Program } from "../src/bpf/program.ts";
import { BpfMap } from "../src/linux/bpf/maps.ts";

/** Why a test that loads programs or makes maps is skipped; false if it need not be. */
export const needsBpf: string | false = (() => {
  try {
    BpfMap.create({
      type: "array",
      name: "probe",
      keySize: 4,
      valueSize: 4,
      maxEntries: 1,
    }).close();
    return false;
  } catch (error) {
    return `needs CAP_BPF: ${error instanceof Error ? error.message : error}`;
  }
})();

/** A program that returns a number. */
export const returning = (value: number, name = `return_${value >>> 0}`): Program =>
  new Assembler().move(0, value).exit().finish(name);
