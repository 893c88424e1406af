/** `link add … type ipvlan …`: words in, request out. */
import type { Flag, Mode } from "../driver/settings.ts";
import { type DeviceWords, findMtu, findOnce, NAME_MAX, readNames } from "./device-words.ts";
import { explained, refused, STATUS_FAILED, STATUS_USAGE, UsageError } from "./errors.ts";
import { readIpvlanWords } from "./ipvlan-words.ts";
import { byteLength } from "./words.ts";

export interface LinkAdd {
  readonly verb: "add";
  readonly master: string;
  /** None: the first free of ipvlan0, ipvlan1, … */
  readonly name?: string;
  readonly mode?: Mode;
  readonly flag?: Flag;
  /** Where the slave shall live: a namespace's name or path, or a process. */
  readonly netns?: string;
  readonly up: boolean;
  readonly mtu?: number;
  /** What the system's `ip link set` is to do with the new slave. */
  readonly others: readonly string[];
}

/** `address` and `broadcast` are the master's, whatever is said, and a slave has one queue: as in Linux. */
const WITHOUT_EFFECT = new Set(["address", "broadcast", "numtxqueues", "numrxqueues"]);
const UNDERSTOOD = new Set(["name", "dev", "link", "up", "down", "mtu", "netns"]);
/** Can be set on a device that exists as well. */
const AFTERWARDS = new Set(
  (
    "txqueuelen alias group multicast allmulticast promisc trailers arp dynamic carrier master vrf nomaster mode " +
    "state addrgenmode protodown gso_max_size gso_max_segs gro_max_size"
  ).split(" "),
);

export function parseLinkAdd(words: DeviceWords): LinkAdd {
  const { settings } = words;
  const name = readName(words);
  const mtu = findMtu(settings);
  const netns = findOnce(settings, "netns");
  checkHardwareAddresses(words);
  const others = readOthers(words);
  const ipvlan = readIpvlanWords(words.kindWords);
  const master = settings.findLast((one) => one.keyword === "link")?.value;
  if (master === undefined) throw refused("Invalid argument");
  const upOrDown = settings.findLast((one) => one.keyword === "up" || one.keyword === "down");
  const up = upOrDown?.keyword === "up";
  const isUpLater = up && others.length > 0; // some settings count when a device comes up
  return {
    verb: "add",
    master,
    ...(name !== undefined && { name }),
    ...ipvlan,
    ...(netns !== undefined && { netns }),
    up: up && !isUpLater,
    ...(mtu !== undefined && { mtu: mtu >>> 0 }), // as rtnetlink carries it
    others: isUpLater ? [...others, "up"] : others,
  };
}

function readName({ settings }: DeviceWords): string | undefined {
  const { name, dev } = readNames(settings);
  if (name !== undefined && name !== dev) {
    const text = 'both "name" and "dev" cannot be used when creating devices.';
    throw new UsageError(text, STATUS_USAGE);
  }
  // Only the kernel looks at the length of a name without keyword, and it answers in general terms.
  if (dev !== undefined && byteLength(dev) > NAME_MAX) {
    throw explained("Attribute failed policy validation.");
  }
  return dev;
}

/** iproute2: ll_addr_a2n(). */
const HARDWARE_ADDRESS = /^[0-9a-f]{1,2}(:[0-9a-f]{1,2})*$/i;

function checkHardwareAddresses({ settings }: DeviceWords): void {
  for (const { keyword, value } of settings) {
    if (keyword !== "address" && keyword !== "broadcast") continue;
    if (HARDWARE_ADDRESS.test(value)) continue;
    throw new UsageError(`"${value}" is invalid lladdr.`, STATUS_FAILED);
  }
}

/** What can be given at creation only would be lost silently, so it is refused. */
function readOthers({ settings }: DeviceWords): string[] {
  return settings.flatMap(({ keyword, value }) => {
    if (AFTERWARDS.has(keyword)) return value === "" ? [keyword] : [keyword, value];
    if (UNDERSTOOD.has(keyword) || WITHOUT_EFFECT.has(keyword)) return [];
    throw new UsageError(`ipvlan: "${keyword}" cannot be given with "link add"`, STATUS_FAILED);
  });
}
