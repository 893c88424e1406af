/**
 * The small numbers by which one network namespace knows another. They mean something only in the namespace
 * that gave them, which is the socket's. man: ip-netns(8); kernel: net/core/net_namespace.c.
 */
import { AttrWriter, attrs } from "./codec.ts";
import { RTM_GETNSID, RTM_NEWNSID } from "./constants.ts";
import type { NetlinkSocket } from "./socket.ts";

const NETNSA_NSID = 1;
const NETNSA_PID = 2;
const NETNSA_FD = 3;
/** Asks the kernel to choose a number; as an answer: none was given. */
const NOT_ASSIGNED = -1;

/** struct rtgenmsg, padded. */
const request = (): AttrWriter => new AttrWriter(new Uint8Array(4));

/** The id of the namespace a descriptor is open on; undefined: it has none here. */
export const nsidOfFd = (socket: NetlinkSocket, netnsFd: number): number | undefined =>
  askNsid(socket, request().u32(NETNSA_FD, netnsFd), `id of namespace ${netnsFd}`);

/** The id of the namespace a process lives in. */
export const nsidOfPid = (socket: NetlinkSocket, pid: number): number | undefined =>
  askNsid(socket, request().u32(NETNSA_PID, pid), `id of the namespace of process ${pid}`);

/** Gives a namespace an id (`id`, or one of the kernel's choice) unless it has one; tells which it has. */
export function assignNsid(socket: NetlinkSocket, netnsFd: number, id?: number): number {
  const doing = `give namespace ${netnsFd} an id`;
  const wanted = request()
    .u32(NETNSA_FD, netnsFd)
    .u32(NETNSA_NSID, id ?? NOT_ASSIGNED);
  try {
    socket.request(RTM_NEWNSID, 0, wanted.finish(), doing);
  } catch (error) {
    const given = nsidOfFd(socket, netnsFd);
    if (given === undefined || (id !== undefined && given !== id)) throw error;
    return given;
  }
  return nsidOfFd(socket, netnsFd)!;
}

/** Adds the id of another namespace to a request for what is in there. */
export function writeTarget(w: AttrWriter, type: number, nsid: number | undefined): AttrWriter {
  if (nsid === undefined) return w;
  // Given -1, "own namespace" in events, the kernel would silently list the socket's own.
  if (!Number.isInteger(nsid) || nsid < 0) throw new RangeError(`no namespace has the id ${nsid}`);
  return w.u32(type, nsid);
}

function askNsid(socket: NetlinkSocket, w: AttrWriter, doing: string): number | undefined {
  const [answer] = socket.request(RTM_GETNSID, 0, w.finish(), doing);
  const nsid = answer && attrs(answer.payload, 4).get(NETNSA_NSID)?.i32();
  return nsid === NOT_ASSIGNED ? undefined : nsid;
}
