/** A shell on the simulated host: `ip`, `ping`, `sleep`, and lines as a shell reads them. */
import { PortError } from "../../driver/errors.ts";
import { explained, refused, STATUS_FAILED, STATUS_USAGE, UsageError } from "../../words/errors.ts";
import { findOptions } from "../../words/options.ts";
import { matches, Words } from "../../words/words.ts";
import type { Namespace } from "../namespace.ts";
import { address } from "./address.ts";
import { arping } from "./arping.ts";
import { bridge } from "./bridge.ts";
import { findIn, getNamespace, getNumber, SLEEP_MAX, unknown } from "./common.ts";
import { conntrack } from "./conntrack.ts";
import { iptables } from "./iptables.ts";
import { type Line, readLines, ScriptError } from "./lines.ts";
import { link } from "./link.ts";
import { neighbour } from "./neigh.ts";
import { tc } from "./netem.ts";
import { nft } from "./nft.ts";
import { ping } from "./ping.ts";
import { route } from "./route.ts";
import { rule } from "./rule.ts";
import { ask, serve } from "./socat.ts";
import { tcpdump } from "./tcpdump.ts";
import { HOST, World } from "./world.ts";

/** What a command takes. */
const COMMAND_MS = 1;
const MESSAGE_MAX = 500;
/** As of any file. */
const NETNS_NAME_MAX = 255;
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;

export interface ShellOptions {
  readonly print: (text: string) => void;
  /** Hears what goes wrong. */
  readonly complain: (text: string) => void;
  /** Two shells with the same seed do the same. */
  readonly seed?: number;
}

export class Shell {
  readonly world: World;
  readonly #variables: Map<string, string> = new Map();
  /** Where commands run: `ip netns exec NAME sh` goes into one, `exit` out again. */
  readonly #inside: Namespace[];
  readonly #print: (text: string) => void;
  readonly #complain: (text: string) => void;
  #hasExited = false;
  /** What ends each tcpdump that was begun. */
  readonly #jobs: (() => void)[] = [];

  constructor({ print, complain, seed = 1 }: ShellOptions) {
    this.world = new World(seed);
    this.#inside = [this.world.namespaces.get(HOST)!];
    this.#print = print;
    this.#complain = complain;
  }

  /** Whether what was run last has said `exit` where there is no way out. */
  get hasExited(): boolean {
    return this.#hasExited;
  }

  get netns(): Namespace {
    return this.#inside.at(-1)!;
  }

