/**
 * Maps, programs and links of the kernel by their numbers, which all of the machine share: so that a test that runs
 * beside others knows its own, it asks which a process has open.
 */
import { readdirSync, readFileSync } from "node:fs";
import { Attributes } from "../src/linux/bpf/attributes.ts";
import { close, ENOENT, errno, SysError } from "../src/linux/sys.ts";

export const OBJECT_KINDS = ["map", "prog", "link"] as const;
export type ObjectKind = (typeof OBJECT_KINDS)[number];

/** Ids by kind. */
export type Objects = Readonly<Record<ObjectKind, readonly number[]>>;

/** Commands of bpf(2): a descriptor of the object with an id. */
const GET_FD_BY_ID: Readonly<Record<ObjectKind, number>> = { prog: 13, map: 14, link: 30 };

/** What a process has open. man: proc_pid_fdinfo(5). */
export function objectsOf(pid: number): Objects {
  const infos = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => fdinfo(pid, fd));
  const idsOf = (kind: ObjectKind) =>
    infos.flatMap((text) => {
      const id = new RegExp(`^${kind}_id:\\s*(\\d+)`, "m").exec(text)?.[1];
      return id === undefined ? [] : [Number(id)];
    });
  return { map: idsOf("map"), prog: idsOf("prog"), link: idsOf("link") };
}

/** Those that there still are, whoever holds them. */
export function remaining(objects: Objects): Objects {
  const left = (kind: ObjectKind) => objects[kind].filter((id) => exists(kind, id));
  return { map: left("map"), prog: left("prog"), link: left("link") };
}

export const countOf = (objects: Objects): number =>
  OBJECT_KINDS.reduce((sum, kind) => sum + objects[kind].length, 0);

function exists(kind: ObjectKind, id: number): boolean {
  const fd = new Attributes(16).u32(0, id).try(GET_FD_BY_ID[kind]);
  if (fd < 0 && errno() !== ENOENT) throw new SysError(`open ${kind} ${id}`, errno());
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/** It may be closed while we look. */
function fdinfo(pid: number, fd: string): string {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8");
  } catch {
    return "";
  }
}
