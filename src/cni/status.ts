/** STATUS: whether an ADD would find what it needs. */
import { CniError, CODE, inOneLine } from "./errors.ts";
import { askIpam } from "./ipam.ts";
import { getPayload, loadFrom } from "./payload.ts";
import type { Request } from "./request.ts";

export async function status({ config }: Request): Promise<void> {
  try {
    (await loadFrom<typeof import("./probe.ts")>(getPayload(), "probe.js")).tryDevices();
  } catch (error) {
    throw new CniError(CODE.unavailable, `no slave can be made: ${inOneLine(error)}`);
  }
  if (config.ipam !== "") await askIpam(config.ipam, "STATUS", config.text);
}
