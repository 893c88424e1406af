/**
 * What `npm start` and `npm test` do first on a machine that has nothing but Node: look at Node's version, install
 * the packages of the lock file, build, and fetch missing tools. Plain JavaScript of Node's own modules, since
 * nothing else is there yet. A step that has nothing to do says nothing; one that works says one line.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MIN = 20;
export const root = fileURLToPath(new URL("..", import.meta.url));
/** What the build reads. */
const SOURCES = [
  "src",
  "test",
  "scripts",
  "examples",
  "scenarios",
  "bench",
  "package.json",
  "tsconfig.json",
  "tsconfig.web.json",
];
const STAMP = join(root, "dist", ".built");

/** Said to a person as it is, without a stack. */
export class SetupError extends Error {}

export function checkNode() {
  const major = Number.parseInt(process.versions.node, 10);
  if (major < NODE_MIN)
    throw new SetupError(`Node ${NODE_MIN} or newer is needed, this is ${process.versions.node}`);
}

/** Runs `main`; what went wrong ends the program with one line and exit status 1. */
export async function finishWith(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

export function installPackages() {
  const installed = modified(join(root, "node_modules", ".package-lock.json"));
  if (installed >= modified(join(root, "package-lock.json"))) return;
  step("Installing packages", "npm", [
    "ci",
    "--include=dev", // the compiler is one
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
}

/** Anew from nothing, so that no test of a deleted source lives on in `dist`. */
export function build() {
  if (modified(STAMP) >= newest(SOURCES.map((name) => join(root, name)))) return;
  rmSync(join(root, "dist"), { recursive: true, force: true });
  step("Building", "npm", ["run", "--silent", "build"]);
  writeFileSync(STAMP, "");
}

/**
 * Installs those Debian packages whose program is missing. Where that is not possible: the names of the
 * packages that are still missing.
 * @param {Record<string, string>} packages package name by program name
 * @returns {string[]}
 */
export function installTools(packages) {
  const missing = () => [
    ...new Set(
      Object.keys(packages)
        .filter((tool) => !isOnPath(tool))
        .map((tool) => packages[tool]),
    ),
  ];
  const wanted = missing();
  if (wanted.length === 0 || process.getuid() !== 0 || !isOnPath("apt-get")) return wanted;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    step("Updating the list of Debian packages", "apt-get", ["update", "-qq"], env);
    const install = ["install", "-qq", "-y", "--no-install-recommends"];
    step(`Installing ${wanted.join(" ")}`, "apt-get", [...install, ...wanted], env);
  } catch (error) {
    // No network, or another distribution's names: whoever called knows what can be done without them.
    if (!(error instanceof SetupError)) throw error;
  }
  return missing();
}

export function isOnPath(tool) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => isExecutable(resolve(folder, tool)));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** One line; the program's own output only when it fails. */
function step(what, program, args, env = process.env) {
  const start = performance.now();
  process.stdout.write(`${what} ... `);
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    env,
    encoding: "utf8",
  });
  if (status === 0) {
    console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);
    return;
  }
  console.log("failed");
  throw new SetupError(
    `${stdout ?? ""}${stderr ?? ""}${program}: ${error?.message ?? `exit ${status}`}`,
  );
}

/** Time of the last change; 0: there is no such file. */
function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newest(paths) {
  return Math.max(0, ...paths.map(newestBelow));
}

function newestBelow(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  // The folder's own time counts: it tells that a file was deleted.
  return Math.max(found.mtimeMs, newest(readdirSync(path).map((name) => join(path, name))));
}
