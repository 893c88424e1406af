/**
 * Network namespaces. The namespace belongs to the thread: a section inside another one must be synchronous,
 * since after an `await` the thread may be wherever somebody else left it. man: network_namespaces(7).
 */
import { closeSync, fstatSync, openSync, statfsSync } from "node:fs";
import { bindMount, close, EINVAL, O_PATH, openFile, SysError, setns, unshareNet } from "./sys.ts";

const SELF = "/proc/thread-self/ns/net";

/** A path that opens to the namespace a person named: by name (`ip netns`), pid, or path. */
export function netnsPath(nameOrPid: string | number): string {
  if (typeof nameOrPid === "number") return `/proc/${nameOrPid}/ns/net`;
  return nameOrPid.includes("/") ? nameOrPid : `/run/netns/${nameOrPid}`;
}

/**
 * Runs `section` with this thread in a namespace (a descriptor, or what `netnsPath` takes as text) and comes
 * back to where it was, also from a section within a section.
 */
export function withNetns<T>(where: number | string, section: () => T): T {
  const target = typeof where === "number" ? where : openFile(netnsPath(where));
  try {
    const back = openFile(SELF);
    try {
      setns(target, `enter network namespace ${where}`);
      try {
        return section();
      } finally {
        setns(back, "come back from a network namespace");
      }
    } finally {
      close(back);
    }
  } finally {
    if (typeof where === "string") close(target);
  }
}

/** A new namespace, kept alive by the returned descriptor. */
export function createNetns(): number {
  const back = openFile(SELF);
  try {
    unshareNet();
    const fd = openFile(SELF);
    setns(back, "come back from a network namespace");
    return fd;
  } finally {
    close(back);
  }
}

/**
 * Opens the namespace that somebody names by a path. He may name anything: so it is looked at first, without opening
 * it. To open a pipe would keep us waiting, a watchdog would reboot the machine.
 */
export function openNetns(path: string): number {
  const place = openSync(path, O_PATH);
  try {
    if (statfsSync(fdPath(place)).type !== NSFS_MAGIC)
      throw new SysError(`open ${path} as a namespace`, EINVAL);
    return openFile(fdPath(place));
  } finally {
    closeSync(place);
  }
}
const NSFS_MAGIC = 0x6e736673;

/** A path that opens to what a descriptor of ours is open on, as long as it is. */
export const fdPath = (fd: number): string => `/proc/self/fd/${fd}`;

/** The namespace this thread is in. */
export const currentNetns = (): number => openFile(SELF);

/** Keeps a namespace alive without us: `path` becomes a file that opens to it. */
export function pinNetns(fd: number, path: string): void {
  closeSync(openSync(path, "a", 0o600));
  bindMount(fdPath(fd), path);
}

/** Names a namespace among all that live: the inode of its file. */
export const netnsInode = (fd: number): number => fstatSync(fd).ino;
