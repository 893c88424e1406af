/**
 * Where daemons listen: a folder for all, in it one per network namespace, named by the namespace's inode. Commands and
 * daemons find it by the same rule, so it is asked for here only.
 */
import { accessSync, constants, lstatSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const USUAL = "/run/ipvlan";
/** Of a unix socket's path. man: unix(7). */
const PATH_BYTES_MAX = 107;

/** In a user namespace /run may be somebody else's: then it is a folder of the user's own. */
export function runDirectory(): string {
  const { IPVLAN_RUN, XDG_RUNTIME_DIR } = process.env;
  if (IPVLAN_RUN !== undefined) return IPVLAN_RUN;
  const uidOutside = findUidOutside();
  if (uidOutside === undefined || isUsable(USUAL)) return USUAL;
  if (XDG_RUNTIME_DIR !== undefined && isUsable(`${XDG_RUNTIME_DIR}/ipvlan`))
    return `${XDG_RUNTIME_DIR}/ipvlan`;
  return demandOurs(`/tmp/ipvlan-${uidOutside}`);
}

/** The folder of the daemon for a namespace, given as a path that opens to it. */
export const daemonDirectory = (netns: string): string =>
  join(runDirectory(), String(statSync(netns).ino));

/** The control socket in a daemon's folder. */
export function socketIn(directory: string): string {
  const path = join(directory, "control.sock");
  if (Buffer.byteLength(path) > PATH_BYTES_MAX)
    throw new Error(`${path} is too long for a socket: set IPVLAN_RUN to a shorter folder`);
  return path;
}

/** Our uid as the user namespace around ours has it; undefined: there is none around. */
function findUidOutside(): number | undefined {
  const [inside = 0, outside = 0, count = 0] = readFileSync("/proc/self/uid_map", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  const isInitial = inside === 0 && outside === 0 && count === 2 ** 32 - 1;
  return isInitial ? undefined : outside + process.geteuid!() - inside;
}

/** It is there for us, or can be made. */
function isUsable(folder: string): boolean {
  try {
    accessSync(isThere(folder) ? folder : dirname(folder), constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** In a folder where everybody may make one, somebody else may have been first. */
function demandOurs(folder: string): string {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return folder;
  const isOurs = found.isDirectory() && found.uid === process.geteuid!();
  if (!isOurs || (found.mode & 0o077) !== 0)
    throw new Error(`${folder} is not ours alone: remove it, or set IPVLAN_RUN to another folder`);
  return folder;
}
