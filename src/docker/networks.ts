/** A network: what dockerd says of it, what it is to containers, and beside which others it may be. */
import { BlockList, isIP } from "node:net";
import { readOptions } from "./options.ts";
import { demandParent, ownParent, type Parents } from "./parents.ts";
import type { CreateNetwork, JoinAnswer } from "./protocol.ts";
import type { Endpoint, Network, Subnet } from "./state.ts";

/** Throws in words for who typed `docker network create`. Makes nothing. */
export function readNetwork(
  { NetworkID: id, Options = {}, IPv4Data, IPv6Data }: CreateNetwork,
  others: readonly Network[],
  parents: Parents,
): Network {
  const { parent = ownParent(id), ...ways } = readOptions(
    Options["com.docker.network.generic"] ?? {},
  );
  const isOwn = parent === ownParent(id);
  const isMissing = isOwn || demandParent(parents, parent) === "missing";
  const beside = others.filter((one) => one.parent === parent && one.id !== id);
  const unlike = beside.find(({ mode, flag }) => mode !== ways.mode || flag !== ways.flag);
  if (unlike !== undefined) throw new Error(isTaken(unlike));
  return {
    id,
    parent,
    isParentOurs: isMissing || beside.some(({ isParentOurs }) => isParentOurs),
    ...ways,
    isInternal: Options["com.docker.network.internal"] === true,
    subnets: [...(IPv4Data ?? []), ...(IPv6Data ?? [])].map(
      ({ Pool, Gateway }): Subnet => ({
        pool: Pool ?? "",
        ...(Gateway !== undefined && Gateway !== "" && { gateway: Gateway }),
      }),
    ),
    isListed: false,
  };
}

/** By the beginning of the id, as `docker network ls` shows it. */
const isTaken = ({ id, parent, mode, flag }: Network): string =>
  `network ${id.slice(0, 12)} is already using parent interface ${parent} in mode ${mode} ${flag}: ` +
  "all networks of a parent have the same mode and flag";

/**
 * How the container gets out. In l2 by the gateway; in l3 and l3s by the device, since nobody on the link answers for
 * others. Without any of the two dockerd would add an interface of its own.
 */
export function wayOut(network: Network, endpoint: Endpoint): Partial<JoinAnswer> {
  if (network.isInternal) return { DisableGatewayService: true };
  if (network.mode !== "l2")
    return {
      DisableGatewayService: true,
      StaticRoutes: endpoint.addresses.map((address) => ({
        Destination: familyOf(address) === "ipv4" ? "0.0.0.0/0" : "::/0",
        RouteType: ON_LINK,
        NextHop: "",
      })),
    };
  const find = (family: Family) =>
    endpoint.addresses
      .filter((address) => familyOf(address) === family)
      .map((address) => findGateway(network.subnets, address))[0];
  const [Gateway, GatewayIPv6] = [find("ipv4"), find("ipv6")];
  return {
    ...(Gateway === undefined ? { DisableGatewayService: true } : { Gateway }),
    ...(GatewayIPv6 !== undefined && { GatewayIPv6 }),
  };
}
const ON_LINK = 1;

type Family = "ipv4" | "ipv6";

const hostOf = (address: string): string => address.split("/")[0]!;
const familyOf = (address: string): Family => (isIP(hostOf(address)) === 6 ? "ipv6" : "ipv4");

/** That of the subnet which the address is of, without prefix length. */
function findGateway(subnets: readonly Subnet[], address: string): string | undefined {
  const gateway = subnets.find(({ pool }) => contains(pool, address))?.gateway;
  return gateway === undefined ? undefined : hostOf(gateway);
}

function contains(pool: string, address: string): boolean {
  const family = familyOf(address);
  const [net = "", length = ""] = pool.split("/");
  if (isIP(net) === 0 || familyOf(net) !== family || !/^\d+$/.test(length)) return false;
  const list = new BlockList();
  list.addSubnet(net, Number(length), family);
  return list.check(hostOf(address), family);
}
