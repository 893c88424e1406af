/**
 * A cgroup of a test's own in every hierarchy of the machine, below which container runtimes put theirs. Namespaces end
 * with their last process, cgroups do not: who made them removes them.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What a cgroup of version 1 does not have from its parent by itself, and takes no process without. */
const CPUSETS = ["cpuset.cpus", "cpuset.mems"];

/** Mounts of cgroups. man: proc_pid_mountinfo(5): the mount point is the fifth field, the type follows the dash. */
export const hierarchies = (): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(" ")[4]!);

/** Of the machine, not of a user namespace: who may make cgroups. */
export function isRoot(): boolean {
  const [, outside, count] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
  return process.geteuid!() === 0 && outside === "0" && count === "4294967295";
}

export function makeCgroups(name: string): void {
  for (const hierarchy of hierarchies()) {
    const cgroup = join(hierarchy, name);
    mkdirSync(cgroup);
    if (readdirSync(cgroup).includes("cgroup.subtree_control")) continue; // version 2
    for (const file of CPUSETS.filter((one) => readdirSync(cgroup).includes(one)))
      writeFileSync(join(cgroup, file), readFileSync(join(hierarchy, file)));
  }
}

/** With all that is below them; the processes in them have been killed. */
export async function removeCgroups(name: string): Promise<void> {
  const deadline = performance.now() + GONE_MS;
  for (const hierarchy of hierarchies())
    while (!isRemoved(hierarchy, name)) {
      if (performance.now() > deadline) throw new Error(`${hierarchy}/${name} has processes`);
      await sleep(20);
    }
}
const GONE_MS = 10_000;

/** False while somebody in it is not quite dead. */
function isRemoved(parent: string, name: string): boolean {
  const cgroup = join(parent, name);
  try {
    const folders = readdirSync(cgroup, { withFileTypes: true }).filter((one) => one.isDirectory());
    if (!folders.every((folder) => isRemoved(cgroup, folder.name))) return false;
    rmdirSync(cgroup);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return true;
    if (code === "EBUSY") return false;
    throw error;
  }
}
