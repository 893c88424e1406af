/**
 * The daemon's log: JSON lines on stderr. What people and the kernel do is told, nothing per frame or request; and
 * whoever makes things happen all the time must not fill the disk: lines per second are bounded, and so is a log file.
 */
import { constants, fstatSync, ftruncateSync, readFileSync, writeSync } from "node:fs";
import { type Logger, pino, stdTimeFunctions } from "pino";

export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

export const LINES_PER_SECOND_MAX = 50;
/** Of a file that is appended to; beyond it the older half goes. */
export const LOG_BYTES_MAX = 1_048_576;

const STDERR = 2;

/** $IPVLAN_LOG is the least level that is told. */
export function openLog(): Logger {
  const level = process.env.IPVLAN_LOG ?? "info";
  const levels = [...Object.keys(pino.levels.values), "silent"];
  if (!levels.includes(level)) throw new Error(`IPVLAN_LOG is none of ${levels.join(", ")}`);
  const options = {
    level,
    base: null, // no pid, no host name
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, new BoundedLines((line) => append(STDERR, line)));
}

/** Passes lines on, so many a second; how many it left out it tells in the next one. */
export class BoundedLines {
  readonly #out: (line: string) => void;
  #count = 0;
  #second: NodeJS.Timeout | undefined;

  constructor(out: (line: string) => void) {
    this.#out = out;
  }

  write(line: string): void {
    this.#second ??= setTimeout(() => this.#secondIsOver(), 1000).unref();
    if (++this.#count <= LINES_PER_SECOND_MAX) this.#out(line);
  }

  #secondIsOver(): void {
    const leftOut = this.#count - LINES_PER_SECOND_MAX;
    this.#count = 0;
    this.#second = undefined;
    if (leftOut <= 0) return;
    const msg = `${leftOut} lines left out`;
    this.write(`${JSON.stringify({ level: "warn", time: new Date().toISOString(), msg })}\n`);
  }
}

/** Of a log that cannot be written nobody can be told. */
export function append(fd: number, line: string): void {
  try {
    writeSync(fd, line);
    const file = fstatSync(fd);
    if (file.isFile() && file.size > LOG_BYTES_MAX && isForAppending(fd)) halve(fd);
  } catch {}
}

/** Drops the older lines. */
function halve(fd: number): void {
  const lines = readFileSync(`/proc/self/fd/${fd}`);
  const newer = lines.subarray(lines.indexOf("\n", lines.length - LOG_BYTES_MAX / 2) + 1);
  ftruncateSync(fd, 0);
  writeSync(fd, newer);
}

/** Any other file has a place where the next line goes, whatever is cut off before. man: proc_pid_fdinfo(5). */
function isForAppending(fd: number): boolean {
  const [, flags = "0"] =
    /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
  return (Number.parseInt(flags, 8) & constants.O_APPEND) !== 0;
}
