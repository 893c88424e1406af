/**
 * Where we differ from the recorded driver on purpose: the table of spec §12, docs/parity.md. A difference
 * is told by the frame and its column alone, and it promises an outcome: what happens instead is as exactly
 * checked as what the recording tells.
 *
 * D5, D7, D8 and D11–D13 are about commands and devices; no frame shows them.
 */
import { NOBODY } from "../../src/driver/decide/machine.ts";
import { isTagged, ownerOfDst, ownerOfSrc } from "../../src/driver/decide/owner.ts";
import type { Compat, Flag, Mode } from "../../src/driver/settings.ts";
import { checksum } from "../../src/wire/checksum.ts";
import * as eth from "../../src/wire/ethernet.ts";
import { type Frame, u16, u32 } from "../../src/wire/frame.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import * as ipv6 from "../../src/wire/ipv6.ts";
import * as ndisc from "../../src/wire/ndisc.ts";
import {
  type Expectation,
  type Pattern,
  recorded,
  recordedBut,
  withoutTag,
} from "./expectation.ts";
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
    promise: (s) => (isForwardable(s) ? [forwarded(s)] : [forwarded(s), at(s, stackPlace(s))]),
  },
  {
    name: "D6",
    isPermanent: true,
    applies: (s) => isSentIn(s, "l3s") && isRouted(s) && !isForwardable(s),
    promise: (s) => [...asRouted(s), at(s)],
  },
  {
    name: "D9",
    isPermanent: true,
    applies: (s) => isSentIn(s, "l3") && isRouted(s) && !isHeaderFinished(s.frame),
    promise: asRouted,
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

/** Whether IP forwards it without looking twice. */
function isForwardable({ lab, frame, from }: Situation): boolean {
  const at = eth.HEADER;
  if (isTagged(frame)) return false;
  if (from === "wire" && !isToMaster(lab, frame)) return false;
  if (eth.type(frame) === eth.ETH_P_IPV6)
    return (
      ipv6.check(frame, at) &&
      isHeaderFinished(frame) &&
      ipv6.hopLimit(frame, at) > 1 &&
      isGlobal6(frame, ipv6.srcAt(at)) &&
      isGlobal6(frame, ipv6.dstAt(at))
    );
  return (
    eth.type(frame) === eth.ETH_P_IP &&
    isHeaderFinished(frame) &&
    ipv4.ttl(frame, at) > 1 &&
    isHost4(ipv4.src(frame, at)) &&
    isHost4(ipv4.dst(frame, at))
  );
}

/** Not 0/8, 127/8, a group or broadcast. */
const isHost4 = (addr: number): boolean =>
  addr >>> 24 !== 0 && !ipv4.isLoopback(addr) && addr >>> 28 < 14;

/** Global or unique local unicast, RFC 4291 §2.4. */
const isGlobal6 = (f: Frame, at: number): boolean => {
  const first = u16(f, at);
  return first !== 0 && first >>> 6 !== 0xfe80 >>> 6 && first >>> 8 !== 0xff;
};

/** A probe for the link-local address that the master's MAC gives, RFC 4291 appendix A. */
function isSharedProbe({ lab, frame }: Situation): boolean {
  const at = eth.HEADER;
  if (eth.type(frame) !== eth.ETH_P_IPV6 || !ipv6.check(frame, at)) return false;
  if (!ndisc.isDadProbe(frame, at)) return false;
  const [a, b, c, d, e, f] = lab.master.mac;
  const shared = Uint8Array.of(
    0xfe,
    0x80,
    0,
    0,
    0,
    0,
    0,
    0,
    a! ^ 2,
    b!,
    c!,
    0xff,
    0xfe,
    d!,
    e!,
    f!,
  );
  const words = new DataView(shared.buffer);
  const target = ndisc.targetAt(at);
  return [0, 4, 8, 12].every((i) => u32(frame, target + i) === words.getUint32(i));
}

// What is promised

function nowhere(s: Situation): Expectation[] {
  return [at(s)];
}

function wireOnly(s: Situation): Expectation[] {
  return [at(s, [WIRE, { bytes: s.frame.view() }])];
}

/** Bytes behind the MACs as the slave sent them. */
function asRouted(s: Situation): Expectation[] {
  const leaving = routed(s.lab, s.frame);
  return [leaving === undefined ? at(s) : at(s, [WIRE, { bytes: leaving }])];
}

/** Through the master's stack to the owner. */
function forwarded(s: Situation): Expectation {
  const { lab, frame } = s;
  const owner = slaveName(lab, ownerOfDst(lab.owners, frame));
  const bytes = isTagged(frame) ? withoutTag(frame.view()) : frame.view();
  return at(s, stackPlace(s), [owner, { bytes, anyMac: true, untagged: true }]);
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
