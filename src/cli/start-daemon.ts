/**
 * Starts the daemon of a namespace when it is needed for the first time. Two commands may want that at once: one
 * of them holds a lock file and starts it, the other waits, and both use the same daemon.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, clientIn, withDaemon } from "./client.ts";
import { refused, STATUS_REFUSED, UsageError } from "./errors.ts";

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

/** `words` start it in the right namespace; returns when it answers. */
export async function startDaemon(
  directory: string,
  netns: string,
  words: readonly string[],
): Promise<Client> {
  makeDirectory(directory);
  const client = clientIn(directory);
  const answers = async (): Promise<boolean> =>
    (await withDaemon(client.ports(netns))) !== undefined;
  const lock = join(directory, "starting");
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answers())) {
    if (takeLock(lock)) {
      try {
        // Who held the lock before us may have started it since we asked.
        if (!(await answers())) await start(directory, words, answers, deadline);
      } finally {
        rmSync(lock, { force: true });
      }
    } else if (Date.now() > deadline) {
      throw notStarted(directory);
    } else {
      await sleep(POLL_MS);
    }
  }
  return client;
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM") throw refused("Operation not permitted");
    throw error;
  }
}

/** False: another command that is still alive has it. The file appears with its content, hence the link. */
function takeLock(path: string): boolean {
  const own = `${path}.${process.pid}`;
  try {
    writeFileSync(own, String(process.pid));
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (!isHeld(path)) rmSync(path, { force: true });
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function isHeld(path: string): boolean {
  try {
    return process.kill(Number(readFileSync(path, "utf8")), 0);
  } catch {
    return false; // it has ended, or has just let go
  }
}

async function start(
  directory: string,
  words: readonly string[],
  answers: () => Promise<boolean>,
  deadline: number,
): Promise<void> {
  const daemon = spawnDetached(directory, words);
  let isGone = false;
  const gone = (): void => {
    isGone = true;
  };
  daemon.once("exit", gone).once("error", gone);
  while (!(await answers())) {
    if (isGone || Date.now() > deadline) throw notStarted(directory);
    await sleep(POLL_MS);
  }
  daemon.unref();
}

function spawnDetached(
  directory: string,
  [program = "", ...rest]: readonly string[],
): ChildProcess {
  const log = openSync(logIn(directory), "a", 0o600);
  const daemon = spawn(program, rest, { detached: true, stdio: ["ignore", log, log], cwd: "/" });
  closeSync(log);
  return daemon;
}

const logIn = (directory: string): string => join(directory, "daemon.log");

function notStarted(directory: string): UsageError {
  const log = logIn(directory);
  const lastLine = readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? "";
  return new UsageError(`ipvlan: the daemon did not start (${log}): ${lastLine}`, STATUS_REFUSED);
}
