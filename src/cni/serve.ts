/** The daemon that the plugin starts where none serves the host; `../client/daemon-words.ts` calls it. */
import { STATUS_SERVED } from "../client/start-daemon.ts";
import { runDaemon } from "../daemon/main.ts";
import { ENGINE_CHOICES } from "../engine/engine.ts";

const { IPVLAN_ENGINE = "auto" } = process.env;
const engine = ENGINE_CHOICES.find((one) => one === IPVLAN_ENGINE);
if (engine === undefined) {
  process.stderr.write(`IPVLAN_ENGINE is none of ${ENGINE_CHOICES.join(", ")}\n`);
  process.exit(1);
}
process.exit((await runDaemon(engine)) ? 0 : STATUS_SERVED);
