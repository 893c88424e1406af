/**
 * Starts the daemon of a namespace when it is needed for the first time. Two commands may want that at once: both
 * start one, the daemons agree by a lock on which serves, the other ends, and both commands use the same one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, clientIn, withDaemon } from "./client.ts";
import { demandPrivilege } from "./privilege.ts";

/** Exit status of `daemon run` where another daemon serves already. */
export const STATUS_SERVED = 3;

/** Of a machine that stands still for a while. */
const START_TIMEOUT_MS = 30_000;
/** Another's daemon may still be starting when ours has ended for it. */
const OTHER_TIMEOUT_MS = 3000;
const POLL_MS = 10;

/** `words` start it in the right namespace; returns when it answers. One that does not, in this time, is ended. */
export async function startDaemon(
  directory: string,
  netns: string,
  words: readonly string[],
  timeoutMs: number = START_TIMEOUT_MS,
): Promise<Client> {
  const client = clientIn(directory);
  const answers = async (): Promise<boolean> =>
    (await withDaemon(client.ports(netns))) !== undefined;
  if (await answers()) return client;
  demandPrivilege();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let deadline = Date.now() + timeoutMs;
  const daemon = spawnDetached(directory, words);
  daemon.once("error", () => {
    deadline = 0;
  });
  daemon.once("exit", (code) => {
    deadline = code === STATUS_SERVED ? Date.now() + OTHER_TIMEOUT_MS : 0;
  });
  try {
    while (!(await answers())) {
      if (Date.now() > deadline) throw notStarted(directory);
      await sleep(POLL_MS);
    }
  } catch (error) {
    daemon.kill();
    throw error;
  } finally {
    daemon.unref(); // we end without it
  }
  return client;
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

function notStarted(directory: string): Error {
  const log = logIn(directory);
  const lastLine = readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? "";
  return new Error(`the daemon did not start (${log}): ${lastLine}`);
}
