/**
 * The IPVLAN HOWTO's example, run as it stands there: two namespaces on one host, in a sandbox that has a
 * LAN beyond the host's eth0. Every end then pings every other, and the account tells whether each ping did what
 * mode and flag promise. Where there can be no sandbox the same ends ping each other on a simulated host.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Flag, flags, type Mode, modes } from "../src/driver/settings.ts";
import { columnOf, isAsPromised, type Outcome, pingAll, type Variant } from "./connectivity.ts";
import { ADDRESS, addLanRoutes, BIN, buildLan, PREFIX, shell, waitForAddresses } from "./lab.ts";
import { drawMatrix, drawTopology } from "./picture.ts";
import { enterSandbox, insideSandbox, pidOutside, sandboxRefusal } from "./sandbox.ts";
import { SimulatedLab } from "./simulated-lab.ts";
import { bold, cyan, dim, green, red } from "./terminal.ts";

const USAGE = `npm start [ -- OPTIONS ]: the IPVLAN HOWTO's example on this machine, in a sandbox of its own

  --mode l2 | l3 | l3s                mode of the port (l2)
  --flag bridge | private | vepa      flag of the port (bridge)
  --simulate                          on a simulated host, which needs neither rights nor Linux's namespaces
  --keep                              leave it up to look around; Ctrl-C ends it
  --help                              this text`;

/** Words of a person that mean nothing here: said in one line. */
class UsageError extends Error {}

interface Options {
  readonly mode: Mode;
  readonly flag: Flag;
  readonly keep: boolean;
  readonly simulate: boolean;
  readonly help: boolean;
}

/** The program; its exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (options.help) {
      console.log(USAGE);
      return 0;
    }
    if (insideSandbox()) return await runExample(options);
    if (options.simulate) return simulate(options, "as asked for");
    const refusal = hasIp() ? sandboxRefusal() : "no ip (iproute2) in PATH";
    if (refusal !== undefined) return simulate(options, refusal);
    return await enterSandbox(import.meta.url, args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 1;
  }
}

export function parseOptions(args: readonly string[]): Options {
  const { mode, flag, ...others } = readWords(args);
  return { mode: oneOf("--mode", mode, modes), flag: oneOf("--flag", flag, flags), ...others };
}

function readWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        mode: { type: "string", default: "l2" },
        flag: { type: "string", default: "bridge" },
        keep: { type: "boolean", default: false },
        simulate: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values as Omit<Options, "mode" | "flag"> & { mode: string; flag: string };
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". ")[0]}. Try --help`);
  }
}

function oneOf<Word extends string>(
  option: string,
  word: string,
  known: Readonly<Record<Word, number>>,
): Word {
  const words = Object.keys(known) as Word[];
  const found = words.find((one) => one === word);
  if (found === undefined)
    throw new UsageError(`${option} "${word}"? Expected ${words.join(", ")}. Try --help`);
  return found;
}

/** Aborted by Ctrl-C and by a polite end. */
function endOfRun(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => controller.abort());
  return controller.signal;
}

async function runExample(options: Options): Promise<number> {
  const ended = endOfRun();
  try {
    const interrupted = untilAborted(ended);
    const status = await Promise.race([example(options), interrupted]);
    if (options.keep && !ended.aborted) {
      tellHowToLookAround();
      const alive = setInterval(() => {}, 60_000); // a promise alone keeps no program alive
      await interrupted;
      clearInterval(alive);
    }
    return status;
  } catch (error) {
    if (ended.aborted) return INTERRUPTED;
    console.error(red(tellFailure(error)));
    return 1;
  } finally {
    await shell("host", "ipvlan daemon stop --remove").catch(() => undefined);
  }
}

/** As a shell tells of a program that SIGINT ended. */
const INTERRUPTED = 130;

const untilAborted = (signal: AbortSignal): Promise<number> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(INTERRUPTED)));

/** What a line of shell said is enough; what else went wrong is our fault and needs the stack. */
function tellFailure(error: unknown): string {
  const { stderr, stack } = error as { stderr?: string; stack?: string };
  return stderr?.trimEnd() || stack || String(error);
}

const hasIp = (): boolean => spawnSync("ip", ["-V"]).error === undefined;

/** The same ends, addresses and pings without a kernel. */
function simulate(options: Options, reason: string): number {
  const start = performance.now();
  tellTitle(options);
  console.log(`  On a simulated host: ${reason}`);
  const column = columnOf(variantOf(options), options.mode, options.flag);
  const outcomes = new SimulatedLab(column).pingAll(column);
  tellOutcomes(options, outcomes);
  console.log(`
  ${verdict(options, outcomes)}
  engine: none; the driver's own files between stacks in memory, in virtual time
  took ${tellSeconds(start)}
`);
  return outcomes.every(isAsPromised) ? 0 : 1;
}

const tellTitle = ({ mode, flag }: Options): void =>
  console.log(`\n  ${bold("The IPVLAN HOWTO's example")}, mode ${mode}, flag ${flag}\n`);

