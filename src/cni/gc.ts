/** GC: takes away the network's slaves that belong to no attachment that the runtime knows. */
import { askIpam } from "./ipam.ts";
import type { Request } from "./request.ts";
import { HOST, labelOf, listSlaves, networkLabel, removeSlave } from "./slave.ts";

export async function collect({ config }: Request): Promise<void> {
  const { name, validAttachments, ipam, text } = config;
  const valid = validAttachments.map((one) => labelOf(name, one.containerID, one.ifname));
  const labels = (await listSlaves(HOST)).map(({ label = "" }) => label);
  const stale = labels.filter((one) => one.startsWith(networkLabel(name)) && !valid.includes(one));
  for (const label of stale) await removeSlave(label);
  if (ipam !== "") await askIpam(ipam, "GC", text);
}
