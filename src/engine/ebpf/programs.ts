/** The programs as the build left them (`scripts/build-programs.ts`); nothing of the compiler is needed any more. */
import { readFileSync } from "node:fs";
import type { Program } from "../../bpf/program.ts";

/**
 * `xmit` at the ingress of every host end, `receive` at the master's; `flood` at the ingress and `input` at the egress
 * of the pair's end in the master's namespace.
 */
export const PROGRAM_NAMES = ["xmit", "receive", "flood", "input"] as const;
export type ProgramName = (typeof PROGRAM_NAMES)[number];
export type Programs = Readonly<Record<ProgramName, Program>>;

const FILE = new URL("./programs.json", import.meta.url);

/** As JSON has them: bytes as text. */
type Written = Readonly<Record<ProgramName, Omit<Program, "bytes"> & { readonly bytes: string }>>;

export function readPrograms(): Programs {
  const written = JSON.parse(readFileSync(FILE, "utf8")) as Written;
  const read = (name: ProgramName): Program => ({
    ...written[name],
    bytes: Buffer.from(written[name].bytes, "base64"),
  });
  return {
    xmit: read("xmit"),
    receive: read("receive"),
    flood: read("flood"),
    input: read("input"),
  };
}

export function writePrograms(programs: Programs): string {
  const write = (name: ProgramName) => ({
    ...programs[name],
    bytes: Buffer.from(programs[name].bytes).toString("base64"),
  });
  return JSON.stringify(Object.fromEntries(PROGRAM_NAMES.map((name) => [name, write(name)])));
}
