/** What results were measured on. Names neither the host nor anything in its file system. */
import { arch, cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
  readonly kernel: string;
  readonly processors: string;
  readonly memory: string;
  readonly node: string;
  /** The day, ISO 8601. */
  readonly date: string;
  /** Processes that wanted a processor in the minute before: what others did meanwhile. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    kernel: `Linux ${release()} ${arch()}`,
    processors: `${all.length} × ${all[0]?.model.trim() ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    loadBefore: Math.round(loadavg()[0]! * 10) / 10,
  };
}
