/**
 * Tests on real devices: the test file runs once more in a sandbox of its own (`scripts/sandbox.ts`), where it may do
 * to the network what it likes, and reports from there. Where there can be no sandbox it says why.
 *
 *     await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
 *       test("...", async () => { ... });
 *     });
 */
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { enterSandbox, insideSandbox, sandboxRefusal } from "../scripts/sandbox.ts";

export interface Requirements {
  /** Programs that the tests call. */
  readonly needs?: readonly string[];
}

/** `file`: the test file's `import.meta.url`. */
export async function inSandbox(
  file: string,
  { needs = [] }: Requirements,
  define: () => void | Promise<void>,
): Promise<void> {
  if (insideSandbox()) return define();
  const refusal = sandboxRefusal() ?? missingPrograms(needs);
  if (refusal !== undefined) test("on real devices", { skip: refusal }, () => {});
  // The runner reads reports from our output; whoever is inside writes there, too.
  else process.exitCode = await enterSandbox(file, []);
}

function missingPrograms(programs: readonly string[]): string | undefined {
  const missing = programs.filter((program) => !isThere(program));
  return missing.length === 0 ? undefined : `needs the program ${missing.join(", ")}`;
}

const isThere = (program: string): boolean =>
  spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status === 0;
