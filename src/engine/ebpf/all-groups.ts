/**
 * A network card passes only the groups that its own stack has joined, and slaves have joined others. So the master
 * takes all of them (`allmulticast on`), also while no daemon runs; a file says that it was us who wanted that.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { getLink, IFF_ALLMULTI, setLink } from "../../linux/netlink/link.ts";
import { NetlinkError, type NetlinkSocket } from "../../linux/netlink/socket.ts";

const markOf = (stateDir: string, port: number): string => `${stateDir}/allmulticast-${port}`;

/** `socket`: rtnetlink in the master's namespace. */
export function takeAllGroups(
  socket: NetlinkSocket,
  master: number,
  stateDir: string,
  port: number,
): void {
  if (((getLink(socket, master)?.flags ?? 0) & IFF_ALLMULTI) !== 0) return;
  writeFileSync(markOf(stateDir, port), "");
  setLink(socket, master, { allMulti: true });
}

export function giveBackGroups(
  socket: NetlinkSocket,
  master: number,
  stateDir: string,
  port: number,
): void {
  const mark = markOf(stateDir, port);
  if (!existsSync(mark)) return;
  try {
    setLink(socket, master, { allMulti: false });
    rmSync(mark);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error; // it is elsewhere, and takes all groups there
  }
}
