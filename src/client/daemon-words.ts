/**
 * The words that start a daemon where it shall live: in the network namespace it serves, and in a mount namespace that
 * outlives the command. `ip netns exec` gives its program a mount namespace of its own; the private namespace that a
 * daemon pins there would end with the daemon, and the slaves with it. So it starts in the first process's, if files
 * are the same there.
 */
import { readlinkSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { runDirectory } from "../daemon/run-directory.ts";

/** `script` is what understands `daemon run`; `netns` a path that opens to the namespace to serve, if it is another's. */
export function daemonWords(script: string, netns?: string): string[] {
  const words = [process.execPath, script, "daemon", "run"];
  const where = [
    ...(netns === undefined ? [] : [`--net=${netns}`]),
    ...(isElsewhere() && isSameThere([dirname(runDirectory()), process.execPath, script])
      ? [`--mount=${FIRST}/ns/mnt`]
      : []),
  ];
  return where.length === 0 ? words : ["nsenter", ...where, ...words];
}

const FIRST = "/proc/1";

const isElsewhere = (): boolean =>
  isSo(() => readlinkSync(`${FIRST}/ns/mnt`) !== readlinkSync("/proc/self/ns/mnt"));

/** Whether the paths are the same files in the first process's mount namespace. */
const isSameThere = (paths: readonly string[]): boolean =>
  paths.every((path) =>
    isSo(() => {
      const [here, there] = [path, `${FIRST}/root${path}`].map((one) => statSync(one));
      return here!.ino === there!.ino && here!.dev === there!.dev;
    }),
  );

/** What may not be seen is not so. */
function isSo(see: () => boolean): boolean {
  try {
    return see();
  } catch {
    return false;
  }
}
