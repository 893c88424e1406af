/** What was installed: uninstalling takes away this, and only where it is still so. */
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Entry {
  readonly path: string;
  readonly sha256: string;
  /** What was there before us, under its other name. */
  readonly backup?: string;
  /** The topmost folder that was made for it. */
  readonly folder?: string;
}

const FOLDER = "/var/lib/ipvlan/install";

/** Paths in it are those without the root. */
export class Manifest {
  readonly #path: string;

  constructor(root: string, target: string) {
    this.#path = join(root, FOLDER, `${target}.json`);
  }

  read(): readonly Entry[] {
    try {
      return JSON.parse(readFileSync(this.#path, "utf8")) as readonly Entry[];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  write(entries: readonly Entry[]): void {
    const folder = dirname(this.#path);
    if (entries.length === 0) {
      rmSync(this.#path, { force: true });
      for (const one of [folder, dirname(folder)]) removeIfEmpty(one);
      return;
    }
    mkdirSync(folder, { recursive: true });
    const draft = `${this.#path}.new`;
    writeFileSync(draft, `${JSON.stringify(entries, null, 2)}\n`);
    renameSync(draft, this.#path);
  }
}

/** The folder of a file that is gone, and those above it that were made for it. */
export function removeFolders(folder: string, topmost: string): void {
  for (let one = folder; one.startsWith(topmost); one = dirname(one)) removeIfEmpty(one);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!STAYS.includes(code ?? "")) throw error;
  }
}
/** It has others' files, it is gone, or something is mounted there. */
const STAYS = ["ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY"];
