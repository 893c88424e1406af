/** `socat` of the simulated host, as far as a question and its answer need: a server that echoes, and a client. */
import { formatIp, type Ip, parseIp } from "../../wire/address.ts";
import { STATUS_FAILED, UsageError } from "../../words/errors.ts";
import type { Clock } from "../clock.ts";
import type { Failure } from "../icmp-errors.ts";
import type { Namespace } from "../namespace.ts";
import { SOCKETS_MAX, type Width } from "../ports.ts";
import type { TcpConnection, TcpFailure } from "../tcp.ts";
import { unknown } from "./common.ts";
import { bytesOf, textOf } from "./text.ts";

const SERVER = "TCP-LISTEN:PORT,fork EXEC:cat & (or UDP-LISTEN, TCP6-LISTEN, UDP6-LISTEN)";
const CLIENT = "echo TEXT | socat - TCP:ADDRESS:PORT (or UDP:ADDRESS:PORT)";
const LISTENER = /^(TCP|UDP)([46]?)-LISTEN:(\d+)((?:,(?:fork|reuseaddr))*)$/i;
const PEER = /^(TCP|UDP)[46]?:(?:\[([^\]]*)\]|([^:]*)):(\d+)$/i;
const PORT_MAX = 65_535;
/** What one datagram can carry. */
const INPUT_MAX = 65_507;
/** How long a client waits for more once it has said all, if it is a datagram that it waits for. socat: -t. */
const ANSWER_MS = 500;
/** Longer than TCP tries to get anything through. */
const TALK_MS = 3_600_000;

/** Answers with what it hears, until its namespace goes. */
export function serve(netns: Namespace, words: readonly string[]): void {
  const [listener = "", command, more] = words;
  const [, kind, family, portWord, options = ""] = LISTENER.exec(listener) ?? [];
  if (kind === undefined || command !== "EXEC:cat" || more !== undefined)
    throw unknown(words.join(" "), "socat", SERVER);
  if (!/fork/i.test(options)) throw unknown(listener, "socat", `servers that go on: ${SERVER}`);
  const port = readPort(portWord!);
  const isTcp = kind.toUpperCase() === "TCP";
  for (const width of widthsOf(family!))
    if (!(isTcp ? echoTcp(netns, width, port) : echoUdp(netns, width, port)))
      throw failed("bind", `port ${port}`, "Address already in use");
}

/** A socket of IPv6 hears IPv4 as well. */
const widthsOf = (family: string): readonly Width[] => (family === "6" ? [16, 4] : [4]);

const echoTcp = (netns: Namespace, width: Width, port: number): boolean =>
  netns.tcp.listen(width, port, (connection) => ({
    onData: (bytes) => {
      if (!connection.send(bytes)) connection.abort();
    },
    onEnd: () => connection.close(),
    onClose: () => {},
  }));

function echoUdp(netns: Namespace, width: Width, port: number): boolean {
  const socket = netns.udp.bind(width, port, {
    onDatagram: ({ src, dst, srcPort }, payload) => void socket?.send(src, srcPort, payload, dst),
  });
  return socket !== undefined;
}

export interface Place {
  readonly netns: Namespace;
  readonly clock: Clock;
}

/** What the other end answers. */
export function ask(place: Place, words: readonly string[], input: string | undefined): string {
  if (LISTENER.test(words[0] ?? ""))
    throw unknown(words.join(" "), "socat", `servers behind which there is an &: ${SERVER}`);
  const [stdin, peer = "", more] = words;
  const [, kind, ip6, ip4, portWord] = PEER.exec(peer) ?? [];
  const ip = parseIp(ip6 ?? ip4 ?? "");
  if (
    kind === undefined ||
    ip === undefined ||
    !/^(-|STDIO)$/i.test(stdin ?? "") ||
    more !== undefined
  )
    throw unknown(words.join(" "), "socat", CLIENT);
  if (input === undefined)
    throw unknown(words.join(" "), "socat", `nothing to type into it: ${CLIENT}`);
  const port = readPort(portWord!);
  const bytes = bytesOf(input);
  if (bytes.length > INPUT_MAX) throw failed("write to", nameOf(ip, port), "Message too long");
  return kind.toUpperCase() === "TCP"
    ? askByTcp(place, ip, port, bytes)
    : askByUdp(place, ip, port, bytes);
}

function askByTcp({ netns, clock }: Place, ip: Ip, port: number, bytes: Uint8Array): string {
  const heard: number[] = [];
  let isOver = false;
  let failure: TcpFailure | undefined;
  const connection: TcpConnection | undefined = netns.tcp.connect(ip, port, {
    onData: (data) => heard.push(...data),
    onEnd: () => {},
    onClose: (reason) => {
      isOver = true;
      failure = reason;
    },
  });
  const name = nameOf(ip, port);
  if (connection === undefined) throw failed("connect", name, "Network is unreachable");
  connection.send(bytes);
  connection.close();
  clock.run(isOver ? 0 : TALK_MS, () => isOver);
  if (failure !== undefined) throw failed("connect", name, failure);
  return textOf(Uint8Array.from(heard));
}

function askByUdp({ netns, clock }: Place, ip: Ip, port: number, bytes: Uint8Array): string {
  let answer = "";
  let failure: Failure | undefined;
  const socket = netns.udp.bind(ip.length === 4 ? 4 : 16, 0, {
    onDatagram: (_, payload) => {
      answer += textOf(payload);
    },
    onFailure: (reason) => {
      failure = reason;
    },
  });
  const name = nameOf(ip, port);
  if (socket === undefined) throw failed("bind", "any port", `more than ${SOCKETS_MAX} sockets`);
  const hasWay = socket.send(ip, port, bytes);
  if (hasWay) clock.run(ANSWER_MS, () => failure !== undefined);
  socket.close();
  if (!hasWay) throw failed("connect", name, "Network is unreachable");
  if (failure !== undefined) throw failed("read from", name, UDP_FAILURES[failure]);
  return answer;
}

/** What read(2) says of a connected socket. */
const UDP_FAILURES: Readonly<Record<Failure, TcpFailure>> = {
  "no port": "Connection refused",
  "too big": "Message too long",
  "no host": "No route to host",
  "no route": "Network is unreachable",
  "time exceeded": "No route to host",
};

const nameOf = (ip: Ip, port: number): string =>
  ip.length === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`;

const failed = (what: string, name: string, reason: string): UsageError =>
  new UsageError(`socat: ${what} ${name}: ${reason}`, STATUS_FAILED);

function readPort(word: string): number {
  const port = Number(word);
  if (port > 0 && port <= PORT_MAX) return port;
  throw unknown(word, "port", `numbers from 1 to ${PORT_MAX}`);
}
