/** A frame taken apart: which bytes are which field, and what they say. Any bytes do; what cannot be read is left as bytes. */
import { formatIp, formatMac, ip6From } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Frame, u8, u16, u32 } from "../wire/frame.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as ndisc from "../wire/ndisc.ts";
import * as udp from "../wire/udp.ts";

export interface Field {
  readonly name: string;
  readonly value: string;
  /** Offset from the frame's first byte. */
  readonly at: number;
  /** In bytes. */
  readonly length: number;
}

export interface Layer {
  readonly name: string;
  readonly fields: readonly Field[];
}

const PROTOCOL_TCP = 6;
/** RFC 9293 §3.1 */
const TCP_HEADER = 20;
const TAGS_MAX = 2;

export function dissect(bytes: Uint8Array): Layer[] {
  const f = Frame.of(bytes);
  if (f.length < ethernet.HEADER) return rest("Frame", f, 0);
  const layers: Layer[] = [];
  let at: number = ethernet.HEADER;
  layers.push({
    name: "Ethernet",
    fields: [
      mac(f, "destination", 0, note(ethernet.isGroup(f), "group")),
      mac(f, "source", 6),
      field("type", nameOf(ETHER_TYPES, ethernet.type(f), hex16), 12, 2),
    ],
  });
  const isTagged = () => ethernet.isTag(u16(f, at - 2)) && at + ethernet.TAG <= f.length;
  for (let tags = 0; tags < TAGS_MAX && isTagged(); tags++) {
    layers.push({
      name: "VLAN tag",
      fields: [
        field("priority, id", `${u16(f, at) >> 13}, ${u16(f, at) & 0x0fff}`, at, 2),
        field("type", nameOf(ETHER_TYPES, u16(f, at + 2), hex16), at + 2, 2),
      ],
    });
    at += ethernet.TAG;
  }
  return [...layers, ...packet(f, u16(f, at - 2), at)];
}

function packet(f: Frame, type: number, at: number): Layer[] {
  if (type === ethernet.ETH_P_ARP && arp.check(f, at) && arp.isIpv4(f, at)) return arpLayers(f, at);
  if (type === ethernet.ETH_P_IP && ipv4.check(f, at)) return ipv4Layers(f, at);
  if (type === ethernet.ETH_P_IPV6 && ipv6.check(f, at)) return ipv6Layers(f, at);
  return rest("Bytes", f, at);
}

function arpLayers(f: Frame, at: number): Layer[] {
  const operation = nameOf(
    { [arp.REQUEST]: "request", [arp.REPLY]: "reply" },
    arp.operation(f, at),
  );
  return [
    {
      name: "ARP",
      fields: [
        field("kinds of address", "Ethernet, IPv4", at, 6),
        field("operation", operation, at + 6, 2),
        mac(f, "sender MAC", at + 8),
        ip(f, "sender address", at + 14, 4),
        mac(f, "target MAC", at + 18, note(arp.operation(f, at) === arp.REQUEST, "asked for")),
        ip(f, "target address", at + 24, 4),
      ],
    },
    ...rest("Padding", f, at + arp.LENGTH),
  ];
}

function ipv4Layers(f: Frame, at: number): Layer[] {
  const header = ipv4.headerLength(f, at);
  const flags = [
    note(ipv4.dontFragment(f, at), "do not fragment"),
    note(ipv4.moreFragments(f, at), "more fragments"),
    `offset ${ipv4.fragmentOffset(f, at) * 8}`,
  ].filter((text) => text !== "");
  const fields = [
    field("version, header length", `4, ${header} bytes`, at, 1),
    field("type of service", hex8(ipv4.tos(f, at)), at + 1, 1),
    field("total length", `${ipv4.totalLength(f, at)} bytes`, at + 2, 2),
    field("identification", hex16(ipv4.identification(f, at)), at + 4, 2),
    field("fragments", flags.join(", "), at + 6, 2),
    field("time to live", String(ipv4.ttl(f, at)), at + 8, 1),
    field("protocol", nameOf(PROTOCOLS, ipv4.protocol(f, at)), at + 9, 1),
    field("header checksum", hex16(ipv4.headerChecksum(f, at)), at + 10, 2),
    ip(f, "source", ipv4.srcAt(at), 4),
    ip(f, "destination", ipv4.srcAt(at) + 4, 4),
  ];
  if (header > ipv4.MIN_HEADER)
    fields.push(bytesField(f, "options", at + ipv4.MIN_HEADER, header - ipv4.MIN_HEADER));
  const payload = ipv4.payloadAt(f, at);
  const isFirst = ipv4.fragmentOffset(f, at) === 0;
  return [
    { name: "IPv4", fields },
    ...(isFirst ? transport(f, ipv4.protocol(f, at), payload) : rest("Fragment", f, payload)),
  ];
}

