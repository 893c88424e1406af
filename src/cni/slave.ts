/** The container's slave, which is the daemon's: made, found and taken away by whom it was made for. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Client, ControlFailure, clientOf, NoDaemonError } from "../client/client.ts";
import { daemonWords } from "../client/daemon-words.ts";
import { demandPrivilege, NotPermittedError } from "../client/privilege.ts";
import { startDaemon } from "../client/start-daemon.ts";
import type { CreateLink, LinkInfo } from "../daemon/control.ts";
import { daemonDirectory } from "../daemon/run-directory.ts";
import { type CniError, failure, lowerFirst } from "./errors.ts";
import { getPayload } from "./payload.ts";
import type { Request } from "./request.ts";

/** The host's namespace, as the daemon, too, sees it. */
export const HOST: string = `/proc/${process.pid}/ns/net`;

/** For whom the slave is made. */
export const labelOf = (network: string, containerId: string, ifname: string): string =>
  `${networkLabel(network)}${word(containerId)}/${word(ifname)}`;

/** What the labels of a network's slaves start with. */
export const networkLabel = (network: string): string => `cni/${word(network)}/`;

/** Labels are short and of visible ASCII; what does not fit is told by its hash. */
function word(text: string): string {
  if (/^[!-~]{1,64}$/.test(text)) return text;
  return `sha256-${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;
}

export const labelOfRequest = ({ config, containerId, ifname }: Request): string =>
  labelOf(config.name, containerId, ifname);

export async function makeSlave(link: CreateLink): Promise<LinkInfo> {
  try {
    getPayload(); // a daemon that runs loads from there, too, what it needs for the first time
    return (await withDaemon((client) => client.createLink(link))).link;
  } catch (error) {
    throw inItsWords(error, link);
  }
}

function inItsWords(error: unknown, { name, master }: CreateLink): unknown {
  if (isForbidden(error)) return failure("failed to create ipvlan: operation not permitted");
  if (!(error instanceof ControlFailure)) return error;
  const { code, message, extack } = error;
  if (code === "EEXIST" && extack === undefined)
    return failure(`failed to rename ipvlan to ${JSON.stringify(name)}: file exists`);
  if (code === "ENODEV") return noMaster(master);
  const reason = extack === undefined ? "" : `: ${extack}`;
  return failure(`failed to create ipvlan: ${lowerFirst(message)}${reason}`);
}

export const noMaster = (name: string): CniError =>
  failure(`failed to lookup master ${JSON.stringify(name)}: Link not found`);

/** Fine if there is none. */
export async function removeSlave(label: string): Promise<void> {
  await askIfAny(async (client) => {
    try {
      await client.deleteLabelled(label);
    } catch (error) {
      if (!(error instanceof ControlFailure) || error.code !== "ENODEV") throw error;
    }
  });
}

/** All slaves of the host's daemon, seen from a namespace. */
export const listSlaves = async (netns: string): Promise<readonly LinkInfo[]> =>
  (await askIfAny((client) => client.links(netns))) ?? [];

/** A daemon that died has left its folder, and its slaves: then one is started. Undefined: there never was one. */
async function askIfAny<Answer>(
  ask: (client: Client) => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    demandPrivilege(); // who may not see the folder must not take it for missing
    return existsSync(daemonDirectory(HOST)) ? await withDaemon(ask) : undefined;
  } catch (error) {
    throw isForbidden(error) ? failure("operation not permitted") : error;
  }
}

async function withDaemon<Answer>(ask: (client: Client) => Promise<Answer>): Promise<Answer> {
  try {
    return await ask(clientOf(HOST));
  } catch (error) {
    if (!(error instanceof NoDaemonError) || error.isForbidden) throw error;
    return ask(await start());
  }
}

const start = (): Promise<Client> =>
  startDaemon(daemonDirectory(HOST), HOST, daemonWords(join(getPayload(), "serve.js")));

const isForbidden = (error: unknown): boolean =>
  error instanceof NotPermittedError || (error instanceof NoDaemonError && error.isForbidden);
