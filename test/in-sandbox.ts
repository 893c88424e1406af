/**
 * Tests on real devices: the test file runs once more in a sandbox of its own (`scripts/sandbox.ts`), where it may do
 * to the network what it likes, and reports from there. Where there can be no sandbox it says why.
 *
 *     await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
 *       test("...", async () => { ... });
 *     });
 *
 * Tests that must hold whichever engine moves the frames run in a sandbox for each, one after the other:
 *
 *     await inSandbox(import.meta.url, { engines: "both" }, (engine) => { ... });
 *
 * Those that take minutes name one on which they `usually` run; on both if all is asked for: `npm test -- --all`.
 * With IPVLAN_ENGINE set all run on that engine only.
 */
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { enterSandbox, insideSandbox, sandboxRefusal } from "../scripts/sandbox.ts";
import type { EngineName } from "../src/engine/engine.ts";
import { needsBpf } from "./bpf.ts";

export interface Requirements {
  /** Programs that the tests call. */
  readonly needs?: readonly string[];
  /** On which engines the tests run; unless said, on the one that ports get by themselves. */
  readonly engines?: "both" | EngineName;
  /** The one of both on which they run unless all is asked for. */
  readonly usually?: EngineName;
}

/** Read by the daemons that the tests' commands start. */
const ENGINE = "IPVLAN_ENGINE";

/** `file`: the test file's `import.meta.url`. */
export async function inSandbox(
  file: string,
  { needs = [], engines, usually }: Requirements,
  define: (engine: EngineName) => void | Promise<void>,
): Promise<void> {
  const chosen = process.env[ENGINE] as EngineName;
  if (insideSandbox()) return defineFor(chosen, engines === undefined, define);
  const refusal = sandboxRefusal() ?? missingPrograms(needs);
  if (refusal !== undefined) {
    test("on real devices", { skip: refusal }, () => {});
    return;
  }
  // The runner reads reports from our output; whoever is inside writes there, too.
  const wanted = engines === "both" && !allAsked ? (usually ?? engines) : engines;
  for (const engine of enginesOf(wanted, chosen))
    process.exitCode = (await enterSandbox(file, [], { [ENGINE]: engine })) || process.exitCode;
}

/** `npm test -- --all` */
export const allAsked: boolean = process.env.IPVLAN_TEST_ALL !== undefined;

function enginesOf(
  engines: Requirements["engines"],
  chosen: EngineName | undefined,
): readonly (EngineName | undefined)[] {
  if (engines === undefined || chosen !== undefined) return [chosen];
  return engines === "both" ? ["ebpf", "userspace"] : [engines];
}

function defineFor(
  engine: EngineName,
  isAnyOne: boolean,
  define: (engine: EngineName) => void | Promise<void>,
): void | Promise<void> {
  if (isAnyOne) return define(engine);
  const skip = engine === "ebpf" && needsBpf;
  describe(`engine ${engine}`, { skip }, () => define(engine));
}

function missingPrograms(programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => !isThere(program));
  return missing.length === 0 ? undefined : `needs the program ${missing.join(", ")}`;
}

const isThere = (program: string): boolean =>
  spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status === 0;
