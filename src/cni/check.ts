/** CHECK: whether the container still has what ADD gave it. */
import type { LinkInfo } from "../daemon/control.ts";
import { open } from "./add.ts";
import { failure } from "./errors.ts";
import { isDevice } from "./host.ts";
import type { Inside } from "./inside.ts";
import { askIpam } from "./ipam.ts";
import { getNamespace } from "./namespace.ts";
import type { Request } from "./request.ts";
import { findForeignVersion, type Interface, readResult } from "./result.ts";
import { labelOfRequest, listSlaves, noMaster } from "./slave.ts";

export async function check(request: Request): Promise<void> {
  const { config, netns, ifname, version } = request;
  const target = getNamespace(netns);
  if (config.ipam !== "") await askIpam(config.ipam, "CHECK", config.text);
  if (config.prevResult === undefined) throw failure("Required prevResult missing");
  const foreign = findForeignVersion(config.prevResult, version);
  if (foreign !== undefined) throw failure(`could not parse prevResult: ${foreign}`);
  const result = readResult(config.prevResult);
  const ours = result.interfaces.find(({ name, sandbox }) => name === ifname && sandbox === netns);
  if (ours === undefined)
    throw failure(`Sandbox in prevResult  doesn't match configured netns: ${netns}`);
  const inside = await open(target);
  try {
    const { master } = config;
    const hasMaster = config.linkInContainer ? inside.isDevice(master) : isDevice(master);
    if (master !== "" && !hasMaster) throw noMaster(master);
    const ifindex = await checkInterface(ours, target, request, inside);
    const missing = inside.findMissing(ifname, ifindex, result);
    if (missing !== undefined) throw failure(missing);
  } finally {
    inside.close();
  }
}

async function checkInterface(
  { name, mac = "" }: Interface,
  target: string,
  request: Request,
  inside: Inside,
): Promise<number> {
  const found = inside.find(name);
  if (found === undefined)
    throw failure(`Container Interface name in prevResult: ${name} not found`);
  const label = labelOfRequest(request);
  const slaves = await listSlaves(target);
  const slave = slaves.find((one) => one.label === label && one.here && one.name === name);
  if (slave === undefined) throw failure(`Error: Container interface ${name} not of type ipvlan`);
  checkWays(slave, request);
  if (mac !== "" && mac !== found.mac)
    throw failure(`Interface ${name} Mac ${mac} doesn't match container Mac: ${found.mac}`);
  return found.ifindex;
}

function checkWays({ mode, flag }: LinkInfo, { config }: Request): void {
  const expected = config.mode || "l2";
  if (mode !== expected)
    throw failure(`Container IPVlan mode ${mode} does not match expected value: ${expected}`);
  if (config.flag !== "" && flag !== config.flag)
    throw failure(`Container IPVlan flag ${flag} does not match expected value: ${config.flag}`);
}
