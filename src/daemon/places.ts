/**
 * Where a daemon keeps what it needs: one folder per network namespace it serves, named by the namespace's
 * inode, under /run, so that a reboot clears it.
 *
 *     control.sock       the control API
 *     lock               held by the daemon that serves the namespace
 *     daemon.log         what it wrote when the command started it
 *     netns              the private namespace with the host ends, pinned: it outlives the daemon
 *     sysctls-N.json     what L3S changed for master N and must put back
 */
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createNetns, currentNetns, netnsInode, pinNetns, withNetns } from "../linux/netns.ts";
import { SysError, tryLock, unmount } from "../linux/sys.ts";
import { findSysctl, setSysctl } from "../linux/sysctl.ts";

const LOCK_TIMEOUT_MS = 5000;
const LOCK_POLL_MS = 20;

export interface Places {
  readonly dir: string;
  readonly socket: string;
}

/** Of the daemon that serves this process's network namespace. */
export function findPlaces(): Places {
  const fd = currentNetns();
  const dir = `${process.env.IPVLAN_RUN ?? "/run/ipvlan"}/${netnsInode(fd)}`;
  closeSync(fd);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return { dir, socket: `${dir}/control.sock` };
}

/**
 * Whether this process is now the one daemon of its namespace; it is until it ends. One that is just ending is
 * waited for, and so is one that is starting, until it answers.
 */
export async function becomeTheDaemon(places: Places): Promise<boolean> {
  const lock = openSync(`${places.dir}/lock`, "a", 0o600);
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  while (!tryLock(lock)) {
    if ((await answers(places.socket)) || performance.now() > deadline) return false;
    await sleep(LOCK_POLL_MS);
  }
  return true;
}

/** Whether somebody listens on a unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/**
 * The namespace where the host ends live and no IP stack sees the slaves' frames: the one of a former run, or a
 * new one. The returned descriptor stays open.
 */
export function openPrivateNetns(places: Places): number {
  const path = `${places.dir}/netns`;
  return openPinned(path) ?? makePrivateNetns(path);
}

/** Leaves nothing behind, the private namespace least of all. */
export function removePlaces(places: Places): void {
  if (openPinned(`${places.dir}/netns`) !== undefined) unmount(`${places.dir}/netns`);
  rmSync(places.dir, { recursive: true });
}

/** Undefined for a file that nothing is mounted on, or none. */
function openPinned(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const fd = openSync(path, "r");
  try {
    withNetns(fd, () => undefined);
    return fd;
  } catch (error) {
    closeSync(fd);
    if (error instanceof SysError && error.code === "EINVAL") return undefined;
    throw error;
  }
}

function makePrivateNetns(path: string): number {
  const fd = createNetns();
  withNetns(fd, () => {
    // Before any device is made: a device takes its settings over at birth.
    for (const scope of ["default", "all"]) {
      const disabled = `ipv6/conf/${scope}/disable_ipv6`;
      if (findSysctl(disabled) !== undefined) setSysctl(disabled, 1);
    }
  });
  try {
    pinNetns(fd, path);
  } catch (error) {
    // Without a mount namespace of its own (`unshare -m`) a user namespace may not mount: the slaves then end with us.
    if (!(error instanceof SysError)) throw error;
    process.stderr.write(`cannot keep slaves beyond this daemon: ${error.message}\n`);
  }
  return fd;
}