  /**
   * Runs a script until one of its commands fails, or says `exit`. Its status, as `ip` and `ping` give it. `name` is what the script is
   * called where it is told what went wrong, `NAME:LINE:COLUMN: MESSAGE`, and `firstLine` the number of its first line.
   */
  run(text: string, name: string, firstLine = 1): number {
    this.#hasExited = false;
    try {
      for (const line of readLines(text, this.#variables, firstLine)) {
        const status = this.#runLine(line, name);
        if (status !== 0 || this.#hasExited) return status;
      }
      return 0;
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      this.#complain(tell(name, error.place, error.message));
      return STATUS_USAGE;
    }
  }

  #runLine(line: Line, name: string): number {
    try {
      const status = this.#command(this.netns, line.words, line);
      this.world.clock.run(COMMAND_MS);
      return status;
    } catch (error) {
      const refusal = error instanceof PortError ? ofPort(error) : error;
      if (!(refusal instanceof UsageError)) throw error;
      this.#complain(tell(name, line.place, refusal.message));
      return refusal.status;
    }
  }

  #command(netns: Namespace, [program = "", ...words]: readonly string[], line: Line): number {
    if (program === "export" || ASSIGNMENT.test(program)) {
      const [first, ...rest] = program === "export" ? words : [program, ...words];
      const [, name = "", value = ""] = ASSIGNMENT.exec(first ?? "") ?? [];
      if (name === "") throw unknown(first ?? "", "export", "NAME=VALUE");
      this.#variables.set(name, value);
      return rest.length === 0 ? 0 : this.#command(netns, rest, line);
    }
    switch (program) {
      case "ipvlan":
        if (words[0] === "port") return setPort(this.world, netns, words.slice(1));
        return this.#ip(netns, words, line);
      case "ip":
        return this.#ip(netns, words, line);
      case "ping":
        return ping({ netns, clock: this.world.clock, print: this.#print }, words);
      case "sleep":
        this.world.clock.run(getNumber(words[0], "sleep", SLEEP_MAX) * 1000);
        return 0;
      case "bridge":
        return this.#say(bridge(this.world, netns, words));
      case "sysctl":
        return this.#say(sysctl(netns, words));
      case "nft":
        return this.#say(nft(netns, words));
      case "iptables":
      case "ip6tables":
        return this.#say(iptables(netns, program, words));
      case "conntrack":
        return this.#say(conntrack(netns, this.world.clock, words));
      case "tc":
        return this.#say(tc(netns, words, (device) => this.world.peerOf(device) !== undefined));
      case "arping":
        return arping({ netns, clock: this.world.clock, print: this.#print }, words);
      case "tcpdump":
        return this.#tcpdump(netns, words, line);
      case "kill":
        return this.#kill(words);
      case "socat":
        return this.#socat(netns, words, line);
      case "echo":
        return this.#say(`${words.join(" ")}\n`);
      case "exit":
        if (this.#inside.length > 1) this.#inside.pop();
        else this.#hasExited = true;
        return 0;
      case "sh":
      case "bash":
        this.#inside.push(netns);
        return 0;
    }
    throw unknown(program, "command", COMMANDS, STATUS_USAGE);
  }

  #ip(netns: Namespace, all: readonly string[], line: Line): number {
    const found = findOptions(all);
    if (found === undefined) throw unknown(all[0] ?? "", "ip", "the options -n NAME, -4, -6, -d");
    const [{ netns: name, family }, [object, ...words]] = found;
    const at = name === undefined ? netns : getNamespace(this.world, name);
    if (object === undefined) throw unknown("", "ip", OBJECTS);
    if (matches(object, "netns")) return this.#netns(words, line);
    return this.#say(this.#object(at, object, words, family));
  }

  #tcpdump(netns: Namespace, words: readonly string[], { isInBackground }: Line): number {
    if (!isInBackground)
      throw new UsageError("tcpdump: in the background only: tcpdump … &", STATUS_FAILED);
    const job = this.#jobs.push(
      tcpdump({ netns, clock: this.world.clock, print: this.#print }, words),
    );
    return this.#say(`[${job}] tcpdump ${words.join(" ")}\n`);
  }

  /** `kill %JOB`. */
  #kill([word = "", more]: readonly string[]): number {
    const job = /^%\d+$/.test(word) ? this.#jobs[Number(word.slice(1)) - 1] : undefined;
    if (job === undefined || more !== undefined)
      throw unknown(word, "kill", `%JOB, what runs in the background: ${this.#jobs.length} so far`);
    job();
    return 0;
  }

  #say(text: string): 0 {
    if (text !== "") this.#print(text);
    return 0;
  }

  #object(
    netns: Namespace,
    object: string,
    words: readonly string[],
    family: string | undefined,
  ): string {
    const more = [new Words(words), family, this.world] as const;
    if (matches(object, "address")) return address(netns, ...more);
    if (matches(object, "route")) return route(netns, ...more);
    if (matches(object, "rule")) return rule(netns, ...more);
    if (matches(object, "neighbour") || matches(object, "neighbor"))
      return neighbour(netns, ...more);
    if (matches(object, "link")) return link(this.world, netns, words);
    throw unknown(object, "ip", OBJECTS);
  }

  #netns([verb = "list", name, ...words]: readonly string[], line: Line): number {
    if (matches(verb, "list") || verb === "show") {
      for (const one of this.world.namespaces.keys()) if (one !== HOST) this.#print(`${one}\n`);
      return 0;
    }
    const isExec = matches(verb, "exec");
    if (!isExec && !matches(verb, "add") && !matches(verb, "delete"))
      throw unknown(verb, "netns", "list, add, delete, exec");
    if (name === undefined) throw new UsageError("No netns name specified", STATUS_FAILED);
    if (isExec) {
      const netns = getNamespace(this.world, name);
      if (words.length === 0) throw new UsageError("No command specified", STATUS_FAILED);
      return this.#command(netns, words, line);
    }
    if (/^\.{0,2}$|\//.test(name) || name.length > NETNS_NAME_MAX)
      throw new UsageError(`Invalid netns name "${name}"`, STATUS_USAGE);
    if (matches(verb, "add")) this.#addNamespace(name);
    else this.#removeNamespace(name);
    return 0;
  }

  #addNamespace(name: string): void {
    if (this.world.addNamespace(name) !== undefined) return;
    const what = `Cannot create namespace file "/run/netns/${name}": File exists`;
    throw new UsageError(what, STATUS_FAILED);
  }

