/**
 * Where a daemon keeps what it needs: a folder for the network namespace it serves (`run-directory.ts`), which a reboot
 * clears.
 *
 *     control.sock       the control API
 *     lock               held by the daemon that serves the namespace
 *     daemon.log         what it wrote when the command started it
 *     netns              the private namespace with the host ends, pinned: it outlives the daemon
 *     bpf/N/             maps and links of port N, pinned (a bpffs)
 *     allmulticast-N     master N takes all groups because of us
 *     verifier.log       what the kernel's verifier said when it last refused a program
 *     sysctls-N.json     what L3S changed for master N and must put back
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { removeAllPins } from "../engine/ebpf/pins.ts";
import { createNetns, pinNetns, withNetns } from "../linux/netns.ts";
import { SysError, tryLock, unmount } from "../linux/sys.ts";
import { findSysctl, setSysctl } from "../linux/sysctl.ts";
import type { Log } from "./log.ts";
import { daemonDirectory, socketIn } from "./run-directory.ts";
import { findHandedSocket } from "./socket-activation.ts";

const LOCK_TIMEOUT_MS = 5000;
const LOCK_POLL_MS = 20;

export interface Places {
  readonly dir: string;
  readonly socket: string;
  /** Descriptor of the listening socket, if it is systemd's; then the folder is, too. */
  readonly handed: number | undefined;
}

/** Of the daemon that serves this process's network namespace. */
export function findPlaces(): Places {
  const dir = daemonDirectory("/proc/self/ns/net");
  const handed = findHandedSocket(process.env, process.pid);
  makeFolder(dir);
  return { dir, socket: socketIn(dir), handed };
}

/**
 * Whether this process is now the one daemon of its namespace; it is until it ends. One that is just ending is
 * waited for, and so is one that is starting, until it answers.
 */
export async function becomeTheDaemon(places: Places): Promise<boolean> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS;
  while (!holdLock(places)) {
    if ((await answers(places.socket)) || performance.now() > deadline) return false;
    await sleep(LOCK_POLL_MS);
  }
  return true;
}

const makeFolder = (dir: string) => mkdirSync(dir, { recursive: true, mode: 0o700 });

/** A daemon that is just ending may take the folder with it: then a lock of that folder is worth nothing. */
function holdLock({ dir }: Places): boolean {
  makeFolder(dir);
  const lock = openSync(`${dir}/lock`, "a", 0o600);
  const isThere = () =>
    statSync(`${dir}/lock`, { throwIfNoEntry: false })?.ino === fstatSync(lock).ino;
  if (tryLock(lock) && isThere()) return true;
  closeSync(lock);
  return false;
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
export function openPrivateNetns(places: Places, log: Log): number {
  const path = `${places.dir}/netns`;
  return openPinned(path) ?? makePrivateNetns(path, log);
}

/** Leaves nothing of ours behind, the private namespace least of all. */
export function removePlaces({ dir, socket, handed }: Places): void {
  removeAllPins(dir);
  if (openPinned(`${dir}/netns`) !== undefined) unmount(`${dir}/netns`);
  if (handed === undefined) {
    rmSync(dir, { recursive: true, maxRetries: 5 }); // the next daemon may be at the door
    return;
  }
  for (const name of readdirSync(dir))
    if (`${dir}/${name}` !== socket) rmSync(`${dir}/${name}`, { recursive: true });
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

function makePrivateNetns(path: string, log: Log): number {
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
    log.warn(`slaves end with this daemon: ${error.message}`);
  }
  return fd;
}
