/**
 * Whether anybody but this daemon still has a network namespace. Its own sockets keep its masters' namespaces alive,
 * and itself the one it runs in: `ip netns del` would change nothing. The kernel does not tell who holds a namespace,
 * so all places are looked through where it can be held: names, processes, their descriptors and mounts.
 */
import { readdirSync, readFileSync, type Stats, statSync, watch } from "node:fs";
import { NAMED, namedNamespaces } from "./namespaces.ts";

/** Who is in the first pid namespace sees every process. Linux: PROC_PID_INIT_INO. */
const FIRST_PID_NAMESPACE = 0xeffffffc;
/** Names that go are told; who else lets go of a namespace is found this late. */
const ROUND_MS = 5000;
const TEXT_OF_MOUNT = /^\S+ \S+ \S+ (net:\[\d+\]) (\S+)/gm;

export class Witness {
  readonly #netns: Stats;
  /** Where it was found to be held last. */
  #path: string | undefined;
  /** Whether one that nobody is seen to hold is held by nobody. */
  readonly #isConclusive: boolean;

  /** `netns`: a path that opens to it. */
  constructor(netns: string) {
    this.#netns = statSync(netns);
    this.#path = this.#find(namedNamespaces());
    this.#isConclusive = this.#path !== undefined || seesAllProcesses();
  }

  /** Whether the namespace is anybody's; quick as long as who held it last still does. */
  isHeld(): boolean {
    if (!this.#isConclusive || (this.#path !== undefined && this.#isIt(this.#path))) return true;
    this.#path = this.#find(namedNamespaces()) ?? this.#find(holds(this.#netns.ino));
    return this.#path !== undefined;
  }

  #find(paths: Iterable<string>): string | undefined {
    for (const path of paths) if (this.#isIt(path)) return path;
    return undefined;
  }

  #isIt(path: string): boolean {
    const found = look(() => statSync(path));
    return found !== undefined && found.ino === this.#netns.ino && found.dev === this.#netns.dev;
  }
}

/** Calls `check` when a namespace may have lost its last holder. */
export function watchHolders(check: () => void): { close(): void } {
  const timer = setInterval(check, ROUND_MS).unref();
  const folders = NAMED.flatMap(
    (folder) => look(() => watch(folder, { persistent: false }, check)) ?? [],
  );
  return {
    close() {
      clearInterval(timer);
      for (const folder of folders) folder.close();
    },
  };
}

const seesAllProcesses = (): boolean =>
  look(() => statSync("/proc/self/ns/pid"))?.ino === FIRST_PID_NAMESPACE;

/** Paths that may lead to the namespace, by way of every other process. */
function* holds(inode: number): Generator<string> {
  const mounts = new Set<number | undefined>();
  for (const pid of list("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const own = `/proc/${pid}`;
    for (const task of list(`${own}/task`)) yield `${own}/task/${task}/ns/net`;
    for (const fd of list(`${own}/fd`)) yield `${own}/fd/${fd}`;
    const namespace = look(() => statSync(`${own}/ns/mnt`))?.ino;
    if (mounts.has(namespace)) continue;
    mounts.add(namespace);
    const told = look(() => readFileSync(`${own}/mountinfo`, "utf8")) ?? "";
    for (const [, root, point] of told.matchAll(TEXT_OF_MOUNT))
      if (root === `net:[${inode}]`) yield `${own}/root${point}`;
  }
}

const list = (folder: string): string[] => look(() => readdirSync(folder)) ?? [];

/** Processes end while we look, and some are not ours to look at. */
function look<T>(at: () => T): T | undefined {
  try {
    return at();
  } catch {
    return undefined;
  }
}
