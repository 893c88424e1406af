/** One program, run in each of the three ways: as JavaScript, in our machine, in the kernel. */
import type { Program } from "../../src/bpf/program.ts";
import { Vm } from "../../src/bpf/vm/vm.ts";
import { loadProgram, testRun } from "../../src/linux/bpf/programs.ts";
import { close } from "../../src/linux/sys.ts";
import { Frame } from "../../src/wire/frame.ts";
import { functions, MARK, PORT, type Port, vmContext, vmMaps } from "./machine.ts";

/** The result as a program returns it: 32 bits, not signed. */
export type Execution = (frame: Uint8Array) => number;

type Decision = (port: Port, f: Frame) => number | boolean;

/** `text`: JavaScript with a function of that name. */
export function inJavaScript(text: string, name: string): Execution {
  const make = new Function(...Object.keys(functions), `"use strict";\n${text}\nreturn ${name};`);
  const decide = make(...Object.values(functions)) as Decision;
  const frame = new Frame();
  return (bytes) => Number(decide(PORT, frame.set(bytes, 0, bytes.length))) >>> 0;
}

/** `linear`: bytes of a frame that lie in one piece at first. */
export function inVm(program: Program, linear: (length: number) => number): Execution {
  const vm = new Vm(program, { maps: vmMaps() });
  return (bytes) => vm.run(bytes, { linear: linear(bytes.length), context: vmContext });
}

export interface KernelExecution {
  /** undefined: the kernel runs no such frame. */
  run(frame: Uint8Array): number | undefined;
  close(): void;
}

/** `maps`: descriptors. Throws `VerifierError`. */
export function inKernel(
  program: Program,
  maps: Readonly<Record<string, number>>,
): KernelExecution {
  const fd = loadProgram(program, maps);
  return {
    run: (frame) => testRun(fd, frame, { mark: MARK })?.result,
    close: () => close(fd),
  };
}
