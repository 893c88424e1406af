/** What a runtime asks: the command and its parameters in the environment, the network configuration on stdin. */
import { type Config, getCniVersion, isIdentifier, parseNamed, readConfig } from "./config.ts";
import { CniError, CODE } from "./errors.ts";
import { demandSince, getVersion, type Version } from "./version.ts";

export const COMMANDS = ["ADD", "CHECK", "DEL", "GC", "STATUS"] as const;
export type Command = (typeof COMMANDS)[number];

export interface Request {
  readonly command: Command;
  readonly version: Version;
  readonly containerId: string;
  /** A path that opens to the container's namespace; "" where that has gone. */
  readonly netns: string;
  /** Of the interface in the container. */
  readonly ifname: string;
  readonly config: Config;
}

/** Of the environment, which commands cannot do without it. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  CNI_CONTAINERID: ["ADD", "CHECK", "DEL"],
  CNI_NETNS: ["ADD", "CHECK"],
  CNI_IFNAME: ["ADD", "CHECK", "DEL"],
  CNI_PATH: ["ADD", "CHECK", "DEL", "GC", "STATUS"],
};

/** Linux: IFNAMSIZ, without the NUL. */
const IFNAME_BYTES_MAX = 15;

/** Checks in the reference's order. `text`: all of stdin. */
export function parseRequest(env: NodeJS.ProcessEnv, text: string): Request {
  const said = env.CNI_COMMAND ?? "";
  const missing = Object.keys(VARIABLES).filter(
    (name) => !env[name] && VARIABLES[name]!.includes(said),
  );
  if (missing.length > 0) throw environment(`required env variables [${missing}] missing`);
  const named = parseNamed(text);
  const { CNI_CONTAINERID: containerId = "", CNI_NETNS: netns = "", CNI_IFNAME: ifname = "" } = env;
  if (VARIABLES.CNI_IFNAME!.includes(said)) {
    demandContainerId(containerId);
    demandInterfaceName(ifname);
  }
  const command = COMMANDS.find((one) => one === said);
  if (command === undefined) throw environment(`unknown CNI_COMMAND: ${said}`);
  const version = getVersion(getCniVersion(named));
  if (command === "CHECK") demandSince(version, "0.4.0", command);
  if (command === "GC" || command === "STATUS") demandSince(version, "1.1.0", command);
  return { command, version, containerId, netns, ifname, config: readConfig(named, text) };
}

const environment = (message: string, details?: string): CniError =>
  new CniError(CODE.environment, message, details);

function demandContainerId(id: string): void {
  if (!isIdentifier(id)) throw environment("invalid characters in containerID", id);
}

function demandInterfaceName(name: string): void {
  if (Buffer.byteLength(name) > IFNAME_BYTES_MAX)
    throw environment(
      "interface name is too long",
      `interface name should be less than ${IFNAME_BYTES_MAX + 1} characters`,
    );
  if (name === "." || name === "..") throw environment("interface name is . or ..");
  if (/[/:\s]/.test(name))
    throw environment("interface name contains / or : or whitespace characters");
}
