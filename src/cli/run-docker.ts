/** `docker run`: the network driver for the dockerd of a network namespace. */
import { demandPrivilege } from "../client/privilege.ts";
import { STATUS_SERVED } from "../client/start-daemon.ts";
import { runDriver } from "../docker/main.ts";
import { UsageError } from "../words/errors.ts";
import type { Call } from "./call.ts";
import { passOn } from "./system-ip.ts";

export async function runDocker(call: Call): Promise<number> {
  if (call.options.netns !== undefined)
    return passOn("nsenter", [`--net=${call.netns}`, process.execPath, call.self, "docker", "run"]);
  demandPrivilege();
  if (await runDriver(call.self)) process.exit(0); // with connections that are still open
  throw new UsageError("ipvlan: another driver serves dockerd here", STATUS_SERVED);
}
