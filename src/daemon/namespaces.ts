/**
 * From the id that the kernel tells of a namespace to a path that opens to it. Nothing is kept open: a
 * descriptor would keep a namespace alive that its owner has deleted, and the slaves in it.
 */
import { closeSync, readdirSync } from "node:fs";
import { nsidOfFd } from "../linux/netlink/nsid.ts";
import type { NetlinkSocket } from "../linux/netlink/socket.ts";
import { netnsInode, openNetns } from "../linux/netns.ts";

/** Folders where tools pin namespaces that they name. */
export const NAMED: readonly string[] = ["/run/netns", "/run/docker/netns"];

/**
 * `hint`: where it was found last. Undefined for a namespace that neither a name nor a process shows, one that
 * lives by a descriptor alone.
 */
export function findNetnsPath(
  socket: NetlinkSocket,
  nsid: number,
  hint: string | undefined,
): string | undefined {
  for (const [path, fd] of namespaces(hint)) if (nsidOfFd(socket, fd) === nsid) return path;
  return undefined;
}

/** Every namespace that has a name or a process, once, with a descriptor that is open for one turn. */
export function* namespaces(hint?: string): Generator<[path: string, fd: number]> {
  const seen = new Set<number>();
  for (const path of paths(hint)) {
    const fd = open(path);
    if (fd === undefined) continue;
    try {
      const inode = netnsInode(fd);
      if (seen.has(inode)) continue;
      seen.add(inode);
      yield [path, fd];
    } finally {
      closeSync(fd);
    }
  }
}

/** Paths of those that somebody has named. */
export function* namedNamespaces(): Generator<string> {
  for (const folder of NAMED) for (const name of list(folder)) yield `${folder}/${name}`;
}

function* paths(hint: string | undefined): Generator<string> {
  if (hint !== undefined) yield hint;
  yield* namedNamespaces();
  for (const pid of list("/proc")) if (/^\d+$/.test(pid)) yield `/proc/${pid}/ns/net`;
}

/** Processes end and names go while we look; and a file of a name may have lost its namespace, as a crash leaves it. */
function open(path: string): number | undefined {
  try {
    return openNetns(path);
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
