/**
 * User namespaces: who owns a network namespace, and who is at the other end of a socket. What is asked here may be
 * answered differently a moment later, so it is asked anew each time. man: user_namespaces(7), ioctl_ns(2).
 */
import { fstatSync, readFileSync, statSync } from "node:fs";
import { close, getsockopt, ioctl, poll, SOL_SOCKET, SysError } from "./sys.ts";

const NS_GET_USERNS = 0xb701;
const NS_GET_PARENT = 0xb702;
const NS_GET_OWNER_UID = 0xb704;
const SO_PEERCRED = 17;
/** Linux 6.5. */
const SO_PEERPIDFD = 77;
const POLLIN = 1;

/** `id`: the inode of its file. */
export interface UserNamespace {
  readonly id: number;
  /** Who made it. */
  readonly ownerUid: number;
}

/** A process at the other end of a socket. */
export interface Peer {
  readonly userNamespace: number;
  readonly uid: number;
  /** Effective capabilities, as bits; they count in its user namespace. */
  readonly capabilities: bigint;
}

/** The user namespace that owns a namespace, its parent, and so on up to our own; none if it is not below ours. */
export function ownersOf(netns: number): UserNamespace[] {
  const owners: UserNamespace[] = [];
  let fd = findRelated(netns, NS_GET_USERNS);
  while (fd !== undefined) {
    const parent = findRelated(fd, NS_GET_PARENT);
    owners.push({ id: fstatSync(fd).ino, ownerUid: ownerUid(fd) });
    close(fd);
    fd = parent;
  }
  return owners;
}

/** Undefined for one that is not below our user namespace. */
function findRelated(fd: number, request: number): number | undefined {
  try {
    return ioctl(fd, request, null, "find the user namespace above");
  } catch (error) {
    if (error instanceof SysError && error.code === "EPERM") return undefined;
    throw error;
  }
}

function ownerUid(userNamespace: number): number {
  const uid = Buffer.alloc(4);
  ioctl(userNamespace, NS_GET_OWNER_UID, uid, "find who made a user namespace");
  return uid.readUInt32LE();
}

/** Who connected to a unix socket; undefined: has ended, or lives where we cannot look. man: unix(7). */
export function findPeer(socket: number): Peer | undefined {
  let hold: number | undefined;
  try {
    const credentials = getsockopt(socket, SOL_SOCKET, SO_PEERCRED, 12);
    const pid = credentials.readInt32LE(0); // 0, which /proc has not: in no process namespace of ours
    hold = findPidfd(socket);
    const userNamespace = statSync(`/proc/${pid}/ns/user`).ino;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const [, capabilities = "0"] = /^CapEff:\s*(\w+)$/m.exec(status) ?? [];
    // Ended meanwhile: what we have read may be of another process with its number.
    if (hold !== undefined && poll(hold, POLLIN, 0)) return undefined;
    return {
      userNamespace,
      uid: credentials.readUInt32LE(4),
      capabilities: BigInt(`0x${capabilities}`),
    };
  } catch {
    return undefined;
  } finally {
    if (hold !== undefined) close(hold);
  }
}

/** A descriptor of the process itself; undefined before Linux 6.5. */
function findPidfd(socket: number): number | undefined {
  try {
    return getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, 4).readInt32LE();
  } catch (error) {
    if (error instanceof SysError && error.code === "ENOPROTOOPT") return undefined;
    throw error;
  }
}