function ipv6Layers(f: Frame, at: number): Layer[] {
  return [
    {
      name: "IPv6",
      fields: [
        field(
          "version, class, flow label",
          `6, ${ipv6.trafficClass(f, at)}, ${ipv6.flowLabel(f, at)}`,
          at,
          4,
        ),
        field("payload length", `${ipv6.payloadLength(f, at)} bytes`, at + 4, 2),
        field("next header", nameOf(PROTOCOLS, ipv6.nextHeader(f, at)), at + 6, 1),
        field("hop limit", String(ipv6.hopLimit(f, at)), at + 7, 1),
        ip(f, "source", ipv6.srcAt(at), 16),
        ip(f, "destination", ipv6.dstAt(at), 16),
      ],
    },
    ...transport(f, ipv6.nextHeader(f, at), ipv6.payloadAt(at), at),
  ];
}

/** `ip6At`: of an IPv6 header, whose ICMP has neighbour discovery in it. */
function transport(f: Frame, protocol: number, at: number, ip6At?: number): Layer[] {
  if (protocol === udp.PROTOCOL && udp.HEADER <= f.length - at) return udpLayers(f, at);
  if (protocol === PROTOCOL_TCP && TCP_HEADER <= f.length - at) return tcpLayers(f, at);
  if (protocol === icmp.PROTOCOL6 && ip6At !== undefined && icmp.check(f, at))
    return NEIGHBOUR_TYPES.includes(icmp.type(f, at)) && f.length >= at + ndisc.LENGTH
      ? neighbourLayers(f, at, ip6At)
      : icmpLayers(f, at, "ICMPv6", ICMP6_TYPES);
  if (protocol === icmp.PROTOCOL && ip6At === undefined && icmp.check(f, at))
    return icmpLayers(f, at, "ICMP", ICMP_TYPES);
  return rest("Payload", f, at);
}

function icmpLayers(f: Frame, at: number, name: string, types: Names): Layer[] {
  const type = nameOf(types, icmp.type(f, at));
  const isEcho = type.startsWith("echo");
  const isError = !isEcho && type !== String(icmp.type(f, at));
  const fields = [
    field("type", type, at, 1),
    field("code", String(icmp.code(f, at)), at + 1, 1),
    field("checksum", hex16(icmp.checksum(f, at)), at + 2, 2),
    ...(isEcho
      ? [
          field("identifier", String(icmp.identifier(f, at)), at + 4, 2),
          field("sequence", String(icmp.sequence(f, at)), at + 6, 2),
        ]
      : [bytesField(f, "more", at + 4, 4)]),
  ];
  const payload = icmp.payloadAt(at);
  if (!isError) return [{ name, fields }, ...rest("Data", f, payload)];
  const about = packet(f, name === "ICMP" ? ethernet.ETH_P_IP : ethernet.ETH_P_IPV6, payload);
  return [{ name, fields }, ...about.map((layer) => ({ ...layer, name: `about: ${layer.name}` }))];
}

function neighbourLayers(f: Frame, at: number, ip6At: number): Layer[] {
  const isAdvertisement = icmp.type(f, at) === ndisc.NEIGHBOUR_ADVERTISEMENT;
  const bits = u8(f, at + 4);
  const flags = [
    note((bits & ndisc.ROUTER) !== 0, "router"),
    note((bits & ndisc.SOLICITED) !== 0, "solicited"),
    note((bits & ndisc.OVERRIDE) !== 0, "override"),
  ].filter((text) => text !== "");
  const option = at + ndisc.LENGTH;
  const wanted = isAdvertisement ? ndisc.TARGET_LINK_LAYER : ndisc.SOURCE_LINK_LAYER;
  const hasOption =
    ndisc.findOption(f, ip6At, wanted) === option && option + ndisc.LINK_LAYER_OPTION <= f.length;
  const which = isAdvertisement ? "target" : "source";
  return [
    {
      name: "Neighbour discovery",
      fields: [
        field("type", nameOf(ICMP6_TYPES, icmp.type(f, at)), at, 1),
        field("code", String(icmp.code(f, at)), at + 1, 1),
        field("checksum", hex16(icmp.checksum(f, at)), at + 2, 2),
        field("flags", isAdvertisement ? flags.join(", ") || "none" : "none", at + 4, 4),
        ip(f, "target address", at + 8, 16),
        ...(hasOption
          ? [field("option", `${which} MAC`, option, 2), mac(f, `${which} MAC`, option + 2)]
          : []),
      ],
    },
    ...rest("Bytes", f, hasOption ? option + ndisc.LINK_LAYER_OPTION : option),
  ];
}

