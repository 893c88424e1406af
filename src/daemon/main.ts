/** The daemon of one network namespace: `ipvlan daemon run`. */
import { chmodSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { NetlinkSocket } from "../linux/netlink/socket.ts";
import { withNetns } from "../linux/netns.ts";
import { buildApi } from "./api.ts";
import { findPlaces, openPrivateNetns } from "./places.ts";
import { Registry } from "./registry.ts";

/** Serves until it is told to stop; resolves at once to false if another daemon serves this namespace. */
export async function runDaemon(): Promise<boolean> {
  const places = findPlaces();
  if (await answers(places.socket)) return false;
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
  await new Promise<void>((resolve) => {
    const end = async (remove: boolean) => {
      await api.close();
      await registry.close(remove);
      rmSync(places.socket, { force: true });
      resolve();
    };
    const api = buildApi(registry, (remove) => void end(remove));
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end(false));
    rmSync(places.socket, { force: true });
    void api.listen({ path: places.socket }).then(() => chmodSync(places.socket, 0o600));
  });
  return true;
}

/** Whether somebody listens on a unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
