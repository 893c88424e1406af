/** All grounds by name. Each is made when it is first asked for, once; one that cannot be is refused every time. */
import type { RealColumn } from "./columns.ts";
import type { Ground } from "./ground.ts";
import { type Engine, ipvlan } from "./ground-ipvlan.ts";
import { bridge, macvlan, plainVeth } from "./ground-kernel.ts";
import { slirp, vde } from "./ground-programs.ts";

/** Those whose port may have a crowd of slaves. */
export const CROWDED = ["macvlan", "bridge", "ebpf", "userspace"] as const;
export type Crowded = (typeof CROWDED)[number];

export class Grounds {
  readonly #made: Map<string, Promise<Ground>> = new Map();

  veth(): Promise<Ground> {
    return this.#get("veth", plainVeth);
  }

  /** Two slaves in L2, or what they are elsewhere. */
  pair(column: RealColumn): Promise<Ground> {
    if (column === "vde2") return this.#get(column, vde);
    if (column === "slirp4netns") return this.#get(column, slirp);
    return this.crowd(column, 0);
  }

  l3(engine: Engine): Promise<Ground> {
    return this.#get(`${engine}-l3`, (name) => ipvlan(name, { engine, mode: "l3", crowd: 0 }));
  }

  /** `count` slaves besides the two. */
  crowd(column: Crowded, count: number): Promise<Ground> {
    return this.#get(`${column}-${count}`, (name) => {
      if (column === "macvlan") return macvlan(name, count);
      if (column === "bridge") return bridge(name, count);
      return ipvlan(name, { engine: column, mode: "l2", crowd: count });
    });
  }

  async close(): Promise<void> {
    for (const made of await Promise.allSettled(this.#made.values()))
      if (made.status === "fulfilled") for (const carrier of made.value.carriers) carrier.kill();
  }

  #get(name: string, make: (name: string) => Promise<Ground>): Promise<Ground> {
    const made = this.#made.get(name) ?? make(name);
    this.#made.set(name, made);
    return made;
  }
}
