/** `ping` of the simulated host, as iputils' says it. */
import { formatIp, type Ip } from "../../wire/address.ts";
import { STATUS_FAILED, STATUS_REFUSED, UsageError } from "../../words/errors.ts";
import { Words } from "../../words/words.ts";
import type { Heard } from "../icmp.ts";
import type { Failure } from "../icmp-errors.ts";
import type { Namespace } from "../namespace.ts";
import { type CommandContext, getIp, getNumber, SLEEP_MAX, unknown, widthOf } from "./common.ts";

/** Pings of one command. */
const COUNT_MAX = 1000;
const COUNT_UNLESS_SAID = 3;
const WAIT_UNLESS_SAID = 1;
const TTL_MAX = 255;
/** What one packet can carry. */
const BYTES_MAX = 65_507;
const ICMP_HEADER = 8;
const OPTIONS = "-c COUNT, -W SECONDS, -t TTL, -s BYTES, -M do, -4, -6";

interface Asked {
  ip: Ip;
  count: number;
  waitS: number;
  ttl: number;
  bytes: number;
}

/** `ping [-c COUNT] [-W SECONDS] [-t TTL] [-s BYTES] [-M do] [-4|-6] ADDRESS`. The status: whether there was an answer. */
export function ping(parts: CommandContext, line: readonly string[]): number {
  const asked = read(line);
  const { ip, count } = asked;
  parts.print(`PING ${formatIp(ip)}\n`);
  const outcomes = { answered: 0, refused: 0, lost: 0 };
  for (let sequence = 1; sequence <= count; sequence++) outcomes[askOnce(parts, asked, sequence)]++;
  const received = outcomes.answered;
  const errors = outcomes.refused === 0 ? "" : ` +${outcomes.refused} errors,`;
  const loss = Math.round(100 * (1 - received / count));
  parts.print(
    `${count} packets transmitted, ${received} received,${errors} ${loss}% packet loss\n`,
  );
  return received > 0 ? 0 : 1;
}

function read(line: readonly string[]): Asked {
  const words = new Words(line);
  const asked = { count: COUNT_UNLESS_SAID, waitS: WAIT_UNLESS_SAID, ttl: 64, bytes: 56 };
  let family: string | undefined;
  let to = "";
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "-c") asked.count = getNumber(words.value(), "ping -c", COUNT_MAX);
    else if (word === "-W") asked.waitS = getNumber(words.value(), "ping -W", SLEEP_MAX);
    else if (word === "-t") asked.ttl = getNumber(words.value(), "ping -t", TTL_MAX);
    else if (word === "-s") asked.bytes = getBytes(words.value());
    else if (word === "-M") readFragmentation(words.value());
    else if (word === "-4" || word === "-6") family = word === "-4" ? "inet" : "inet6";
    else if (word.startsWith("-")) throw unknown(word, "ping", OPTIONS);
    else if (to !== "") throw unknown(word, "ping", "one ADDRESS");
    else to = word;
  }
  if (to === "")
    throw new UsageError("ping: usage error: Destination address required", STATUS_FAILED);
  return { ...asked, ip: getIp(to, family) };
}

function getBytes(word: string): number {
  if (/^\d+$/.test(word) && Number(word) <= BYTES_MAX) return Number(word);
  throw unknown(word, "ping -s", `whole numbers up to ${BYTES_MAX}`);
}

/** Packets are never fragmented here. */
function readFragmentation(word: string): void {
  if (word !== "do") throw unknown(word, "ping -M", "do");
}

/** `refused`: somebody says why there is no answer. */
type Outcome = "answered" | "refused" | "lost";

function askOnce({ netns, clock, print }: CommandContext, asked: Asked, sequence: number): Outcome {
  const { ip, count, waitS, ttl, bytes } = asked;
  const startMs = clock.nowMs;
  let isOver = false;
  let outcome: Outcome = "lost";
  const onEnd = (heard: Heard | undefined) => {
    isOver = true;
    if (heard === undefined) return;
    outcome = heard.failure === undefined ? "answered" : "refused";
    print(describe(netns, heard, sequence, bytes));
  };
  const onRedirect = (from: Ip, via: Ip) =>
    print(
      `From ${formatIp(from)} icmp_seq=${sequence} Redirect Host(New nexthop: ${formatIp(via)})\n`,
    );
  const hasWay = netns.ping(ip, waitS * 1000, onEnd, { ttl, bytes, onRedirect });
  if (!hasWay) throw new UsageError("ping: connect: Network is unreachable", STATUS_REFUSED);
  if (!isOver) clock.run(waitS * 1000 + 1, () => isOver);
  if (sequence !== count) clock.run(Math.max(0, 1000 - (clock.nowMs - startMs)));
  return outcome;
}

type Told = Readonly<Record<Exclude<Failure, "too big">, string>>;

const FAILURES: Readonly<Record<4 | 16, Told>> = {
  4: {
    "no route": "Destination Net Unreachable",
    "no host": "Destination Host Unreachable",
    "no port": "Destination Port Unreachable",
    "time exceeded": "Time to live exceeded",
  },
  16: {
    "no route": "Destination unreachable: No route",
    "no host": "Destination unreachable: Address unreachable",
    "no port": "Destination unreachable: Port unreachable",
    "time exceeded": "Time exceeded: Hop limit",
  },
};

function describe(netns: Namespace, heard: Heard, sequence: number, bytes: number): string {
  const { from, tookMs, failure, mtu } = heard;
  const at = `icmp_seq=${sequence}`;
  if (failure === undefined)
    return `${bytes + ICMP_HEADER} bytes from ${formatIp(from)}: ${at} time=${tookMs.toFixed(3)} ms\n`;
  if (failure !== "too big")
    return `From ${formatIp(from)} ${at} ${FAILURES[widthOf(from)][failure]}\n`;
  if (netns.isLocal(from)) return `ping: local error: message too long, mtu=${mtu}\n`;
  return from.length === 4
    ? `From ${formatIp(from)} ${at} Frag needed and DF set (mtu = ${mtu})\n`
    : `From ${formatIp(from)} ${at} Packet too big: mtu=${mtu}\n`;
}