function tellOutcomes({ mode, flag }: Options, outcomes: readonly Outcome[]): void {
  console.log(drawTopology(mode, flag));
  console.log(drawMatrix(outcomes));
}

const variantOf = ({ mode }: Options): Variant => (mode === "l2" ? "plain" : "routed");

async function example(options: Options): Promise<number> {
  const start = performance.now();
  tellTitle(options);
  await buildLan();
  for (const step of script(options)) await runStep(step);
  const variant = variantOf(options);
  if (variant === "routed") await addLanRoutes();
  await waitForAddresses(["ns0", "ns1"]);
  const outcomes = await pingAll(columnOf(variant, options.mode, options.flag));
  tellOutcomes(options, outcomes);
  console.log(await account(options, outcomes, start));
  return outcomes.every(isAsPromised) ? 0 : 1;
}

interface Step {
  readonly where: "host" | "ns0" | "ns1";
  readonly line: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The HOWTO's lines; those for IPv6 behind them are ours. */
export function script({ mode, flag }: Pick<Options, "mode" | "flag">): Step[] {
  const type = `type ipvlan mode ${mode}${flag === "bridge" ? "" : ` ${flag}`}`;
  const host = [
    "ip netns add ns0; ip netns add ns1",
    `ip link add link eth0 ipvl0 ${type}`,
    `ip link add link eth0 ipvl1 ${type}`,
    "ip link set dev ipvl0 netns ns0",
    "ip link set dev ipvl1 netns ns1",
  ];
  return [
    ...host.map((line) => ({ where: "host" as const, line })),
    ...inside("ns0", "ipvl0"),
    ...inside("ns1", "ipvl1"),
  ];
}

function inside(where: "ns0" | "ns1", device: string): Step[] {
  const { v4, v6 } = ADDRESS[where];
  const env = {
    IPADDR: `${v4}/${PREFIX.v4}`,
    IP6ADDR: `${v6}/${PREFIX.v6}`,
    ROUTER: ADDRESS.lan.v4,
    ROUTER6: ADDRESS.lan.v6,
  };
  const lines = [
    `ip link set dev ${device} up`,
    "ip link set dev lo up",
    "ip -4 addr add 127.0.0.1 dev lo",
    `ip -4 addr add $IPADDR dev ${device}`,
    `ip -4 route add default via $ROUTER dev ${device}`,
    `ip -6 addr add $IP6ADDR dev ${device}`,
    `ip -6 route add default via $ROUTER6 dev ${device}`,
  ];
  return lines.map((line) => ({ where, line, env }));
}

async function runStep({ where, line, env }: Step): Promise<void> {
  console.log(
    `  ${cyan(where.padStart(4))} ${dim("#")} ${line.padEnd(LINE_WIDTH)}${tellVariable(line, env)}`.trimEnd(),
  );
  const said = await shell(where, line, env);
  if (said !== "") console.log(dim(said.trimEnd().replaceAll(/^/gm, "         ")));
}

/** The value of the variable in a line, as a comment behind it. */
function tellVariable(line: string, env: NodeJS.ProcessEnv = {}): string {
  const name = /\$(\w+)/.exec(line)?.[1];
  return name === undefined ? "" : dim(`  # ${env[name]}`);
}
const LINE_WIDTH = 56;

/** What `port show` calls by a word. */
function keptBy(consumption = "nothing"): string {
  const words: Readonly<Record<string, string>> = {
    nftables: "rules of nf_tables on eth0",
    routes: "a routing table of blackholes",
    l3s: "routes to the slaves, on which the firewall sees them",
  };
  return words[consumption] ?? consumption;
}

interface PortShown {
  readonly engine: string;
  readonly consumption: string;
}

async function account(
  options: Options,
  outcomes: readonly Outcome[],
  start: number,
): Promise<string> {
  const [port] = JSON.parse(await shell("host", "ipvlan port show -j")) as PortShown[];
  return `
  ${verdict(options, outcomes)}
  engine: ${port?.engine}
  frames for slaves are kept from the master's own stack by ${keptBy(port?.consumption)}
  took ${tellSeconds(start)}, and nothing of this machine's own network was touched
`;
}

function verdict({ mode, flag }: Options, outcomes: readonly Outcome[]): string {
  const right = outcomes.filter(isAsPromised).length;
  const text = `${right} of ${outcomes.length} pings did what ${mode} ${flag} promises`;
  return right === outcomes.length ? green(text) : red(text);
}

const tellSeconds = (start: number): string =>
  `${((performance.now() - start) / 1000).toFixed(1)} s`;

function tellHowToLookAround(): void {
  const pid = pidOutside();
  console.log(`  Still up. Look around:   nsenter -t ${pid} -a env PATH=${BIN}:$PATH sh
  then for instance:       ip link show type ipvlan; ip netns exec ns0 ip addr; ipvlan status
  End it:                  Ctrl-C here, or kill ${pid}
`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await main(process.argv.slice(2));
