/**
 * Puts files where clients look for them, all of a target or none. A file appears by rename, complete, so that who
 * runs it meanwhile has the old one or the new one. What is there already is kept under another name until all is
 * done: one of ours goes then, one of somebody else's stays there until we are uninstalled.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { telling } from "./errors.ts";
import { type Entry, Manifest, removeFolders } from "./manifest.ts";
import { getTarget, type Placed, type Programs, type TargetName } from "./targets.ts";

/** Where it is installed. */
export interface Host extends Programs {
  /** The folder that is "/" to those who shall use it. */
  readonly root: string;
  /** Tells systemd; nobody is told where none runs, or not on this root. */
  readonly systemctl: ((...words: readonly string[]) => void) | undefined;
}

/** A file that has been put in its place. */
interface Step {
  readonly entry: Entry;
  readonly said: string;
  /** For good. */
  finish(): void;
  undo(): void;
}

/** Returns a line for each file, and what there is to do next. */
export function install(name: TargetName, host: Host): string[] {
  const target = getTarget(name, host);
  const manifest = new Manifest(host.root, name);
  const known = telling("read what is installed", () => manifest.read());
  const steps: Step[] = [];
  try {
    for (const file of target.files)
      steps.push(telling(`install ${file.path}`, () => put(file, host.root, known)));
    telling("note what was installed", () => manifest.write(steps.map(({ entry }) => entry)));
  } catch (error) {
    for (const step of steps.reverse()) step.undo();
    throw error;
  }
  for (const step of steps) step.finish();
  if (target.units.length > 0) host.systemctl?.("daemon-reload");
  return [...steps.map(({ said }) => said), target.next];
}

export const hashOf = (content: Buffer): string =>
  createHash("sha256").update(content).digest("hex");

/** The file as it is, if it is. */
export const findFile = (path: string): Buffer | undefined =>
  lstatSync(path, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(path);

function put(file: Placed, root: string, known: readonly Entry[]): Step {
  const { path, content } = file;
  const before = known.find((entry) => entry.path === path);
  const found = findFile(join(root, path));
  const entry: Entry = { ...before, path, sha256: hashOf(content) };
  if (found === undefined) return putNew(file, root, entry);
  if (found.equals(content))
    return { entry, said: `${path} is up to date`, finish() {}, undo() {} };
  const isOurs = hashOf(found) === before?.sha256;
  if (isOurs) return replace(file, root, entry, undefined);
  const backup = `${path}${file.aside}`;
  // One that we know of is the same owner's, and older.
  if (before?.backup === undefined && findFile(join(root, backup)) !== undefined)
    throw new Error(`${backup} is in the way: what is there now would get this name`);
  return replace(file, root, { ...entry, backup }, backup);
}

function putNew(file: Placed, root: string, entry: Entry): Step {
  const place = join(root, file.path);
  const folder = mkdirSync(dirname(place), { recursive: true });
  const undoFolder = () => folder !== undefined && removeFolders(dirname(place), folder);
  try {
    writeBeside(place, file);
  } catch (error) {
    undoFolder();
    throw error;
  }
  const made = folder === undefined ? {} : { folder: `/${relative(root, folder)}` };
  return {
    entry: { ...entry, ...made },
    said: `${file.path} is installed`,
    finish() {},
    undo() {
      rmSync(place);
      undoFolder();
    },
  };
}

/** `backup`: what is there now is somebody else's and shall have this name. */
function replace(file: Placed, root: string, entry: Entry, backup: string | undefined): Step {
  const place = join(root, file.path);
  const kept = `${place}.before`;
  rmSync(kept, { force: true });
  linkSync(place, kept);
  try {
    writeBeside(place, file);
  } catch (error) {
    rmSync(kept);
    throw error;
  }
  const undo = () => renameSync(kept, place);
  if (backup === undefined) {
    const said = `${file.path} is replaced by this version`;
    return { entry, said, finish: () => rmSync(kept), undo };
  }
  const said = `${file.path} is installed; what was there is now ${backup}`;
  return { entry, said, finish: () => renameSync(kept, join(root, backup)), undo };
}

function writeBeside(place: string, { content, mode }: Placed): void {
  const draft = `${place}.new`;
  try {
    writeFileSync(draft, content);
    chmodSync(draft, mode); // whatever the umask is
    renameSync(draft, place);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
