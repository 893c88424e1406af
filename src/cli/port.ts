/** `port`, `status`, `daemon` and `docker`: what the system's `ip` has no words for. */
import type { Compat } from "../driver/settings.ts";
import { ENGINE_CHOICES, type EngineChoice } from "../engine/engine.ts";
import { incomplete, STATUS_FAILED, STATUS_USAGE, UsageError } from "../words/errors.ts";
import { Words } from "../words/words.ts";

/** `status` is `port show` with everything a port knows. */
export interface PortShow {
  readonly verb: "port show" | "status";
  readonly json: boolean;
}

export interface PortSet {
  readonly verb: "port set";
  readonly master: string;
  readonly compat?: Compat;
  readonly engine?: EngineChoice;
}

export interface DaemonRun {
  readonly verb: "daemon run";
  /** What ports get; unless said, what IPVLAN_ENGINE says, or auto. */
  readonly engine?: EngineChoice;
}

export interface DaemonStop {
  readonly verb: "daemon stop";
  /** Take the slaves away, too. */
  readonly remove: boolean;
}

export interface DockerRun {
  readonly verb: "docker run";
}

export function parsePort(line: readonly string[]): PortShow | PortSet {
  const [verb = "show", ...words] = line;
  if (verb.startsWith("-")) return parseShow("port show", line);
  if (verb === "show" || verb === "list") return parseShow("port show", words);
  if (verb === "set") return parsePortSet(words);
  throw unknown("port", verb, "show or set");
}

export function parseStatus(line: readonly string[]): PortShow {
  return parseShow("status", line);
}

function parseShow(verb: PortShow["verb"], line: readonly string[]): PortShow {
  const other = line.find((word) => !isJson(word));
  if (other !== undefined) throw unknown(verb, other, "-j");
  return { verb, json: line.length > 0 };
}

const isJson = (word: string): boolean => word === "-j" || word === "-json" || word === "--json";

const COMPATS: readonly Compat[] = ["howto", "kernel"];

function parsePortSet(line: readonly string[]): PortSet {
  const words = new Words(line);
  let master = words.value();
  if (master === "dev") master = words.value();
  let set: PortSet = { verb: "port set", master };
  do {
    const keyword = words.value();
    if (keyword === "compat") set = { ...set, compat: oneOf(COMPATS, keyword, words.value()) };
    else if (keyword === "engine")
      set = { ...set, engine: oneOf(ENGINE_CHOICES, keyword, words.value()) };
    else throw unknown("port set", keyword, "compat or engine");
  } while (!words.isEmpty);
  return set;
}

function oneOf<Choice extends string>(
  choices: readonly Choice[],
  keyword: string,
  word: string,
): Choice {
  const choice = choices.find((one) => one === word);
  if (choice === undefined) throw unknown(keyword, word, listed(choices));
  return choice;
}

/** Daemons that the command starts inherit its environment. */
export const engineOfEnvironment = (): EngineChoice =>
  oneOf(ENGINE_CHOICES, "IPVLAN_ENGINE", process.env.IPVLAN_ENGINE || "auto");

/** "one or two", "one, two or three". */
export const listed = (words: readonly string[]): string =>
  [words.slice(0, -1).join(", "), ...words.slice(-1)].join(" or ");

export function parseDaemon(line: readonly string[]): DaemonRun | DaemonStop {
  const [verb, ...words] = line;
  if (verb === undefined) throw incomplete();
  if (verb === "run") {
    const [option, engine, ...extra] = words;
    if (option === undefined) return { verb: "daemon run" };
    if (option !== "--engine") throw unknown("daemon run", option, "--engine");
    if (engine === undefined) throw incomplete();
    if (extra[0] !== undefined) throw unknown("daemon run", extra[0], "nothing");
    return { verb: "daemon run", engine: oneOf(ENGINE_CHOICES, "--engine", engine) };
  }
  if (verb !== "stop") throw unknown("daemon", verb, "run or stop");
  const other = words.find((word) => word !== "--remove");
  if (other !== undefined) throw unknown("daemon stop", other, "--remove");
  return { verb: "daemon stop", remove: words.length > 0 };
}

export function parseDocker([verb, extra]: readonly string[]): DockerRun {
  if (verb === undefined) throw incomplete();
  if (verb !== "run") throw unknown("docker", verb, "run");
  if (extra !== undefined) throw unknown("docker run", extra, "nothing");
  return { verb: "docker run" };
}

/** The keyword, what was allowed, what we got. */
export function unknown(keyword: string, word: string, allowed: string): UsageError {
  const status = allowed === "nothing" ? STATUS_USAGE : STATUS_FAILED;
  return new UsageError(`ipvlan: ${keyword}: "${word}"? Expected ${allowed}.`, status);
}
