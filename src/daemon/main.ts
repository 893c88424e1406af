/** The daemon of one network namespace: `ipvlan daemon run`. */
import { chmodSync, rmSync } from "node:fs";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { buildApi } from "./api.ts";
import { becomeTheDaemon, findPlaces, openPrivateNetns, removePlaces } from "./places.ts";
import { Registry } from "./registry.ts";

/** Serves until it is told to stop; resolves at once to false if another daemon serves this namespace. */
export async function runDaemon(): Promise<boolean> {
  const places = findPlaces();
  if (!becomeTheDaemon(places)) return false;
  const privateNetns = openPrivateNetns(places);
  const registry = new Registry({
    privateNetns,
    socket: withNetns(privateNetns, () => NetlinkSocket.open()),
    stateDir: places.dir,
    onDeath: (error) => {
      throw error;
    },
  });
  await registry.adopt(`/proc/${process.pid}/ns/net`);
  const stopped = new Promise<boolean>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => resolve(false));
    const api = buildApi(registry, resolve);
    rmSync(places.socket, { force: true }); // of a daemon that was killed
    void api.listen({ path: places.socket }).then(() => chmodSync(places.socket, 0o600));
  });
  const remove = await stopped;
  // The socket answers to the last: when it no longer does, everything has been done.
  await registry.close(remove);
  if (registry.ports.length === 0) removePlaces(places);
  else rmSync(places.socket, { force: true });
  return true;
}
