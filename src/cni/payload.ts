/**
 * The files that cannot be in one file with the plugin: the foreign function library, the daemon, its worker and its
 * programs. They stand packed in the last line of the plugin's own file (`scripts/build-cni.ts`), and are laid out in
 * a folder once for each build, under the build's hash.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { demandPrivilege } from "../client/privilege.ts";

/** Of the packed files; put in by the build. */
declare const PAYLOAD_HASH: string;

/** What the last line of the plugin starts with. */
const MARK = "\n//payload:";

/** Not in /run, from where nothing may be executed on many systems. */
const USUAL = "/var/lib/ipvlan";

/** Where the files are; laid out if this is the first time, but not for who may not do what they are for. */
export function getPayload(): string {
  demandPrivilege();
  const places = [USUAL, join(homedir(), ".local/share/ipvlan")];
  for (const [at, place] of places.entries()) {
    const folder = join(place, PAYLOAD_HASH);
    try {
      if (!isOurs(folder)) layOut(place, folder);
      return folder;
    } catch (error) {
      // Root of a user namespace may not write to /var.
      const { code } = error as NodeJS.ErrnoException;
      if (!["EACCES", "EPERM", "EROFS"].includes(code ?? "") || at === places.length - 1)
        throw error;
    }
  }
  throw new Error("no folder for the plugin's files");
}

/** A module among the files. */
export const loadFrom = <Module>(folder: string, name: string): Promise<Module> =>
  import(pathToFileURL(join(folder, name)).href) as Promise<Module>;

function isOurs(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (found.isDirectory() && found.uid === process.geteuid!() && (found.mode & 0o022) === 0)
    return true;
  throw new Error(`${folder} is not ours alone: remove it`);
}

/** All of it or nothing, also where two do it at once: the second finds the first's. */
function layOut(place: string, folder: string): void {
  mkdirSync(place, { recursive: true, mode: 0o755 });
  removeAbandoned(place);
  const draft = mkdtempSync(join(place, `${DRAFT}${process.pid}-`));
  try {
    for (const [name, content] of Object.entries(unpack())) {
      const path = join(draft, name);
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      writeFileSync(path, Buffer.from(content, "base64"), { mode: 0o644 });
    }
    chmodSync(draft, 0o755);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (!["ENOTEMPTY", "EEXIST"].includes(code ?? "") || !isOurs(folder)) throw error;
  }
}

/** What a draft's name starts with, before the id of the process that makes it. */
const DRAFT = ".new-";

/** Drafts of plugins that were killed. Who shares the folder is taken to share the process ids, too. */
function removeAbandoned(place: string): void {
  const drafts = readdirSync(place).filter((name) => name.startsWith(DRAFT));
  for (const name of drafts)
    if (!existsSync(`/proc/${Number.parseInt(name.slice(DRAFT.length), 10)}`))
      rmSync(join(place, name), { recursive: true, force: true });
}

function unpack(): Readonly<Record<string, string>> {
  const self = readFileSync(__filename, "latin1");
  const packed = Buffer.from(self.slice(self.lastIndexOf(MARK) + MARK.length).trim(), "base64");
  const hash = createHash("sha256").update(packed).digest("hex").slice(0, PAYLOAD_HASH.length);
  if (hash !== PAYLOAD_HASH) throw new Error(`${__filename} is damaged`);
  return JSON.parse(brotliDecompressSync(packed).toString()) as Record<string, string>;
}
