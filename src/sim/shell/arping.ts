/** `arping` of the simulated host, as iputils' says it: who has an address on a link, whether anybody has, or that I have. */
import { formatIp, formatMac, type Ip, macFrom } from "../../wire/address.ts";
import * as arp from "../../wire/arp.ts";
import * as ethernet from "../../wire/ethernet.ts";
import type { Frame } from "../../wire/frame.ts";
import { refused, STATUS_REFUSED, UsageError } from "../../words/errors.ts";
import { Words } from "../../words/words.ts";
import type { Device } from "../device.ts";
import type { Namespace } from "../namespace.ts";
import * as packets from "../packets.ts";
import { type CommandContext, findIn, getIp, getNumber, unknown } from "./common.ts";

const COUNT_MAX = 1000;
const INTERVAL_MS = 1000;
const OPTIONS = "-I DEVICE, -c COUNT, -D (does anybody have it), -U or -A (I have it)";

interface Asked {
  readonly device: Device;
  readonly count: number;
  readonly kind: "ask" | "detect" | "announce";
  readonly operation: number;
  readonly ip: Ip;
}

/** The status: with -D whether nobody has the address; else whether somebody answered, and of announcements always. */
export function arping({ netns, clock, print }: CommandContext, line: readonly string[]): number {
  const asked = read(netns, line);
  const { device, count, kind, operation, ip } = asked;
  const own = netns.addressesOf(device).find((one) => one.ip.length === 4)?.ip ?? new Uint8Array(4);
  const from = { detect: new Uint8Array(4), announce: ip, ask: own }[kind];
  print(`ARPING ${formatIp(ip)} from ${formatIp(from)} ${device.name}\n`);
  let received = 0;
  let askedMs = 0;
  const end = device.addTap((f, isOutgoing) => {
    if (isOutgoing || !isAnswer(f, ip)) return;
    received++;
    const at = packets.IP;
    const mac = formatMac(macFrom(arp.senderMacHigh(f, at), arp.senderMacLow(f, at)));
    const tookMs = (clock.nowMs - askedMs).toFixed(3);
    print(`Unicast reply from ${formatIp(ip)} [${mac.toUpperCase()}]  ${tookMs}ms\n`);
  });
  let sent = 0;
  while (sent < count && !(kind === "detect" && received > 0)) {
    askedMs = clock.nowMs;
    device.send(packets.arpPacket(operation, { ip: from, mac: device.mac }, { ip }));
    sent++;
    const before = received;
    clock.run(INTERVAL_MS, () => sent === count && received > before);
  }
  end();
  print(`Sent ${sent} probes (${sent} broadcast(s))\nReceived ${received} response(s)\n`);
  if (kind === "announce") return 0;
  return received > 0 === (kind === "ask") ? 0 : 1;
}

function read(netns: Namespace, line: readonly string[]): Asked {
  const words = new Words(line);
  let [count, kind, operation, to]: [number, Asked["kind"], number, string] = [
    3,
    "ask",
    arp.REQUEST,
    "",
  ];
  let device: Device | undefined;
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === "-I") device = findIn(netns, words.value());
    else if (word === "-c") count = Math.ceil(getNumber(words.value(), "arping -c", COUNT_MAX));
    else if (word === "-D") kind = "detect";
    else if (word === "-U" || word === "-A") {
      kind = "announce";
      if (word === "-A") operation = arp.REPLY;
    } else if (word.startsWith("-")) throw unknown(word, "arping", OPTIONS);
    else to = word;
  }
  const ip = getIp(to, "inet");
  if (device === undefined) throw unknown("", "arping", OPTIONS);
  if (device.isNoarp)
    throw new UsageError(`arping: Interface "${device.name}" is not ARPable`, STATUS_REFUSED);
  if (!device.isUp) throw refused("Network is down");
  return { device, count, kind, operation, ip };
}

function isAnswer(f: Frame, ip: Ip): boolean {
  const at = packets.IP;
  if (ethernet.type(f) !== ethernet.ETH_P_ARP || !arp.check(f, at)) return false;
  const sender = packets.bytesAt(f, at + 14, 4);
  return arp.operation(f, at) === arp.REPLY && formatIp(sender) === formatIp(ip);
}