  /** Unlike Linux's, none that a shell is in: it would go on without a name. */
  #removeNamespace(name: string): void {
    const netns = this.world.namespaces.get(name);
    if (netns !== undefined && !this.#inside.includes(netns)) {
      this.world.removeNamespace(netns);
      return;
    }
    const why = netns === undefined ? "No such file or directory" : "Device or resource busy";
    throw new UsageError(
      `Cannot remove namespace file "/run/netns/${name}": ${why}`,
      STATUS_FAILED,
    );
  }

  #socat(netns: Namespace, words: readonly string[], { input, isInBackground }: Line): number {
    const { clock } = this.world;
    if (isInBackground) serve(netns, words);
    else this.#say(ask({ netns, clock }, words, input));
    return 0;
  }
}

const FORWARDING: Readonly<Record<string, 4 | 16>> = {
  "net.ipv4.ip_forward": 4,
  "net.ipv6.conf.all.forwarding": 16,
};

/** `ipvlan port set MASTER compat { howto | kernel }`. */
function setPort(world: World, netns: Namespace, words: readonly string[]): number {
  const [verb, name = "", keyword, compat, more] = words;
  const isCompat = compat === "howto" || compat === "kernel";
  if (verb !== "set" || keyword !== "compat" || !isCompat || more !== undefined)
    throw unknown(words.join(" "), "port", "set MASTER compat { howto | kernel }");
  const master = findIn(netns, name);
  const port = world.ports.find((one) => one.master === master);
  if (port === undefined) throw refused("No such device");
  port.setCompat(compat);
  return 0;
}

/** `sysctl NAME` and `sysctl [-w] NAME=VALUE`. */
function sysctl(netns: Namespace, words: readonly string[]): string {
  const word = words.at(-1) ?? "";
  const [name = "", value] = word.split("=");
  const width = Object.hasOwn(FORWARDING, name) ? FORWARDING[name] : undefined;
  if (width === undefined || (value !== undefined && !/^[01]$/.test(value)))
    throw unknown(word, "sysctl", `${Object.keys(FORWARDING).join(" and ")}, =0 or =1`);
  if (value !== undefined) netns.isForwarding[width] = value === "1";
  return `${name} = ${Number(netns.isForwarding[width])}\n`;
}

const COMMANDS =
  "ip, ipvlan, bridge, tc, ping, arping, tcpdump, kill, sysctl, nft, iptables, ip6tables, conntrack, socat, echo, sleep, sh and exit";
const OBJECTS = "netns, link, addr, route, rule and neigh";

/** A message may quote a word, of any length. */
const tell = (name: string, { line, column }: Line["place"], message: string): string =>
  `${name}:${line}:${column}: ${message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)}…` : message}\n`;

const ofPort = ({ message, extack }: PortError): UsageError =>
  extack === undefined ? refused(message) : explained(extack);
