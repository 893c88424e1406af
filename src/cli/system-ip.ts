/**
 * The system's `ip`: lines that are not ours run in it as if it had been called itself, with our terminal, its
 * exit status, and its signal. We may be installed under the name `ip`, too; so we look for one that is not us.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants as access, accessSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { STATUS_USAGE, UsageError } from "../words/errors.ts";

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
export const passOn = (ip: string, words: readonly string[]): Promise<number> =>
  endOf(spawn(ip, words, { stdio: "inherit" }));

/** Runs it on an input, and hands on what it says on stderr, through `tell`, line by line. */
export async function feed(
  ip: string,
  words: readonly string[],
  input: string,
  tell: (line: string) => string,
): Promise<number> {
  const child = spawn(ip, words, { stdio: ["pipe", "inherit", "pipe"] });
  child.stdin.on("error", () => {}); // it may end before it has read all
  child.stdin.end(input, "latin1");
  const [status] = await Promise.all([
    endOf(child),
    eachLine(child.stderr, (lines) => writeOut(process.stderr, lines.map(tell))),
  ]);
  return status;
}

/** Runs it and hands on what it prints while it runs, through `tell`: lines that came at once, with their ends. */
export async function stream(
  ip: string,
  words: readonly string[],
  tell: (lines: readonly string[]) => Promise<readonly string[]>,
): Promise<number> {
  const child = spawn(ip, inColour(words), { stdio: ["inherit", "pipe", "inherit"] });
  const kill = (): void => {
    child.kill();
  };
  process.once("exit", kill); // whoever read our output has gone, and nobody reads its
  const [status] = await Promise.all([
    endOf(child),
    eachLine(child.stdout, async (lines) => writeOut(process.stdout, await tell(lines))),
  ]);
  process.off("exit", kill);
  return status;
}

/** Bytes of a line without an end that are kept together. */
const LINE_MAX = 1 << 20;

/** Bytes are characters here: what is not text goes through unchanged. */
async function eachLine(
  output: Readable,
  take: (lines: string[]) => void | Promise<void>,
): Promise<void> {
  let rest = "";
  for await (const piece of output.setEncoding("latin1")) {
    const lines = `${rest}${piece}`.split(/(?<=\n)/);
    const last = lines.at(-1) ?? "";
    rest = last.endsWith("\n") || last.length > LINE_MAX ? "" : last;
    if (rest !== "") lines.pop();
    await take(lines);
  }
  if (rest !== "") await take([rest]);
}

const writeOut = (to: NodeJS.WriteStream, lines: readonly string[]): void => {
  if (lines.length > 0) to.write(lines.join(""), "latin1");
};

/** Runs it and returns what it printed, a byte to a character; errors and input are the caller's. */
export async function capture(
  ip: string,
  words: readonly string[],
  errors: "inherit" | "ignore" = "inherit",
): Promise<{ readonly output: string; readonly status: number }> {
  const child = spawn(ip, inColour(words), { stdio: ["inherit", "pipe", errors] });
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  const end = await ended(child);
  return { output: Buffer.concat(pieces).toString("latin1"), status: statusOf(end) };
}

/** It cannot see our terminal where we read what it prints. */
const inColour = (words: readonly string[]): string[] =>
  words.map((word) => {
    const isAuto = /^--?c(o(l(or?)?)?)?=auto$/.test(word);
    return isAuto && process.stdout.isTTY ? "-color=always" : word;
  });

/** A signal that is meant for the program ends it, and so us. */
async function endOf(child: ChildProcess): Promise<number> {
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  const end = await ended(child);
  for (const signal of FORWARDED) process.off(signal, forward);
  return statusOf(end);
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
