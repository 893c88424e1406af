/**
 * Where we differ from the recorded driver on purpose: the table of docs/parity.md. A difference
 * is told by the frame and its column alone, and it promises an outcome: what happens instead is as exactly
 * checked as what the recording tells.
 *
 * D5, D7, D8 and D11–D13 are about commands and devices; no frame shows them.
 */
import { NOBODY } from "../../src/driver/decide/machine.ts";
import { isTagged, ownerOfDst, ownerOfSrc } from "../../src/driver/decide/owner.ts";
import { sharedLinkLocal } from "../../src/driver/link-local.ts";
import type { Compat, Flag, Mode } from "../../src/driver/settings.ts";
import { ip6From } from "../../src/wire/address.ts";
import { checksum } from "../../src/wire/checksum.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { Frame } from "../../src/wire/frame.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as ipv6 from "../../src/wire/ipv6.ts";
import * as ndisc from "../../src/wire/ndisc.ts";
import {
  type Expectation,
  isSame,
  type Pattern,
  recorded,
  recordedBut,
  withoutTag,
} from "./expectation.ts";
import { hasRouterOptions, isForwarded, withoutPadding } from "./forwarding.ts";
import { isFromMaster, isToMaster, type Lab, members, slaveName, WIRE } from "./lab.ts";
import type { Case } from "./recording.ts";
import { routed } from "./route.ts";

/** A frame on its way into the driver. */
export interface Situation {
  readonly lab: Lab;
  readonly case: Case;
  readonly frame: Frame;
  readonly from: "slave" | "wire";
}

export interface Difference {
  readonly name: string;
  /** `compat kernel` has it too. */
  readonly isPermanent?: boolean;
  applies(s: Situation): boolean;
  /** Any of these is what we promise. */
  promise(s: Situation): Expectation[];
}

/** The difference that rules the case. */
export const findDifference = (s: Situation, compat: Compat): Difference | undefined =>
  DIFFERENCES.find((d) => (d.isPermanent || compat === "howto") && d.applies(s));

/** The first that applies rules, as in `decide/`: what is dropped is not flooded. */
const DIFFERENCES: readonly Difference[] = [
  {
    name: "D4",
    applies: (s) => isSentIn(s, "l2") && !isFromMaster(s.lab, s.frame),
    promise: nowhere,
  },
  {
    name: "D3",
    applies: (s) =>
      isSentIn(s, "l2", "private") && isTagged(s.frame) && eth.isLocal(s.frame) && hasOwner(s),
    promise: nowhere,
  },
  {
    name: "D10",
    isPermanent: true,
    applies: (s) => isSentIn(s, "l2") && isSharedProbe(s),
    promise: nowhere,
  },
  {
    name: "D1",
    applies: (s) => isSentIn(s, "l2", "private") && isFlood(s.frame),
    promise: wireOnly,
  },
  {
    name: "D1",
    applies: (s) => isOwnFloodComingBack(s, "private"),
    promise: (s) => [at(s, stackPlace(s))],
  },
  {
    name: "D2",
    applies: (s) => isSentIn(s, "l2", "vepa") && isFlood(s.frame),
    promise: wireOnly,
  },
  {
    name: "D2",
    applies: (s) => isOwnFloodComingBack(s, "vepa"),
    promise: (s) => [at(s, stackPlace(s), ...membersButSender(s))],
  },
  {
    name: "D6",
    isPermanent: true,
    applies: (s) => s.case.mode === "l3s" && s.from === "wire" && isPacket(s.frame) && hasOwner(s),
    promise: inboundForwarded,
  },
  {
    name: "D6",
    isPermanent: true,
    applies: (s) => isSentIn(s, "l3s") && isRouted(s),
    promise: outboundForwarded,
  },
  {
    name: "D9",
    isPermanent: true,
    applies: (s) => isSentIn(s, "l3") && isRouted(s) && !isHeaderFinished(s.frame),
    promise: asSent,
  },
];

// What a frame is, seen from the driver

const isSentIn = ({ from, case: c }: Situation, mode: Mode, flag: Flag = c.flag): boolean =>
  from === "slave" && c.mode === mode && c.flag === flag;

const isFlood = (f: Frame): boolean => eth.isGroup(f) && eth.type(f) !== eth.ETH_P_PAUSE;

const isOwnFloodComingBack = ({ from, case: c, lab, frame }: Situation, flag: Flag): boolean =>
  from === "wire" &&
  c.mode === "l2" &&
  c.flag === flag &&
  isFlood(frame) &&
  isFromMaster(lab, frame);

const hasOwner = ({ lab, frame }: Situation): boolean => ownerOfDst(lab.owners, frame) !== NOBODY;

/** Hooks see IP only. One tag is set aside. */
const isPacket = (f: Frame): boolean => {
  const type = isTagged(f) ? eth.innerType(f) : eth.type(f);
  return type === eth.ETH_P_IP || type === eth.ETH_P_IPV6;
};

