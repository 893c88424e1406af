/**
 * From the id that the kernel tells of a namespace to a path that opens to it. Nothing is kept open: a
 * descriptor would keep a namespace alive that its owner has deleted, and the slaves in it.
 */
import { closeSync, openSync, readdirSync } from "node:fs";
import { nsidOfFd } from "../linux/netlink/nsid.ts";
import { NetlinkError, type NetlinkSocket } from "../linux/netlink/socket.ts";
import { netnsInode } from "../linux/netns.ts";

/** Folders where tools pin namespaces that they name. */
const NAMED = ["/run/netns", "/run/docker/netns"];

/**
 * `hint`: where it was found last. Undefined for a namespace that neither a name nor a process shows, one that
 * lives by a descriptor alone.
 */
export function findNetnsPath(
  socket: NetlinkSocket,
  nsid: number,
  hint: string | undefined,
): string | undefined {
  const seen = new Set<number>();
  const isIt = (path: string) => hasNsid(socket, path, nsid, seen);
  if (hint !== undefined && isIt(hint)) return hint;
  for (const folder of NAMED)
    for (const name of list(folder)) if (isIt(`${folder}/${name}`)) return `${folder}/${name}`;
  for (const pid of list("/proc"))
    if (/^\d+$/.test(pid) && isIt(`/proc/${pid}/ns/net`)) return `/proc/${pid}/ns/net`;
  return undefined;
}

/** Each namespace is asked about once, however many processes live in it. */
function hasNsid(socket: NetlinkSocket, path: string, nsid: number, seen: Set<number>): boolean {
  const fd = open(path);
  if (fd === undefined) return false;
  try {
    const inode = netnsInode(fd);
    if (seen.has(inode)) return false;
    seen.add(inode);
    return nsidOfFd(socket, fd) === nsid;
  } catch (error) {
    // A file of that name without a namespace mounted on it, as a crash leaves them.
    if (error instanceof NetlinkError && error.code === "EINVAL") return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Processes end and names go while we look. */
function open(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
