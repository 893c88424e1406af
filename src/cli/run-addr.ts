/**
 * `addr add`: carried out by the system's `ip`, unless the driver would refuse the address, or has no room for it: it
 * would be set then, and no frame for it would arrive.
 */

import type { Daemons } from "../client/client.ts";
import { formatPrefix } from "../wire/address.ts";
import { explained } from "../words/errors.ts";
import { type AddressAdd, isTaken } from "./addr-add.ts";
import { type Call, passLineOn } from "./call.ts";

export async function addAddress(request: AddressAdd, call: Call): Promise<number> {
  const refusal = await findRefusal(request, call.daemons);
  if (refusal !== undefined) throw explained(refusal);
  return passLineOn(call);
}

/** In the kernel's words, where it has any. */
export async function findRefusal(
  request: AddressAdd,
  daemons: Daemons,
): Promise<string | undefined> {
  const home = await daemons.find(request.name);
  if (home === undefined) return undefined;
  const homes = await daemons.homes();
  const links = homes.filter(({ client }) => client === home.client).map(({ link }) => link);
  if (isTaken(links, home.link, request.address))
    return "Address already assigned to an ipvlan device";
  const isNew = !home.link.addresses.includes(formatPrefix(request.address));
  return isNew && home.link.room <= 0 ? "Too many addresses: the ipvlan port is full" : undefined;
}
