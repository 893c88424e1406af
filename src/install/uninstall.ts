/** Takes away what was installed, where it is still what it was, and puts back what had been set aside for it. */
import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { telling } from "./errors.ts";
import { findFile, type Host, hashOf } from "./install.ts";
import { type Entry, Manifest, removeFolders } from "./manifest.ts";
import { getTarget, type TargetName } from "./targets.ts";

export interface Uninstalled {
  readonly lines: readonly string[];
  /** Files that are no longer what was installed, and stay. */
  readonly left: readonly string[];
}

export function uninstall(name: TargetName, host: Host): Uninstalled {
  const manifest = new Manifest(host.root, name);
  const known = telling("read what is installed", () => manifest.read());
  if (known.length === 0) return { lines: [`Nothing of ${name} is installed`], left: [] };
  const { units } = getTarget(name, host);
  if (units.length > 0) host.systemctl?.("disable", "--now", ...units);
  const lines: string[] = [];
  const left: Entry[] = [];
  const waiting = [...known];
  for (let entry = waiting[0]; entry !== undefined; entry = waiting[0]) {
    const current = entry;
    const said = telling(`uninstall ${current.path}`, () => takeAway(current, host.root));
    if (said === undefined) left.push(current);
    else lines.push(said);
    waiting.shift();
    telling("note what is left", () => manifest.write([...left, ...waiting]));
  }
  if (units.length > 0) host.systemctl?.("daemon-reload");
  return { lines, left: left.map(({ path }) => path) };
}

/** None: it is not ours any more. */
function takeAway({ path, sha256, backup, folder }: Entry, root: string): string | undefined {
  const place = join(root, path);
  const found = findFile(place);
  if (found !== undefined && hashOf(found) !== sha256) return undefined;
  if (backup !== undefined && findFile(join(root, backup)) !== undefined) {
    renameSync(join(root, backup), place);
    return `${path} is again what was there before`;
  }
  rmSync(place, { force: true });
  if (folder !== undefined) removeFolders(dirname(place), join(root, folder));
  return found === undefined ? `${path} is gone already` : `${path} is removed`;
}
