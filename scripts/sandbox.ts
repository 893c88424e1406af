/**
 * A sandbox: namespaces of a program's own for network, mounts and processes, with an empty /run. Whatever the
 * program makes in it (devices, `ip netns` names, daemons) is out of the machine's sight, clashes with nothing and
 * ends with the program, however that ends: the kernel kills the sandbox's first process with `unshare`
 * (`--kill-child`), `unshare` with us (`setpriv --pdeathsig`), and the last process takes the namespaces along.
 *
 * The first process is a shell that only waits: it collects orphans, so that a daemon's end can be seen.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/** Names the network namespace outside, so that who is inside knows it for certain. */
const OUTSIDE = "IPVLAN_SANDBOX_OUTSIDE";
const NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
/** For who is not root: root of a user namespace. */
const USER_NAMESPACE = ["--user", "--map-root-user"];
/**
 * Ctrl-C is the program's to answer: the shell has a trap only so that it is not ended before. /sys shows the network
 * of the namespace it was mounted in; where it may not be mounted anew, it shows the outside's.
 */
const FIRST_PROCESS =
  'trap : INT; mount -t sysfs sysfs /sys 2>/dev/null; mount -t tmpfs tmpfs /run && ip link set lo up && "$@"; exit $?';

/** Descriptor of the outside's /proc in the sandbox. */
const PROC_OUTSIDE = 3;

const networkNamespace = (): string => readlinkSync("/proc/self/ns/net");

/** Whether this process runs in a sandbox, and so may do to its network what it likes. */
export function insideSandbox(): boolean {
  const outside = process.env[OUTSIDE];
  return outside !== undefined && outside !== networkNamespace();
}

/** This process's id as the outside sees it. */
export const pidOutside = (): number => Number(readlinkSync(`/proc/self/fd/${PROC_OUTSIDE}/self`));

/** Why this machine allows no sandbox and what would change that, in one line; undefined: it does. */
export function sandboxRefusal(): string | undefined {
  return typeof namespaceOptions() === "object" ? undefined : `no sandbox: ${namespaceOptions()}`;
}

/** Runs a program of ours, given by its URL, in a new sandbox; its exit code. Signals that end us end it. */
export async function enterSandbox(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  const namespaces = namespaceOptions();
  if (typeof namespaces === "string") throw new Error(`no sandbox: ${namespaces}`);
  const node = [process.execPath, ...process.execArgv, fileURLToPath(program), ...args];
  const shell = ["sh", "-c", FIRST_PROCESS, "sandbox", ...node];
  const proc = openSync("/proc", "r");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...namespaces, ...shell], {
    stdio: ["inherit", "inherit", "inherit", proc],
    env: { ...process.env, ...env, [OUTSIDE]: networkNamespace() },
  });
  closeSync(proc);
  // Ctrl-C reaches the program inside by itself; we wait until it has cleaned up.
  const wait = () => {};
  const end = () => child.kill("SIGKILL");
  process.on("SIGINT", wait).on("SIGTERM", end);
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  process.off("SIGINT", wait).off("SIGTERM", end);
  return code ?? 128 + constants.signals[signal!];
}

/** The options with which `unshare` works here, or why it does not. */
function namespaceOptions(): readonly string[] | string {
  const ways = process.getuid!() === 0 ? [[], USER_NAMESPACE] : [USER_NAMESPACE];
  let refusal = "";
  for (const way of ways) {
    const options = [...way, ...NAMESPACES];
    const { status, stderr, error } = spawnSync(
      "unshare",
      [...options, "mount", "-t", "tmpfs", "tmpfs", "/run"],
      { encoding: "utf8" },
    );
    if (status === 0) return options;
    refusal = error?.message ?? stderr.trim();
  }
  return `${refusal} (${remedy()})`;
}

/** Switches of distributions that forbid user namespaces: file below /proc/sys, forbidding value, allowing value. */
const SWITCHES = [
  ["kernel/unprivileged_userns_clone", "0", "1"],
  ["kernel/apparmor_restrict_unprivileged_userns", "1", "0"],
  ["user/max_user_namespaces", "0", "10000"],
] as const;

function remedy(): string {
  const found = SWITCHES.find(([name, forbidding]) => sysctl(name) === forbidding);
  if (found === undefined) return "be root; in a container: --privileged";
  return `be root, or: sysctl ${found[0].replaceAll("/", ".")}=${found[2]}`;
}

function sysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return undefined; // this kernel has no such switch
  }
}
