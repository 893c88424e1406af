/**
 * What of a port outlives its daemon: its maps, and the links by which its programs hang at the master and the pair.
 * They are files of a bpffs of our own, `bpf/PORT/NAME` in the daemon's folder.
 */
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import {
  mountBpffs,
  openPinned,
  type PinnedKind,
  pin,
  pinnedKind,
  unmountBpffs,
} from "../../linux/bpf/links.ts";
import { close } from "../../linux/sys.ts";

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

  /**
   * A descriptor of what is pinned under the name, which is the caller's to close; undefined for something else than
   * we would pin there.
   */
  open(name: string, kind: PinnedKind): number | undefined {
    const path = this.#path(name);
    if (!existsSync(path) || statSync(path).isDirectory()) return undefined;
    const fd = openPinned(path);
    if (fd === undefined || pinnedKind(fd) === kind) return fd;
    close(fd);
    return undefined;
  }
  /** Instead of what has the name now. */
  set(name: string, fd: number): void {
    this.remove(name);
    pin(fd, this.#path(name));
  }
  remove(name: string): void {
    rmSync(this.#path(name), { recursive: true, force: true });
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }
}

/** With them ends what hangs by a link. */
export function removePins(stateDir: string, port: number): void {
  rmSync(folderOf(stateDir, port), { recursive: true, force: true });
}

/** Of all ports, the bpffs too. */
export const removeAllPins = (stateDir: string): void => unmountBpffs(bpffs(stateDir));
