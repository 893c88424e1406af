/**
 * The daemon of one network namespace: `ipvlan daemon run`.
 *
 * How it ends, told to by a request or by a signal: it takes no more connections and cuts off who asks now, as if it
 * were gone; what was asked before is done; the ports are closed or removed, then the folder; the request is answered.
 * Its connection ends with the process, so who waits for that knows that nothing of the daemon is left.
 */
import { chmodSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { Logger } from "pino";
import type { EngineChoice } from "../engine/engine.ts";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { buildApi, CONNECTIONS_MAX } from "./api.ts";
import { openLog } from "./log.ts";
import {
  becomeTheDaemon,
  findPlaces,
  openPrivateNetns,
  type Places,
  removePlaces,
} from "./places.ts";
import { OWN_NETNS } from "./ports.ts";
import { Registry } from "./registry.ts";
import { Witness, watchHolders } from "./witness.ts";

/** Serves until it is told to stop; resolves at once to false if another daemon serves this namespace. */
export async function runDaemon(engine: EngineChoice): Promise<boolean> {
  const log = openLog();
  const places = findPlaces();
  if (!(await becomeTheDaemon(places))) return false;
  const privateNetns = openPrivateNetns(places, log);
  const registry = new Registry({
    privateNetns,
    socket: withNetns(privateNetns, () => NetlinkSocket.open()),
    stateDir: places.dir,
    onDeath: (error) => {
      log.fatal({ err: error }, "the data path has died");
      throw error;
    },
    engine,
    log,
  });
  try {
    await serve(registry, places, log);
    return true;
  } catch (error) {
    await registry.close(false); // threads that run would keep this process alive
    throw error;
  }
}

async function serve(registry: Registry, places: Places, log: Logger): Promise<void> {
  await registry.adopt();
  let stopping: Promise<void> | undefined;
  const stop = (remove: boolean): Promise<void> => {
    stopping ??= (async () => {
      api.server.close();
      await registry.close(remove);
      if (registry.ports.length === 0) removePlaces(places);
      log.info({ remove }, "daemon stopped");
    })();
    return stopping;
  };
  let end!: () => void;
  let fail!: (error: unknown) => void;
  const ended = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  const isStopping = () => stopping !== undefined;
  const api = buildApi({ registry, isStopping, stop, end, log });
  for (const signal of ["SIGINT", "SIGTERM"])
    process.once(signal, () => stop(false).then(end, fail));
  await api.ready();
  await listen(api.server, places);
  log.info({ dir: places.dir }, "daemon started");
  const own = new Witness(OWN_NETNS);
  const holders = watchHolders(() => own.isHeld() || stop(true).then(end, fail));
  await ended;
  holders.close();
}

function listen(server: Server, { socket, handed }: Places): Promise<void> {
  if (handed === undefined) rmSync(socket, { force: true }); // of a daemon that was killed
  const where = handed === undefined ? { path: socket } : { fd: handed };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog: CONNECTIONS_MAX }, () => {
      if (handed === undefined) chmodSync(socket, 0o600);
      resolve();
    });
  });
}
