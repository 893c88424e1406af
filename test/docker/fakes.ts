/** A driver without a kernel: the daemon and the devices are tables, the state is a file in a folder of its own. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ControlFailure } from "../../src/client/client.ts";
import type { CreateLink, LinkInfo } from "../../src/daemon/control.ts";
import { Driver, type Slaves } from "../../src/docker/driver.ts";
import type { Parents } from "../../src/docker/parents.ts";
import { State } from "../../src/docker/state.ts";
import type { Link } from "../../src/linux/netlink/link.ts";

type Slave = Omit<CreateLink, "netns"> & { here: boolean };

export class Fakes {
  /** By label. */
  readonly made: Map<string, Slave> = new Map();
  /** Names of devices. */
  readonly devices: Set<string>;
  /** What the next slave is refused with. */
  refusal: Error | undefined;
  readonly #folder: string = mkdtempSync(join(tmpdir(), "ipvlan-docker-"));
  readonly file: string = join(this.#folder, "var/docker/state.json");

  constructor(devices: readonly string[]) {
    this.devices = new Set(devices);
  }

  /** Each is another process: all it knows is what the file says. */
  driver(): Driver {
    return new Driver(new State(this.file), this.slaves, this.parents);
  }

  readonly slaves: Slaves = {
    create: async (link) => {
      if (this.refusal !== undefined) throw this.refusal;
      if (this.made.has(link.label!)) throw failure("EEXIST", `there is a slave for ${link.label}`);
      this.made.set(link.label!, { ...link, here: true });
    },
    removeLabelled: async (label) => void this.made.delete(label),
    list: async () =>
      Array.from(this.made, ([label, { name, here }]) => ({ label, name, here }) as LinkInfo),
  };

  readonly parents: Parents = {
    find: (name) =>
      this.devices.has(name) ? ({ name, flags: name === "lo" ? 0x8 : 0 } as Link) : undefined,
    make: (name) => void this.devices.add(name),
    remove: (name) => void this.devices.delete(name),
  };

  /** From now on the state cannot be written, until what this returns is called. */
  breakState(): () => void {
    const folder = dirname(this.file);
    mkdirSync(folder, { recursive: true });
    renameSync(folder, `${folder}.away`);
    writeFileSync(folder, "a file where the folder should be");
    return () => {
      rmSync(folder);
      renameSync(`${folder}.away`, folder);
    };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const failure = (code: string, extack: string): ControlFailure =>
  new ControlFailure({ code, errno: 0, message: code, extack });
