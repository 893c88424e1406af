/** DEL: takes away what ADD made, and only that; fine if there is nothing of it any more. */
import { askIpam } from "./ipam.ts";
import type { Request } from "./request.ts";
import { labelOfRequest, removeSlave } from "./slave.ts";

export async function del(request: Request): Promise<void> {
  const { ipam, text } = request.config;
  // First, as a lease is given back through the slave; and the slave goes even if that fails.
  const [released] = await Promise.allSettled([
    ipam === "" ? undefined : askIpam(ipam, "DEL", text),
  ]);
  await removeSlave(labelOfRequest(request));
  if (released?.status === "rejected") throw released.reason;
}
