/** The container's namespace, as the runtime names it. */
import { realpathSync, statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { failure } from "./errors.ts";

const NSFS_MAGIC = 0x6e736673;
const PROC_MAGIC = 0x9fa0;

/** A path that the daemon, too, may follow: `/proc/self` is somebody else there. */
export function getNamespace(path: string): string {
  const refuse = (reason: string) =>
    failure(`failed to open netns ${JSON.stringify(path)}: ${reason}`);
  try {
    const { type } = statfsSync(path);
    if (type !== NSFS_MAGIC && type !== PROC_MAGIC)
      throw refuse(`unknown FS magic on ${JSON.stringify(path)}: ${type.toString(16)}`);
    return join(realpathSync(dirname(path)), basename(path));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || typeof error.code === "number")
      throw error;
    const reason = error.code === "ENOENT" ? "no such file or directory" : String(error.code);
    throw refuse(`failed to Statfs ${JSON.stringify(path)}: ${reason}`);
  }
}
