/** The daemon of one network namespace: `ipvlan daemon run`. */
import { chmodSync, rmSync } from "node:fs";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { currentNetns, withNetns } from "../linux/netns.ts";
import { buildApi } from "./api.ts";
import {
  becomeTheDaemon,
  findPlaces,
  openPrivateNetns,
  type Places,
  removePlaces,
} from "./places.ts";
import { Registry } from "./registry.ts";
import { Witness, watchHolders } from "./witness.ts";

/** Serves until it is told to stop; resolves at once to false if another daemon serves this namespace. */
export async function runDaemon(): Promise<boolean> {
  const places = findPlaces();
  if (!(await becomeTheDaemon(places))) return false;
  const privateNetns = openPrivateNetns(places);
  const registry = new Registry({
    privateNetns,
    socket: withNetns(privateNetns, () => NetlinkSocket.open()),
    stateDir: places.dir,
    onDeath: (error) => {
      throw error;
    },
  });
  try {
    return await serve(registry, places);
  } catch (error) {
    await registry.close(false); // threads that run would keep this process alive
    throw error;
  }
}

async function serve(registry: Registry, places: Places): Promise<boolean> {
  await registry.adopt();
  const { promise: stopped, stop } = stopSignal();
  const api = buildApi({ registry, stop });
  rmSync(places.socket, { force: true }); // of a daemon that was killed
  await api.listen({ path: places.socket });
  chmodSync(places.socket, 0o600);
  const own = new Witness(currentNetns());
  const holders = watchHolders(() => own.isHeld() || stop(true));
  const remove = await stopped;
  holders.close();
  // The socket answers to the last: when it no longer does, everything has been done.
  await registry.close(remove);
  await api.close();
  if (registry.ports.length === 0) removePlaces(places);
  return true;
}

/** `promise`: whether to remove everything, once somebody wants this daemon to end. */
function stopSignal(): { promise: Promise<boolean>; stop: (remove: boolean) => void } {
  let stop!: (remove: boolean) => void;
  const promise = new Promise<boolean>((resolve) => {
    stop = resolve;
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop(false));
  return { promise, stop };
}
