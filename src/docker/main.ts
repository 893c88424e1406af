/** The driver's process: `ipvlan docker run`. It may end and start at any time; containers do not notice. */
import { mkdirSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openLog } from "../daemon/log.ts";
import { Driver } from "./driver.ts";
import { GRACE_MS, listDockerNetworks, Orphans } from "./orphans.ts";
import { systemParents } from "./parents.ts";
import { buildServer } from "./server.ts";
import { DaemonWatch, daemonSlaves } from "./slaves.ts";
import { State } from "./state.ts";

/** dockerd looks for drivers here, by their names. */
export const PLUGIN_SOCKET = "/run/docker/plugins/ipvl.sock";
const STATE_FILE = "/var/lib/ipvlan/docker/state.json";
/** Until dockerd lists a network that it has just made. */
const LISTED_MS = 2000;
/** For the answers to what was asked before the end. Whoever has asked by halves is not waited for longer. */
const CLOSING_MS = 3000;

/** Serves until a signal ends it; resolves at once to false if another driver serves. */
export async function runDriver(script: string): Promise<boolean> {
  const log = openLog();
  if (await isServed(PLUGIN_SOCKET)) return false;
  const slaves = daemonSlaves(script);
  const driver = new Driver(new State(STATE_FILE), slaves, systemParents);
  const orphans = new Orphans(driver, slaves, listDockerNetworks);
  const attempt = (action: Promise<void>): Promise<void> =>
    action.catch((error: Error) => log.error(error.message));
  await attempt(driver.restoreParents());

  const server = buildServer(driver, log);
  let soon: NodeJS.Timeout | undefined;
  const collect = () => attempt(orphans.collect(Date.now()));
  server.addHook("onResponse", async ({ url }) => {
    if (!url.endsWith(".CreateNetwork")) return;
    clearTimeout(soon);
    soon = setTimeout(collect, LISTED_MS);
  });
  const ending = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => resolve());
  });
  await server.ready();
  await listen(server.server);
  log.info({ socket: PLUGIN_SOCKET }, "driver started");
  const isNeeded = () => driver.state.endpoints.some(({ isJoined }) => isJoined);
  const watch = new DaemonWatch(isNeeded, () => slaves.list());
  const timer = setInterval(collect, GRACE_MS);
  void collect();

  await ending;
  clearInterval(timer);
  clearTimeout(soon);
  watch.close();
  await Promise.race([server.close(), sleep(CLOSING_MS)]); // the socket's file goes at once
  log.info("driver stopped");
  return true;
}

const isServed = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(path);
    connection.on("connect", () => resolve(true)).on("error", () => resolve(false));
    connection.on("connect", () => connection.destroy());
  });

function listen(server: Server): Promise<void> {
  mkdirSync(dirname(PLUGIN_SOCKET), { recursive: true, mode: 0o755 });
  rmSync(PLUGIN_SOCKET, { force: true }); // of a driver that was killed
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(PLUGIN_SOCKET, resolve);
  });
}
