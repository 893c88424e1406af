/**
 * Traffic control, as much as it takes to lead frames from one device's ingress into another's: the way
 * into a device's own stack from outside it. man: tc-mirred(8). Of classifiers u32 is asked for, since small
 * kernels have that and not matchall, which would say the same. And programs of eBPF as filters that decide
 * ("direct action"), for kernels without tcx. man: tc-bpf(8).
 */
import { AttrWriter, attrs } from "./codec.ts";
import {
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELQDISC,
  RTM_DELTFILTER,
  RTM_GETTFILTER,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
} from "./constants.ts";
import { NetlinkError } from "./error.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Where a device's frames pass: those it received, those it is to send. */
export type Hook = "ingress" | "egress";

/** struct tcmsg. */
const TCMSG = 20;
const TC_H_CLSACT = 0xfffffff1;
const TC_H_CLSACT_INGRESS = 0xfffffff2;
const TC_H_CLSACT_EGRESS = 0xfffffff3;
const CLSACT_HANDLE = 0xffff0000;
export const HOOKS: readonly Hook[] = ["ingress", "egress"];
const PARENTS: Readonly<Record<Hook, number>> = {
  ingress: TC_H_CLSACT_INGRESS,
  egress: TC_H_CLSACT_EGRESS,
};
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_INGRESS_BLOCK = 13;
/** Of a message that is about a block; its number stands where the parent does. */
const TCM_IFINDEX_MAGIC_BLOCK = -1;

const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TCA_INGRESS_REDIR = 3;
const TC_ACT_STOLEN = 4;

const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_ID = 11;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
/** Of programs: behind what people number by hand, before what tc(8) numbers by itself, which is from 0xc000 down. */
const BPF_PRIORITY = 0x6970;
const BPF_HANDLE = 1;

/** Of filters: the first to be asked. */
const PRIORITY = 1;
const ETH_P_ALL_BE = 0x0300;

/** Where filters at ingress and egress are hung. Throws EEXIST if it is there. */
export function addClsact(socket: NetlinkSocket, ifindex: number): void {
  const doing = `prepare device ${ifindex} for filters`;
  socket.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, clsact(ifindex), doing);
}

/** With all its filters. */
export function deleteClsact(socket: NetlinkSocket, ifindex: number): void {
  socket.request(RTM_DELQDISC, 0, clsact(ifindex), `remove the filters of device ${ifindex}`);
}

/**
 * Whatever arrives at a device arrives at `target` instead, as if it had come from its wire. Needs
 * `addClsact`; ends with it.
 */
export function redirectToIngress(socket: NetlinkSocket, ifindex: number, target: number): void {
  const info = PRIORITY * 0x10000 + ETH_P_ALL_BE;
  const w = new AttrWriter(tcmsg({ ifindex, parent: TC_H_CLSACT_INGRESS, info }))
    .string(TCA_KIND, "u32")
    .nest(TCA_OPTIONS, (u32) =>
      u32
        .bytes(TCA_U32_SEL, selectAll())
        .nest(TCA_U32_ACT, (actions) =>
          actions.nest(1, (action) =>
            action
              .string(TCA_ACT_KIND, "mirred")
              .nest(TCA_ACT_OPTIONS, (o) => o.bytes(TCA_MIRRED_PARMS, mirred(target))),
          ),
        ),
    );
  const doing = `redirect what arrives at device ${ifindex} to device ${target}`;
  socket.request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, w.finish(), doing);
}

/** Ends the name of a program whose clsact we added: it goes with its last filter. A clsact of others' stays. */
const WITH_CLSACT = "+clsact";

/**
 * Has a program decide what becomes of a device's frames; one that this function attached there before is replaced,
 * and no frame passes between the two. Filters of others stay, and those of lower priority are asked first. Leaves
 * nothing if it fails.
 */
export function attachClsBpf(
  socket: NetlinkSocket,
  ifindex: number,
  hook: Hook,
  programFd: number,
  name: string,
): void {
  const isNew = ensureClsact(socket, ifindex);
  const isOurs =
    isNew || HOOKS.some((one) => findFilter(socket, ifindex, one)?.name.endsWith(WITH_CLSACT));
  const doing = `attach a program to the ${hook} of device ${ifindex}`;
  const fullName = isOurs ? name + WITH_CLSACT : name;
  try {
    const what = { programFd, name: fullName, flags: NLM_F_CREATE, doing };
    setProgram(socket, clsBpf(ifindex, hook), what);
  } catch (error) {
    if (isNew) deleteClsact(socket, ifindex);
    throw error;
  }
}

