/**
 * What nobody has told us is over. While the driver is down dockerd removes containers and networks without it, and a
 * dockerd that was killed forgets endpoints. So from time to time what is known is compared with what there is.
 */
import { request } from "node:http";
import type { LinkInfo } from "../daemon/control.ts";
import { type Driver, findEndpointId, type Slaves } from "./driver.ts";

/** Longer than dockerd takes from Join until it has the slave, or from CreateNetwork until it lists the network. */
export const GRACE_MS = 30_000;
/** How long an endpoint without a slave is kept: from CreateEndpoint to Join a busy dockerd may take its time. */
export const UNJOINED_MS = 300_000;
const ANSWER_MS_MAX = 5000;
const ANSWER_BYTES_MAX = 16_777_216;

export const DOCKER_SOCKET = "/run/docker.sock";

/** Ids of dockerd's networks; undefined: it does not say. */
export type ListNetworks = () => Promise<ReadonlySet<string> | undefined>;

export class Orphans {
  readonly #driver: Driver;
  readonly #slaves: Slaves;
  readonly #listNetworks: ListNetworks;
  /** Slaves of endpoints that we know nothing of: since when they have been seen with us. */
  #strays: ReadonlyMap<string, number> = new Map();

  constructor(driver: Driver, slaves: Slaves, listNetworks: ListNetworks) {
    this.#driver = driver;
    this.#slaves = slaves;
    this.#listNetworks = listNetworks;
  }

  async collect(nowMs: number): Promise<void> {
    // Not in turn: dockerd may wait for us before it answers.
    const listed = await this.#listNetworks();
    await this.#driver.inTurn(async () => {
      const { state } = this.#driver;
      const isAsked = state.endpoints.some(({ isJoined }) => isJoined) || this.#strays.size > 0;
      await this.#collectEndpoints(isAsked ? await this.#slaves.list() : [], nowMs);
      if (listed !== undefined) this.#collectNetworks(listed);
    });
  }

  async #collectEndpoints(links: readonly LinkInfo[], nowMs: number): Promise<void> {
    const { state } = this.#driver;
    const slaves = new Map(
      links.flatMap((link) => {
        const id = findEndpointId(link);
        return id === undefined ? [] : [[id, link] as const];
      }),
    );
    const strays = new Map<string, number>();
    for (const [id, { here }] of slaves) {
      if (!here) continue; // in its container, where it ends with it
      const known = state.findEndpoint(id)?.askedMs;
      const since = known ?? this.#strays.get(id) ?? nowMs;
      if (nowMs - since > GRACE_MS) await this.#driver.removeEndpoint(id);
      else if (known === undefined) strays.set(id, since);
    }
    this.#strays = strays;
    for (const { id, isJoined, askedMs } of state.endpoints)
      if (!slaves.has(id) && nowMs - askedMs > (isJoined ? GRACE_MS : UNJOINED_MS))
        state.dropEndpoint(id);
  }

  /** One that dockerd has never listed may be another dockerd's, or be in the making. */
  #collectNetworks(listed: ReadonlySet<string>): void {
    const { state } = this.#driver;
    for (const network of state.networks) {
      const hasEndpoints = state.endpoints.some(({ networkId }) => networkId === network.id);
      if (listed.has(network.id)) {
        if (!network.isListed) state.putNetwork({ ...network, isListed: true });
      } else if (network.isListed && !hasEndpoints) this.#driver.removeNetwork(network.id);
    }
  }
}

export const listDockerNetworks: ListNetworks = async () => {
  try {
    const networks = JSON.parse(await get("/networks")) as readonly { readonly Id: string }[];
    return new Set(networks.map(({ Id }) => Id));
  } catch {
    return undefined; // not there, not ours to ask, or not dockerd
  }
};

function get(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const asked = request({ socketPath: DOCKER_SOCKET, path, agent: false, signal });
    asked.on("error", reject);
    asked.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        if (text.length > ANSWER_BYTES_MAX) asked.destroy(new Error("too long an answer"));
      });
      response.on("error", reject).on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`dockerd answered ${response.statusCode}`));
      });
    });
    asked.end();
  });
}
