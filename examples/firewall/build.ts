/** Compiles the firewall: prints what it became, and leaves the instructions in a file. Needs no rights. */
import { readFileSync, writeFileSync } from "node:fs";
import { listing, type Program } from "ipvlan/bpf";
import { compile, loads } from "ipvlan/bpf/compiler";

/** `path`: of firewall.ts. */
export function build(path: string): Program {
  return compile({
    file: path,
    entry: "firewall",
    machine: { frame: "Frame", objects: {}, functions: { "ipvlan/wire": loads } },
    readFile: (file) => readFileSync(file, "utf8"),
    epilogue: (a) => a.exit(), // what the decision returns is what tc is told
  });
}

const [source, to] = process.argv.slice(2);
if (source !== undefined) {
  const program = build(source);
  console.log(listing(program));
  if (to !== undefined) writeFileSync(to, program.bytes);
}