/** Whether it was not there. */
export function ensureClsact(socket: NetlinkSocket, ifindex: number): boolean {
  try {
    addClsact(socket, ifindex);
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Makes the device one of those that share the filters of a block at their ingress; `block` is a number of the
 * namespace's choice. Throws EEXIST if filters hang at the device. man: tc(8).
 */
export function joinBlock(socket: NetlinkSocket, ifindex: number, block: number): void {
  const w = clsactWriter(ifindex).u32(TCA_INGRESS_BLOCK, block);
  const doing = `prepare device ${ifindex} for shared filters`;
  socket.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, w.finish(), doing);
}

/** As `attachClsBpf`, for all devices of a block at once; if `isFirst`, only where no program is: EEXIST. */
export function attachToBlock(
  socket: NetlinkSocket,
  block: number,
  programFd: number,
  name: string,
  isFirst: boolean,
): void {
  const where = tcmsg({
    ifindex: TCM_IFINDEX_MAGIC_BLOCK,
    handle: BPF_HANDLE,
    parent: block,
    info: BPF_PRIORITY * 0x10000 + ETH_P_ALL_BE,
  });
  const flags = isFirst ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE;
  const doing = `attach a program to the devices of block ${block}`;
  setProgram(socket, where, { programFd, name, flags, doing });
}

/** Without NLM_F_EXCL a filter of this handle is replaced. */
function setProgram(
  socket: NetlinkSocket,
  where: Uint8Array,
  what: { programFd: number; name: string; flags: number; doing: string },
): void {
  const w = new AttrWriter(where)
    .string(TCA_KIND, "bpf")
    .nest(TCA_OPTIONS, (options) =>
      options
        .u32(TCA_BPF_FD, what.programFd)
        .string(TCA_BPF_NAME, what.name)
        .u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
    );
  socket.request(RTM_NEWTFILTER, what.flags, w.finish(), what.doing);
}

/** Takes away what `attachClsBpf` attached, the clsact too if that added it. ENOENT, EINVAL: there is nothing of it. */
export function detachClsBpf(socket: NetlinkSocket, ifindex: number, hook: Hook): void {
  const isOurs = findFilter(socket, ifindex, hook)?.name.endsWith(WITH_CLSACT);
  const w = new AttrWriter(clsBpf(ifindex, hook)).string(TCA_KIND, "bpf");
  const doing = `detach a program from the ${hook} of device ${ifindex}`;
  socket.request(RTM_DELTFILTER, 0, w.finish(), doing);
  if (isOurs && HOOKS.every((one) => isWithoutFilters(socket, ifindex, one)))
    deleteClsact(socket, ifindex);
}

function isWithoutFilters(socket: NetlinkSocket, ifindex: number, hook: Hook): boolean {
  const all = tcmsg({ ifindex, parent: PARENTS[hook] });
  const doing = `list the filters at the ${hook} of device ${ifindex}`;
  return socket.dump(RTM_GETTFILTER, all, doing).length === 0;
}

/** The id of the program that `attachClsBpf` attached there; undefined: none. */
export const findClsBpf = (
  socket: NetlinkSocket,
  ifindex: number,
  hook: Hook,
): number | undefined => findFilter(socket, ifindex, hook)?.programId;

function findFilter(
  socket: NetlinkSocket,
  ifindex: number,
  hook: Hook,
): { programId: number | undefined; name: string } | undefined {
  const w = new AttrWriter(clsBpf(ifindex, hook)).string(TCA_KIND, "bpf");
  const doing = `ask for the program at the ${hook} of device ${ifindex}`;
  try {
    const [filter] = socket.request(RTM_GETTFILTER, 0, w.finish(), doing);
    const options = attrs(filter!.payload, TCMSG).get(TCA_OPTIONS)?.nested();
    return {
      programId: options?.get(TCA_BPF_ID)?.u32(),
      name: options?.get(TCA_BPF_NAME)?.string() ?? "",
    };
  } catch (error) {
    if (error instanceof NetlinkError && ["ENOENT", "EINVAL"].includes(error.code))
      return undefined;
    throw error;
  }
}

const clsBpf = (ifindex: number, hook: Hook): Uint8Array =>
  tcmsg({
    ifindex,
    handle: BPF_HANDLE,
    parent: PARENTS[hook],
    info: BPF_PRIORITY * 0x10000 + ETH_P_ALL_BE,
  });

const clsactWriter = (ifindex: number): AttrWriter =>
  new AttrWriter(tcmsg({ ifindex, handle: CLSACT_HANDLE, parent: TC_H_CLSACT })).string(
    TCA_KIND,
    "clsact",
  );
const clsact = (ifindex: number): Uint8Array => clsactWriter(ifindex).finish();

function tcmsg(fixed: {
  ifindex: number;
  handle?: number;
  parent: number;
  info?: number;
}): Uint8Array {
  const bytes = Buffer.alloc(TCMSG);
  bytes.writeInt32LE(fixed.ifindex, 4);
  bytes.writeUInt32LE(fixed.handle ?? 0, 8);
  bytes.writeUInt32LE(fixed.parent, 12);
  bytes.writeUInt32LE(fixed.info ?? 0, 16);
  return bytes;
}

/** struct tc_u32_sel without a key: nothing can differ, not even a frame too short to have one. */
function selectAll(): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[0] = TC_U32_TERMINAL;
  return bytes;
}

/** struct tc_mirred. */
function mirred(target: number): Uint8Array {
  const bytes = Buffer.alloc(28);
  bytes.writeInt32LE(TC_ACT_STOLEN, 8);
  bytes.writeInt32LE(TCA_INGRESS_REDIR, 20);
  bytes.writeUInt32LE(target, 24);
  return bytes;
}