function udpLayers(f: Frame, at: number): Layer[] {
  return [
    {
      name: "UDP",
      fields: [
        field("source port", String(udp.srcPort(f, at)), at, 2),
        field("destination port", String(udp.dstPort(f, at)), at + 2, 2),
        field("length", `${udp.length(f, at)} bytes`, at + 4, 2),
        field("checksum", hex16(udp.checksum(f, at)), at + 6, 2),
      ],
    },
    ...rest("Data", f, udp.payloadAt(at)),
  ];
}

function tcpLayers(f: Frame, at: number): Layer[] {
  const header = (u8(f, at + 12) >> 4) * 4;
  const flags = ["fin", "syn", "rst", "psh", "ack", "urg"]
    .filter((_, bit) => (u8(f, at + 13) >> bit) & 1)
    .join(" ");
  const fields = [
    field("source port", String(u16(f, at)), at, 2),
    field("destination port", String(u16(f, at + 2)), at + 2, 2),
    field("sequence number", String(u32(f, at + 4)), at + 4, 4),
    field("acknowledgement", String(u32(f, at + 8)), at + 8, 4),
    field("header length", `${header} bytes`, at + 12, 1),
    field("flags", flags, at + 13, 1),
    field("window", String(u16(f, at + 14)), at + 14, 2),
    field("checksum", hex16(u16(f, at + 16)), at + 16, 2),
    field("urgent pointer", String(u16(f, at + 18)), at + 18, 2),
  ];
  const end = Math.min(f.length - at, Math.max(TCP_HEADER, header));
  if (end > TCP_HEADER) fields.push(bytesField(f, "options", at + TCP_HEADER, end - TCP_HEADER));
  return [{ name: "TCP", fields }, ...rest("Data", f, at + end)];
}

/** What is behind the last header that is known. */
const rest = (name: string, f: Frame, at: number): Layer[] =>
  at < f.length ? [{ name, fields: [bytesField(f, "bytes", at, f.length - at)] }] : [];

const field = (name: string, value: string, at: number, length: number): Field => ({
  name,
  value,
  at,
  length,
});

const mac = (f: Frame, name: string, at: number, remark = ""): Field =>
  field(name, remarked(formatMac(f.bytes.subarray(f.start + at, f.start + at + 6)), remark), at, 6);

const ip = (f: Frame, name: string, at: number, length: 4 | 16): Field =>
  field(
    name,
    formatIp(length === 16 ? ip6From(f, at) : f.bytes.subarray(f.start + at, f.start + at + 4)),
    at,
    length,
  );

const bytesField = (f: Frame, name: string, at: number, length: number): Field => {
  const isZero = f
    .view()
    .subarray(at, at + length)
    .every((byte) => byte === 0);
  return field(name, `${length}${isZero ? ", all zero" : ""}`, at, length);
};

const note = (isSo: boolean, text: string): string => (isSo ? text : "");
const remarked = (text: string, remark: string): string =>
  remark === "" ? text : `${text} (${remark})`;
const hex8 = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;
const hex16 = (value: number): string => `0x${value.toString(16).padStart(4, "0")}`;

type Names = Readonly<Record<number, string>>;

const nameOf = (names: Names, value: number, other: (value: number) => string = String): string =>
  names[value] ?? other(value);

const ETHER_TYPES: Names = {
  [ethernet.ETH_P_IP]: "IPv4",
  [ethernet.ETH_P_ARP]: "ARP",
  [ethernet.ETH_P_IPV6]: "IPv6",
  [ethernet.ETH_P_8021Q]: "802.1Q tag",
  [ethernet.ETH_P_8021AD]: "802.1ad tag",
  [ethernet.ETH_P_PAUSE]: "pause",
};
const PROTOCOLS: Names = {
  [icmp.PROTOCOL]: "ICMP",
  [PROTOCOL_TCP]: "TCP",
  [udp.PROTOCOL]: "UDP",
  [icmp.PROTOCOL6]: "ICMPv6",
};
const ICMP_TYPES: Names = {
  [icmp.ECHO_REPLY]: "echo reply",
  [icmp.UNREACHABLE]: "destination unreachable",
  5: "redirect",
  [icmp.ECHO_REQUEST]: "echo request",
  [icmp.TIME_EXCEEDED]: "time exceeded",
};
const ICMP6_TYPES: Names = {
  [icmp.UNREACHABLE6]: "destination unreachable",
  2: "packet too big",
  [icmp.TIME_EXCEEDED6]: "time exceeded",
  [icmp.ECHO_REQUEST6]: "echo request",
  [icmp.ECHO_REPLY6]: "echo reply",
  [ndisc.NEIGHBOUR_SOLICITATION]: "neighbour solicitation",
  [ndisc.NEIGHBOUR_ADVERTISEMENT]: "neighbour advertisement",
};
const NEIGHBOUR_TYPES: readonly number[] = [
  ndisc.NEIGHBOUR_SOLICITATION,
  ndisc.NEIGHBOUR_ADVERTISEMENT,
];
