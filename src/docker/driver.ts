/**
 * The driver: what becomes of each of dockerd's requests. dockerd asks again what it has had no answer to, so all of
 * them may come twice. One at a time: what is known and what there is change together.
 */
import { ControlFailure } from "../client/client.ts";
import type { CreateLink, LinkInfo } from "../daemon/control.ts";
import { readNetwork, wayOut } from "./networks.ts";
import type { Parents } from "./parents.ts";
import type {
  CreateEndpoint,
  CreateNetwork,
  JoinAnswer,
  OfEndpoint,
  OfNetwork,
} from "./protocol.ts";
import type { Endpoint, Network, State } from "./state.ts";

/** The daemon of dockerd's network namespace, started where there is none. */
export interface Slaves {
  create(link: Omit<CreateLink, "netns">): Promise<void>;
  /** Tolerates that there is none. */
  removeLabelled(label: string): Promise<void>;
  list(): Promise<readonly LinkInfo[]>;
}

const LABEL = "docker/";
/** For whom a slave is made. */
export const labelOf = (endpointId: string): string => LABEL + endpointId;
/** Undefined: it was made for somebody else. */
export const findEndpointId = ({ label }: LinkInfo): string | undefined =>
  label?.startsWith(LABEL) ? label.slice(LABEL.length) : undefined;

/** What a slave is called until dockerd moves it: 15 bytes are all that a name may have. */
const sourceName = (endpointId: string): string => `dk-${endpointId.slice(0, 12)}`;

export class Driver {
  readonly state: State;
  readonly #slaves: Slaves;
  readonly #parents: Parents;
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: State, slaves: Slaves, parents: Parents) {
    this.state = state;
    this.#slaves = slaves;
    this.#parents = parents;
  }

  createNetwork(request: CreateNetwork): Promise<object> {
    return this.inTurn(async () => {
      const network = readNetwork(request, this.state.networks, this.#parents);
      const made = this.#makeParent(network);
      try {
        this.state.putNetwork(network);
      } catch (error) {
        throw undone(error as Error, () => {
          if (made) this.#parents.remove(network.parent);
        });
      }
      return {};
    });
  }

  deleteNetwork({ NetworkID }: OfNetwork): Promise<object> {
    return this.inTurn(async () => {
      this.removeNetwork(NetworkID);
      return {};
    });
  }

  createEndpoint(request: CreateEndpoint): Promise<object> {
    return this.inTurn(async () => {
      this.#getNetwork(request);
      const { Address = "", AddressIPv6 = "", MacAddress = "" } = request.Interface ?? {};
      if (MacAddress !== "")
        throw new Error(
          "ipvlan interfaces do not support custom mac address assignment: all have the MAC of their parent",
        );
      this.state.putEndpoint({
        id: request.EndpointID,
        networkId: request.NetworkID,
        addresses: [Address, AddressIPv6].filter((address) => address !== ""),
        isJoined: false,
        askedMs: Date.now(),
      });
      return { Interface: {} };
    });
  }

  join(request: OfEndpoint): Promise<JoinAnswer> {
    return this.inTurn(async () => {
      const network = this.#getNetwork(request);
      const endpoint = this.#getEndpoint(request);
      // Known before it is there: who is killed in between looks for it.
      this.state.putEndpoint({ ...endpoint, isJoined: true, askedMs: Date.now() });
      this.#makeParent(network);
      const SrcName = sourceName(endpoint.id);
      await this.#makeSlave(network, endpoint, SrcName);
      const InterfaceName = { SrcName, DstPrefix: "eth" };
      return { InterfaceName, ...wayOut(network, endpoint) };
    });
  }

  /** dockerd has the slave still, or is just giving it back. */
  async leave(): Promise<object> {
    return {};
  }

  deleteEndpoint({ EndpointID }: OfEndpoint): Promise<object> {
    return this.inTurn(async () => {
      await this.removeEndpoint(EndpointID);
      return {};
    });
  }

  async operInfo(): Promise<object> {
    return { Value: {} };
  }

  /** With its master, if that is ours and no other network's. */
  removeNetwork(id: string): void {
    const network = this.state.findNetwork(id);
    if (network === undefined) return;
    const { parent, isParentOurs } = network;
    const isShared = this.state.networks.some((one) => one.parent === parent && one.id !== id);
    if (isParentOurs && !isShared) this.#parents.remove(parent);
    try {
      this.state.dropNetwork(id);
    } catch (error) {
      throw undone(error as Error, () => this.#makeParent(network));
    }
  }

  /** With its slave, wherever that is. One that is not known any more may have a slave, too. */
  async removeEndpoint(id: string): Promise<void> {
    if (this.state.findEndpoint(id)?.isJoined !== false)
      await this.#slaves.removeLabelled(labelOf(id));
    this.state.dropEndpoint(id);
  }

  /** Masters that we made and that are gone: after a reboot all of them. */
  restoreParents(): Promise<void> {
    return this.inTurn(async () => {
      for (const network of this.state.networks) this.#makeParent(network);
    });
  }

  inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Whether there was none. */
  #makeParent({ parent, isParentOurs }: Network): boolean {
    if (!isParentOurs || this.#parents.find(parent) !== undefined) return false;
    this.#parents.make(parent);
    return true;
  }

  async #makeSlave(network: Network, endpoint: Endpoint, name: string): Promise<void> {
    const { parent: master, mode, flag, mtu } = network;
    const label = labelOf(endpoint.id);
    const request = {
      master,
      name,
      mode,
      flag,
      label,
      keep: true,
      ...(mtu !== undefined && { mtu }),
    };
    try {
      await this.#slaves.create(request);
    } catch (error) {
      if (!(error instanceof ControlFailure)) throw error;
      if (error.code === "EEXIST" && (await this.#isWaiting(endpoint.id, name))) return;
      throw new Error(`no interface on ${master}: ${error.extack ?? error.message}`);
    }
  }

  /** It was made when dockerd asked before, and dockerd has not taken it. */
  async #isWaiting(endpointId: string, name: string): Promise<boolean> {
    const links = await this.#slaves.list();
    const slave = links.find((link) => findEndpointId(link) === endpointId);
    return slave?.here === true && slave.name === name;
  }

  #getNetwork({ NetworkID }: OfNetwork): Network {
    const found = this.state.findNetwork(NetworkID);
    if (found === undefined) throw new Error(`network ${NetworkID} is not known to the driver`);
    return found;
  }

  #getEndpoint({ NetworkID, EndpointID }: OfEndpoint): Endpoint {
    const found = this.state.findEndpoint(EndpointID);
    if (found?.networkId === NetworkID) return found;
    throw new Error(`endpoint ${EndpointID} is not known to the driver`);
  }
}

/** The error, after what was done before it is undone; where that fails it says both. */
function undone(error: Error, undo: () => void): Error {
  try {
    undo();
    return error;
  } catch (another) {
    const { message } = another as Error;
    return new Error(`${error.message}; and what was done before stays: ${message}`, {
      cause: error,
    });
  }
}
