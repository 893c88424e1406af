/** What a request is carried out with, and how the daemon's refusals read. */
import { existsSync } from "node:fs";
import { ControlFailure, Daemons } from "../client/client.ts";
import { daemonWords } from "../client/daemon-words.ts";
import { explained, noSuchDevice, refused, STATUS_USAGE, UsageError } from "../words/errors.ts";
import type { Options } from "../words/options.ts";
import { getSystemIp, passOn } from "./system-ip.ts";

export interface Call {
  /** The whole command line. */
  readonly line: readonly string[];
  readonly options: Options;
  /** Path that opens to the namespace the command is about. */
  readonly netns: string;
  readonly daemons: Daemons;
  /** The script that runs, as it was called. */
  readonly self: string;
}

export function getCall(line: readonly string[], options: Options, self: string): Call {
  const netns = getNamespace(options);
  return { line, options, netns, daemons: new Daemons(netns), self };
}

function getNamespace(options: Options): string {
  if (options.netns === undefined) return `/proc/${process.pid}/ns/net`;
  const path = `/run/netns/${options.netns}`;
  if (existsSync(path)) return path;
  const text = `Cannot open network namespace "${options.netns}": No such file or directory`;
  throw new UsageError(text, STATUS_USAGE);
}

/** Options that make the system's `ip` work in the same namespace. */
export const namespaceWords = ({ options }: Call): string[] =>
  options.netns === undefined ? [] : ["-n", options.netns];

/** What starts the daemon of the namespace that the command is about. */
export const daemonWordsOf = ({ options, netns, self }: Call): string[] =>
  daemonWords(self, options.netns === undefined ? undefined : netns);

/** The line was not ours after all. */
export const passLineOn = (call: Call): Promise<number> =>
  passOn(getSystemIp(call.self), call.line);

/** A daemon's no in iproute2's words; `code` is the daemon's. */
export class Refusal extends UsageError {
  readonly code: string;

  constructor({ message, status }: UsageError, code: string) {
    super(message, status);
    this.code = code;
  }
}

/** Turns the daemon's no about a device into the command's. */
export async function about<Answer>(name: string, asked: Promise<Answer>): Promise<Answer> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof ControlFailure)) throw error;
    throw new Refusal(inItsWords(name, error), error.code);
  }
}

function inItsWords(name: string, { code, extack, message }: ControlFailure): UsageError {
  if (extack !== undefined) return explained(extack);
  return code === "ENODEV" ? noSuchDevice(name) : refused(message);
}
