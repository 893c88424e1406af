/** ADD: a slave in the container, with the addresses that the IPAM plugin or the plugin before us gave. */

import type { LinkInfo } from "../daemon/control.ts";
import type { Flag, Mode } from "../driver/settings.ts";
import { flags, modes } from "../driver/settings.ts";
import { ENGINE_CHOICES, type EngineChoice } from "../engine/engine.ts";
import type { Config } from "./config.ts";
import { failure, formatError } from "./errors.ts";
import { findDefaultMaster, isDevice } from "./host.ts";
import type { Inside } from "./inside.ts";
import { askIpam, undoIpam } from "./ipam.ts";
import { getNamespace } from "./namespace.ts";
import { getPayload, loadFrom } from "./payload.ts";
import type { Request } from "./request.ts";
import { findForeignVersion, formatResult, type Result, readResult } from "./result.ts";
import { HOST, labelOfRequest, makeSlave, noMaster, removeSlave } from "./slave.ts";

/** Linux: ETH_MIN_MTU, ETH_MAX_MTU. */
const MTU_MIN = 68;
const MTU_MAX = 65_535;

export async function add(request: Request): Promise<string> {
  const { config, version } = request;
  const previous = getPrevious(request);
  // The library is needed before the slave is made only if the master is inside.
  const early = config.linkInContainer ? await open(getNamespace(request.netns)) : undefined;
  const master = config.master || getMaster(previous, early);
  const target = getNamespace(request.netns);
  const ways = getWays(config);
  if (!(early === undefined ? isDevice(master) : early.isDevice(master))) throw noMaster(master);
  const label = labelOfRequest(request);
  const link = await makeSlave({
    netns: early === undefined ? HOST : target,
    target,
    master,
    name: request.ifname,
    label,
    keep: true,
    ...ways,
  });
  const undo: (() => Promise<void>)[] = [() => removeSlave(label)];
  try {
    const inside = early ?? (await open(target));
    const given = await getAddresses(config, previous, undo);
    const result = onOne(given, link, request);
    await inside.configure(request.ifname, result);
    inside.close();
    return formatResult(result, version);
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(report);
    throw error;
  }
}

/** The error that is told is what went wrong first; this is for who looks into the runtime's log. */
const report = (error: unknown): void => {
  process.stderr.write(`${formatError(error)}\n`);
};

export async function open(path: string): Promise<Inside> {
  const { Inside } = await loadFrom<typeof import("./inside.ts")>(getPayload(), "inside.js");
  return new Inside(path);
}

function getPrevious({ config, version }: Request): Result | undefined {
  if (config.prevResult === undefined) return undefined;
  const foreign = findForeignVersion(config.prevResult, version);
  if (foreign !== undefined)
    throw failure(`could not parse prevResult: could not parse prevResult: ${foreign}`);
  return readResult(config.prevResult);
}

function getMaster(previous: Result | undefined, inside: Inside | undefined): string {
  if (previous === undefined) {
    const found = inside === undefined ? findDefaultMaster() : inside.findDefaultMaster();
    if (found === undefined) throw failure("no default route interface found");
    return found;
  }
  const [only, ...others] = previous.interfaces;
  if (only === undefined || only.name === "" || others.length > 0)
    throw failure("chained master failure. PrevResult lacks a single named interface");
  return only.name;
}

interface Ways {
  readonly mode: Mode;
  readonly flag?: Flag;
  readonly engine?: EngineChoice;
  readonly mtu?: number;
}

function getWays({ mode, flag, engine, mtu }: Config): Ways {
  demandOneOf("mode", Object.keys(modes), mode);
  demandOneOf("flag", Object.keys(flags), flag);
  demandOneOf("engine", ENGINE_CHOICES, engine);
  if (mtu > 0 && (mtu < MTU_MIN || mtu > MTU_MAX))
    throw failure(`failed to create ipvlan: mtu ${mtu} is not within ${MTU_MIN} to ${MTU_MAX}`);
  return {
    mode: (mode || "l2") as Mode,
    ...(flag !== "" && { flag: flag as Flag }),
    ...(engine !== "" && { engine: engine as EngineChoice }),
    ...(mtu > 0 && { mtu }),
  };
}

function demandOneOf(key: string, words: readonly string[], said: string): void {
  if (said !== "" && !words.includes(said))
    throw failure(`unknown ipvlan ${key}: ${JSON.stringify(said)}`);
}

/** `undo`: what takes them back goes there, before they are asked for. */
async function getAddresses(
  { ipam, text }: Config,
  previous: Result | undefined,
  undo: (() => Promise<void>)[],
): Promise<Result> {
  if (ipam === "" && previous !== undefined && previous.ips.length > 0) return previous;
  if (ipam !== "") undo.push(() => undoIpam(ipam, text));
  const result = readResult(await askIpam(ipam, "ADD", text));
  if (result.ips.length === 0) throw failure("IPAM plugin returned missing IP config");
  return result;
}

/** All addresses are the slave's. */
function onOne(given: Result, { mac, mtu }: LinkInfo, { ifname, netns, config }: Request): Result {
  return {
    interfaces: [{ name: ifname, mac, sandbox: netns, mtu }],
    ips: given.ips.map((ip) => ({ ...ip, interface: 0 })),
    routes: given.routes,
    dns: Object.keys(config.dns).length > 0 ? config.dns : given.dns,
  };
}