/** An IP packet of an l3 slave that no sibling gets. */
function isRouted(s: Situation): boolean {
  const { frame, case: c } = s;
  if (eth.isGroup(frame) || (c.flag !== "vepa" && hasOwner(s))) return false;
  if (eth.type(frame) === eth.ETH_P_IPV6) return frame.length >= eth.HEADER + ipv6.HEADER;
  if (eth.type(frame) !== eth.ETH_P_IP) return false;
  const isWhole = frame.length >= eth.HEADER + ipv4.MIN_HEADER;
  return isWhole && !ipv4.isLoopback(ipv4.src(frame, eth.HEADER));
}

/** Whether lengths and checksum are those that a stack would write. */
function isHeaderFinished(f: Frame): boolean {
  const at = eth.HEADER;
  const length = f.length - at;
  if (eth.type(f) === eth.ETH_P_IPV6) return ipv6.payloadLength(f, at) === length - ipv6.HEADER;
  return (
    ipv4.check(f, at) &&
    ipv4.totalLength(f, at) === length &&
    checksum(f, at, ipv4.headerLength(f, at)) === 0
  );
}

/** A probe for the link-local address that every slave's stack would form of the shared MAC. */
function isSharedProbe({ lab, frame }: Situation): boolean {
  const at = eth.HEADER;
  if (eth.type(frame) !== eth.ETH_P_IPV6 || !ipv6.check(frame, at)) return false;
  if (!ndisc.isDadProbe(frame, at)) return false;
  return isSame(ip6From(frame, ndisc.targetAt(at)), sharedLinkLocal(lab.master.mac));
}

// What is promised

function nowhere(s: Situation): Expectation[] {
  return [at(s)];
}

function wireOnly(s: Situation): Expectation[] {
  return [at(s, [WIRE, { bytes: s.frame.view() }])];
}

/** D9: bytes behind the MACs as the slave sent them; what a stack says of such a header is its own. */
function asSent(s: Situation): Expectation[] {
  const { frames, datagrams } = leaving(s, s.frame.view());
  const asked = [...datagrams].filter(([namespace]) => namespace !== s.lab.outside.namespace);
  return [{ frames, datagrams: new Map(asked) }];
}

/** D6: what the hooks let pass leaves as it came, but for what no router leaves alone. */
function outboundForwarded(s: Situation): Expectation[] {
  const { lab, frame } = s;
  const sent = frame.view();
  return [
    leaving(s, sent),
    leaving(s, withoutPadding(sent)),
    ...(isForwarded(lab, frame) ? [] : [at(s)]),
    ...(hasRouterOptions(frame) ? [unlike(leaving(s, sent), WIRE)] : []),
  ];
}

/** D6: through the master's stack to the owner, whose taps see it. */
function inboundForwarded(s: Situation): Expectation[] {
  const { lab, frame } = s;
  const owner = slaveName(lab, ownerOfDst(lab.owners, frame));
  const untagged = isTagged(frame) ? withoutTag(frame.view()) : frame.view();
  const patterns = [frame.view(), withoutPadding(untagged)].map((bytes) => ({
    bytes,
    anyMac: true,
  }));
  const forwarded = patterns.map((pattern) => at(s, stackPlace(s), [owner, pattern]));
  const passes = !isTagged(frame) && isToMaster(lab, frame) && isForwarded(lab, frame);
  return [
    ...forwarded,
    ...(passes ? [] : [at(s, stackPlace(s))]),
    ...(hasRouterOptions(frame) ? [unlike(forwarded[0]!, owner)] : []),
  ];
}

/** By the routes of the master's namespace; what ends there passes `lo`, where nobody looks. */
function leaving(s: Situation, bytes: Uint8Array): Expectation {
  const { namespace } = s.lab.master;
  const frame = routed(s.lab, Frame.of(bytes));
  const { frames, datagrams } = frame === undefined ? at(s) : at(s, [WIRE, { bytes: frame }]);
  const local = s.case.datagrams.get(namespace) ?? [];
  return { frames, datagrams: new Map([...datagrams, [namespace, local]]) };
}

/** The same, but at one place it is not the frame that was sent any more. */
function unlike({ frames, datagrams }: Expectation, place: string): Expectation {
  return { frames: new Map([...frames].filter(([name]) => name !== place)), datagrams };
}

const at = (s: Situation, ...places: [string, ...Pattern[]][]): Expectation =>
  recordedBut(s.lab, s.case, new Map(places.map(([place, ...patterns]) => [place, patterns])));

/** What comes from the wire is in the master's stack already, in whatever form it shows there. */
const stackPlace = ({ lab, case: c, frame }: Situation): [string, ...Pattern[]] => [
  lab.stack,
  ...(recorded(lab, c).frames.get(lab.stack) ?? [{ bytes: frame.view(), untagged: true }]),
];

function membersButSender({ lab, frame }: Situation): [string, Pattern][] {
  const sender = ownerOfSrc(lab.owners, frame);
  return members(lab, frame)
    .filter((name) => sender === NOBODY || name !== slaveName(lab, sender))
    .map((name) => [name, { bytes: frame.view() }]);
}
