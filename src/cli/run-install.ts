/** Carries `install` and `uninstall` out: a line for each file, and in the end what to type next. */
import { execFileSync } from "node:child_process";
import { existsSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { type Host, install } from "../install/install.ts";
import { uninstall } from "../install/uninstall.ts";
import { STATUS_FAILED, STATUS_REFUSED, UsageError } from "../words/errors.ts";
import type { Call } from "./call.ts";
import type { Install } from "./install-words.ts";

export function runInstall({ verb, target, root }: Install, { self }: Call): number {
  if (root !== undefined && !statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`ipvlan: --root: "${root}" is no folder`, STATUS_FAILED);
  const host: Host = {
    node: process.execPath,
    script: realpathSync(self),
    root: resolve(root ?? "/"),
    systemctl: root === undefined && isSystemdRunning() ? systemctl : undefined,
  };
  if (verb === "install") return say(install(target, host));
  const { lines, left } = uninstall(target, host);
  say(lines);
  for (const path of left)
    process.stderr.write(`ipvlan: ${path} stays: it is not what was installed\n`);
  return left.length > 0 ? STATUS_REFUSED : 0;
}

function say(lines: readonly string[]): number {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return 0;
}

/** man: sd_booted(3). */
const isSystemdRunning = (): boolean => existsSync("/run/systemd/system");

const systemctl = (...words: readonly string[]): void => {
  execFileSync("systemctl", words, { stdio: ["ignore", "ignore", "inherit"] });
};
