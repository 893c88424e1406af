/** What `docker network create -o` may say, with libnetwork's names, defaults and refusals. */
import { type Flag, flags, type Mode, modes } from "../driver/settings.ts";

export interface NetworkOptions {
  /** Undefined: the network is to have a master of its own. */
  readonly parent?: string;
  readonly mode: Mode;
  readonly flag: Flag;
  readonly mtu?: number;
}

/** libnetwork puts it before what it means for any driver: `com.docker.network.driver.mtu`. */
const PREFIX = "com.docker.network.driver.";
const MTU_MIN = 68;
const MTU_MAX = 65_535;

/** `said`: CreateNetwork's com.docker.network.generic. Names that mean nothing here are passed over, as in libnetwork. */
export function readOptions(said: Readonly<Record<string, unknown>>): NetworkOptions {
  const find = (name: string): string | undefined => {
    const value = said[name] ?? said[PREFIX + name] ?? "";
    if (typeof value !== "string")
      throw new Error(
        `option ${name} is ${JSON.stringify(value)}, it is a string where it is said`,
      );
    return value === "" ? undefined : value;
  };
  const parent = find("parent");
  const mode = find("ipvlan_mode") ?? "l2";
  const flag = find("ipvlan_flag") ?? "bridge";
  const mtu = find("mtu");
  if (!isOneOf(modes, mode))
    throw new Error(
      `requested ipvlan mode '${mode}' is not valid, 'l2' mode is the ipvlan driver default`,
    );
  if (!isOneOf(flags, flag))
    throw new Error(
      `requested ipvlan flag '${flag}' is not valid, 'bridge' flag is the ipvlan driver default`,
    );
  return {
    mode,
    flag,
    ...(parent !== undefined && { parent }),
    ...(mtu !== undefined && { mtu: readMtu(mtu) }),
  };
}

const isOneOf = <Name extends string>(
  names: Readonly<Record<Name, unknown>>,
  word: string,
): word is Name => Object.hasOwn(names, word);

function readMtu(text: string): number {
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (mtu < MTU_MIN || mtu > MTU_MAX)
    throw new Error(`requested mtu '${text}' is not valid, it is ${MTU_MIN} to ${MTU_MAX}`);
  return mtu;
}
