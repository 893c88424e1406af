/**
 * Where programs of eBPF hang: links, which hold a program at a device's hook as long as somebody holds the link,
 * and pins, files that hold an object without us. man: bpf(2).
 *
 * A link belongs to the device, not to its number: attach in the namespace that has the device.
 */
import { existsSync, mkdirSync, readlinkSync, statfsSync } from "node:fs";
import type { Hook } from "../netlink/tc.ts";
import { ENOENT, errno, mountType, SysError, unmount } from "../sys.ts";
import {
  Attributes,
  LINK_CREATE,
  LINK_UPDATE,
  memory,
  OBJ_GET,
  OBJ_PIN,
  objectInfo,
  PROG_QUERY,
} from "./attributes.ts";

/** enum bpf_attach_type: tcx, of kernel 6.6. */
const ATTACH: Readonly<Record<Hook, number>> = { ingress: 46, egress: 47 };
const BPF_LINK_TYPE_TCX = 11;
/** Of programs at one hook; the kernel allows as many. */
const PROGRAMS_MAX = 64;

/** Attaches behind the programs that are there; a descriptor of the link. EINVAL: a kernel without tcx. */
export const attachTcx = (programFd: number, ifindex: number, hook: Hook): number =>
  new Attributes(48)
    .u32(0, programFd)
    .u32(4, ifindex)
    .u32(8, ATTACH[hook])
    .call(LINK_CREATE, `attach a program to the ${hook} of device ${ifindex}`);

/** The next frame meets the new program, where the last one met the old. */
export const updateLink = (linkFd: number, programFd: number): void => {
  const attributes = new Attributes(16).u32(0, linkFd).u32(4, programFd);
  attributes.call(LINK_UPDATE, "replace the program of a link");
};

export interface LinkInfo {
  readonly id: number;
  readonly programId: number;
  /** undefined: the device is gone, and the link hangs nowhere. */
  readonly ifindex: number | undefined;
  readonly hook: Hook;
}

/** struct bpf_link_info; undefined: a link of another kind. */
export function linkInfo(fd: number): LinkInfo | undefined {
  const info = objectInfo(fd, 24, "ask what a link is");
  if (info.readUInt32LE(0) !== BPF_LINK_TYPE_TCX) return undefined;
  return {
    id: info.readUInt32LE(4),
    programId: info.readUInt32LE(8),
    ifindex: info.readUInt32LE(16) || undefined,
    hook: info.readUInt32LE(20) === ATTACH.ingress ? "ingress" : "egress",
  };
}

export interface Attached {
  readonly programId: number;
  /** undefined: it hangs there without a link. */
  readonly linkId: number | undefined;
}

/** What hangs at a hook, in the order frames meet it. */
export function queryTcx(ifindex: number, hook: Hook): Attached[] {
  const programs = memory(4 * PROGRAMS_MAX);
  const links = memory(4 * PROGRAMS_MAX);
  const attributes = new Attributes(64)
    .u32(0, ifindex)
    .u32(4, ATTACH[hook])
    .pointer(16, programs)
    .u32(24, PROGRAMS_MAX)
    .pointer(40, links);
  if (attributes.try(PROG_QUERY) < 0) {
    if (errno() === ENOENT) return []; // nothing ever hung there
    throw new SysError(`ask what hangs at the ${hook} of device ${ifindex}`, errno());
  }
  return Array.from({ length: attributes.getU32(24) }, (_, i) => ({
    programId: programs.readUInt32LE(4 * i),
    linkId: links.readUInt32LE(4 * i) || undefined,
  }));
}

/** Keeps a map, program or link as long as the file is there. EEXIST: there is such a file. */
export const pin = (fd: number, path: string): void => {
  new Attributes(16).text(0, path).u32(8, fd).call(OBJ_PIN, `pin ${path}`);
};

/** A descriptor of what is pinned there; undefined: there is no such file. */
export function openPinned(path: string): number | undefined {
  const fd = new Attributes(16).text(0, path).try(OBJ_GET);
  if (fd >= 0) return fd;
  if (errno() === ENOENT) return undefined;
  throw new SysError(`open ${path}`, errno());
}

/** What can be pinned. */
export type PinnedKind = "map" | "program" | "link";
const PINNED_KINDS: Readonly<Record<string, PinnedKind>> = {
  "bpf-map": "map",
  "bpf-prog": "program",
  "bpf-link": "link",
};

/** undefined: no object of bpf(2). Kernel: anon_inode_getfd() in bpf_link_new_fd() and its likes. */
export function pinnedKind(fd: number): PinnedKind | undefined {
  const name = readlinkSync(`/proc/self/fd/${fd}`);
  return PINNED_KINDS[name.replace("anon_inode:", "")];
}

const BPF_FS_MAGIC = 0xcafe4a11;

/** Makes a directory one in which objects can be pinned; nothing happens if it is. */
export function mountBpffs(directory: string): void {
  mkdirSync(directory, { recursive: true });
  if (!isBpffs(directory)) mountType("bpf", directory);
}

/** Lets go of all that is pinned there; nothing happens if it is no such directory. */
export function unmountBpffs(directory: string): void {
  if (existsSync(directory) && isBpffs(directory)) unmount(directory);
}

const isBpffs = (directory: string): boolean => statfsSync(directory).type === BPF_FS_MAGIC;
