/** `link add`, `link set` and `link delete` of slaves, through the daemon they belong to. */
import { existsSync } from "node:fs";
import { type Client, NoDaemonError } from "../client/client.ts";
import { startDaemon } from "../client/start-daemon.ts";
import type { LinkChanged } from "../daemon/control.ts";
import { daemonDirectory } from "../daemon/run-directory.ts";
import { noSuchDevice, notPermitted, refused, wrongArgument } from "../words/errors.ts";
import type { LinkAdd } from "../words/link-add.ts";
import { findInteger } from "../words/words.ts";
import { about, type Call, daemonWordsOf, namespaceWords, passLineOn, Refusal } from "./call.ts";
import type { LinkDelete, LinkSet } from "./link-set.ts";
import { findRefusal, type Stack } from "./stacking.ts";
import { capture, getSystemIp, passOn } from "./system-ip.ts";

export async function addLink(request: LinkAdd, call: Call): Promise<number> {
  const { verb: _, name, netns, others, ...settings } = request;
  const target = netns === undefined ? undefined : getTarget(netns);
  let client = await clientForMaster(request.master, call);
  const create = async (name: string): Promise<LinkChanged> => {
    const link = { ...settings, ...(target && { target }), netns: call.netns, name };
    try {
      return await about(request.master, client.createLink(link));
    } catch (error) {
      if (!(error instanceof NoDaemonError) || error.isForbidden) throw error;
      client = await start(call); // that one has just ended
      return about(request.master, client.createLink(link));
    }
  };
  const created = await (name === undefined ? createNameless(create) : create(name));
  tellTouched(created);
  await call.daemons.learn({ client, link: created.link });
  if (others.length === 0) return 0;
  const status = await setOthers(created.link.name, others, target, call);
  if (status !== 0) await client.deleteLink(target ?? call.netns, created.link.name);
  return status;
}

/** By the system's `ip`, in the namespace where the slave is. */
function setOthers(
  name: string,
  others: readonly string[],
  target: string | undefined,
  call: Call,
): Promise<number> {
  const ip = getSystemIp(call.self);
  const words = ["link", "set", "dev", name, ...others];
  if (target === undefined) return passOn(ip, [...namespaceWords(call), ...words]);
  return passOn("nsenter", [`--net=${target}`, ip, ...words]);
}

/** How far we count in "ipvlan%d", the name of slaves that were given none. */
const NAMELESS_MAX = 1000;

async function createNameless(
  create: (name: string) => Promise<LinkChanged>,
): Promise<LinkChanged> {
  for (let i = 0; i < NAMELESS_MAX; i++) {
    try {
      return await create(`ipvlan${i}`);
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "EEXIST")) throw error;
    }
  }
  throw refused("File exists");
}

/** iproute2: netns_get_fd(), then a process id. */
function getTarget(word: string): string {
  const path = word.includes("/") ? word : `/run/netns/${word}`;
  if (existsSync(path)) return path;
  const pid = findInteger(word);
  if (pid === undefined) throw wrongArgument(word, 'Invalid "netns" value');
  const ofProcess = `/proc/${pid}/ns/net`;
  if (!existsSync(ofProcess)) throw refused("No such process");
  return ofProcess;
}

/** A slave as master stands for its own master; the port of either may be another daemon's. */
async function clientForMaster(master: string, call: Call): Promise<Client> {
  const { daemons } = call;
  const home = (await daemons.find(master)) ?? (await daemons.findOnMaster(master));
  if (home !== undefined) return home.client;
  const own = await daemons.own();
  if (own !== undefined) return own;
  if (await daemons.isForbidden()) throw notPermitted();
  await checkDevice(master, call); // no daemon for a slip of the pen
  return start(call);
}

const start = (call: Call): Promise<Client> =>
  startDaemon(daemonDirectory(call.netns), call.netns, daemonWordsOf(call));

async function checkDevice(name: string, call: Call): Promise<void> {
  const words = [...namespaceWords(call), "link", "show", "dev", name];
  const { status } = await capture(getSystemIp(call.self), words, "ignore");
  if (status !== 0) throw noSuchDevice(name);
}

export async function setLink(request: LinkSet, call: Call): Promise<number> {
  const { verb: _, name, others, ...change } = request;
  const home = await call.daemons.find(name);
  if (home === undefined) {
    if (await call.daemons.isForbidden()) throw notPermitted();
    return passLineOn(call);
  }
  if (change.mode !== undefined || change.flag !== undefined) {
    const link = { netns: call.netns, name, ...change };
    tellTouched(await about(name, home.client.changeLink(link)));
  }
  if (others.length === 0) return 0;
  return passOn(getSystemIp(call.self), [...call.options.words, "link", "set", ...others]);
}

/** Mode and flag are the port's: whoever changes them shall know who else is concerned. */
function tellTouched({ link, touched }: LinkChanged): void {
  if (touched.length === 0) return;
  const text = `mode ${link.mode} ${link.flag} now also for: ${touched.join(", ")}`;
  process.stderr.write(`${text}\n`);
}

/** Refused as by Linux's driver; what it would take goes to the system's `ip`. */
export async function stack({ name, upper, isMaster }: Stack, call: Call): Promise<number> {
  const role = await call.daemons.roleOf(name);
  if (role === undefined) return passLineOn(call);
  const refusal = findRefusal(role, isMaster ? await kindOf(upper, call) : upper);
  if (refusal === undefined) return passLineOn(call);
  throw refusal;
}

/** "" for a device that has none, or is none. */
async function kindOf(name: string, call: Call): Promise<string> {
  const words = [...namespaceWords(call), "-d", "-j", "link", "show", "dev", name];
  const { output } = await capture(getSystemIp(call.self), words, "ignore");
  const [link] = JSON.parse(output || "[]") as { linkinfo?: { info_kind?: string } }[];
  return link?.linkinfo?.info_kind ?? "";
}

export async function deleteLink({ name }: LinkDelete, call: Call): Promise<number> {
  const home = await call.daemons.find(name);
  if (home === undefined) return passLineOn(call);
  await about(name, home.client.deleteLink(call.netns, name));
  await call.daemons.unlearn(name);
  return 0;
}
