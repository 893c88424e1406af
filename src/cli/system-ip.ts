/**
 * The system's `ip`: lines that are not ours run in it as if it had been called itself, with our terminal, its
 * exit status, and its signal. We may be installed under the name `ip`, too; so we look for one that is not us.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants as access, accessSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { STATUS_USAGE, UsageError } from "./errors.ts";

/** Where `ip` is when PATH does not say, as in a user's shell that leaves out sbin. */
const USUAL = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/** Signals that ask a program to end; whoever sends them to us means the program in our place. */
const FORWARDED: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** `self` is the path of the script that runs. */
export function getSystemIp(self: string, path: string = process.env.PATH ?? ""): string {
  const ours = realpathSync(self);
  for (const directory of [...path.split(":"), ...USUAL]) {
    const program = join(directory || ".", "ip");
    if (isExecutable(program) && realpathSync(program) !== ours) return program;
  }
  throw new UsageError("ipvlan: no ip (iproute2) in PATH", STATUS_USAGE);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, access.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs it in our place and returns its exit status; if a signal ended it, the same one ends us. */
export async function passOn(ip: string, words: readonly string[]): Promise<number> {
  const child = spawn(ip, words, { stdio: "inherit" });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  const end = await ended(child);
  for (const signal of FORWARDED) process.off(signal, forward);
  return statusOf(end);
}

/** Runs it and returns what it printed; errors and input are the caller's. */
export async function capture(
  ip: string,
  words: readonly string[],
  errors: "inherit" | "ignore" = "inherit",
): Promise<{ readonly output: string; readonly status: number }> {
  const child = spawn(ip, words, { stdio: ["inherit", "pipe", errors] });
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  const end = await ended(child);
  return { output: Buffer.concat(pieces).toString(), status: statusOf(end) };
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

function ended(child: ChildProcess): Promise<End> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
}

/** What a shell adds to the number of the signal that ended a program. */
const SHELL_SIGNAL_STATUS = 128;

function statusOf({ code, signal }: End): number {
  if (signal === null) return code ?? STATUS_USAGE;
  process.kill(process.pid, signal);
  return SHELL_SIGNAL_STATUS + constants.signals[signal]; // Node survives some, SIGPIPE for one
}
