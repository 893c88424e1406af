/**
 * What of a port outlives its daemon: its maps, and the links by which its programs hang at the master and the pair.
 * They are files of a bpffs of our own, `bpf/PORT/NAME` in the daemon's folder.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { mountBpffs, openPinned, pin, unmountBpffs } from "../../linux/bpf/links.ts";

const bpffs = (stateDir: string): string => `${stateDir}/bpf`;
const folderOf = (stateDir: string, port: number): string => `${bpffs(stateDir)}/${port}`;

export class Pins {
  readonly #folder: string;

  /** Mounts the bpffs if it is not. */
  constructor(stateDir: string, port: number) {
    mountBpffs(bpffs(stateDir));
    this.#folder = folderOf(stateDir, port);
    mkdirSync(this.#folder, { recursive: true });
  }

  /** A descriptor of what is pinned under the name, which is the caller's to close. */
  open(name: string): number | undefined {
    return openPinned(this.#path(name));
  }
  /** Instead of what has the name now. */
  set(name: string, fd: number): void {
    this.remove(name);
    pin(fd, this.#path(name));
  }
  remove(name: string): void {
    if (existsSync(this.#path(name))) unlinkSync(this.#path(name));
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }
}

/** With them ends what hangs by a link. */
export function removePins(stateDir: string, port: number): void {
  const folder = folderOf(stateDir, port);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) unlinkSync(`${folder}/${name}`);
  rmdirSync(folder);
}

/** Of all ports, the bpffs too. */
export const removeAllPins = (stateDir: string): void => unmountBpffs(bpffs(stateDir));
