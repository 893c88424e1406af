/**
 * Runs this program again in network, mount and process namespaces of its own, so that devices and namespaces
 * may have the recording's names whatever the machine has, and vanish with the process however it ends.
 */
import { spawnSync } from "node:child_process";

/** Set in the environment of the program within. */
const MARK = "IPVLAN_PARITY_SANDBOX";

const SPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Named namespaces and the daemon's socket live below /run. */
const SETUP = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';

export const isInSandbox = (): boolean => process.env[MARK] !== undefined;

/** Something that real devices need is missing, or a command said no: told as it is. */
export class SandboxError extends Error {}

/** Why there can be no sandbox here; undefined: there can. */
export function findObstacle(): string | undefined {
  const words = [...userSpace(), ...SPACES, "--", "sh", "-c", SETUP, "sh", "true"];
  const { status, stderr, error } = spawnSync("unshare", words, { encoding: "utf8" });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim();
}

/** Exit status of the program within. */
export function runInSandbox(): number {
  const obstacle = findObstacle();
  if (obstacle !== undefined) throw new SandboxError(`no namespaces of our own: ${obstacle}`);
  const words = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync(
    "unshare",
    [...userSpace(), ...SPACES, "--", "sh", "-c", SETUP, "sh", ...words],
    { stdio: "inherit", env: { ...process.env, [MARK]: "1" } },
  );
  return status ?? 1;
}

/** Who is not root is root in a user namespace of his own. */
const userSpace = (): string[] => (process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]);
