/** `addr add`: carried out by the system's `ip`, unless the driver would refuse the address. */
import { type AddressAdd, isTaken } from "./addr-add.ts";
import { type Call, passLineOn } from "./call.ts";
import type { Daemons } from "./client.ts";
import { explained } from "./errors.ts";

export async function addAddress(request: AddressAdd, call: Call): Promise<number> {
  if (await isRefused(request, call.daemons)) {
    throw explained("Address already assigned to an ipvlan device");
  }
  return passLineOn(call);
}

export async function isRefused(request: AddressAdd, daemons: Daemons): Promise<boolean> {
  const home = await daemons.find(request.name);
  if (home === undefined) return false;
  const homes = await daemons.homes();
  const links = homes.filter(({ client }) => client === home.client).map(({ link }) => link);
  return isTaken(links, home.link, request.address);
}
