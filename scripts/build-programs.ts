/** Part of `npm run build`: compiles the driver's decisions to eBPF and leaves the programs beside the engine. */
import { readFileSync, writeFileSync } from "node:fs";
import { writePrograms } from "../src/engine/ebpf/programs.ts";
import { buildPrograms } from "./ebpf-programs.ts";

/** From dist/scripts. */
const root = new URL("../../", import.meta.url);
const programs = buildPrograms((path) => readFileSync(new URL(path, root), "utf8"));
writeFileSync(
  new URL("../src/engine/ebpf/programs.json", import.meta.url),
  writePrograms(programs),
);
