/**
 * One end of the bench's UDP traffic over IPv4, a process of its own that waits in system calls: no event loop is
 * measured along, and what calling libc costs is the same for everybody. `node end.js ROLE ADDRESS MS`, ADDRESS the
 * other end's:
 *
 *     flood   sends datagrams of 18 bytes, an Ethernet frame of the least length, as fast as it can
 *     count   tells how many a second arrive
 *     ping    sends one, waits for it to come back, and so on; tells median and 99th percentile of the times, in
 *             microseconds, as JSON
 *     pong    sends back what comes to where the first came from: somebody on the way may have put another address
 */
import * as sys from "../src/linux/sys.ts";
import { formatIp, ip4FromNumber, parseIp } from "../src/wire/address.ts";
import { Frame } from "../src/wire/frame.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import * as udp from "../src/wire/udp.ts";

const PORT = 7777;
const LENGTH = 18;
const IPPROTO_UDP = 17;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
/** A flood that comes in bursts is not to be lost for want of room at its end. */
const RECEIVE_BUFFER = 8 << 20;
/** Nobody waits longer for a datagram that was lost. */
const TIMEOUT_US = 100_000;
/** Who sends may take some time to start. */
const FIRST_MS = 5000;
/** Datagrams between two looks at the clock. */
const BATCH = 64;
const TIMES_MAX = 1 << 20;

const [, , role = "", address = "", ms = "0"] = process.argv;

const socket = openSocket();
const data = Buffer.from(new ArrayBuffer(2048));
const at = sys.addressOf(data);
const other = sockaddrIn(address);
const send = (): boolean => sys.sendtoAt(socket, at, LENGTH, other) > 0;
const receive = (): boolean => sys.readAt(socket, at, data.length) > 0;

const timeLater = (): number => performance.now() + Number(ms);

console.log("ready");
const roles: Readonly<Record<string, () => unknown>> = { flood, count, ping, pong };
console.log(roles[role]!());

function flood(): void {
  const until = timeLater();
  while (performance.now() < until) for (let n = 0; n < BATCH; n++) send();
}

/** From the first that arrives. */
function count(): number {
  const giveUp = performance.now() + FIRST_MS;
  while (!receive()) if (performance.now() > giveUp) return 0;
  const [start, until] = [performance.now(), timeLater()];
  let [now, received] = [start, 0];
  for (; now < until; now = performance.now())
    for (let n = 0; n < BATCH && receive(); n++) received++;
  return (received / (now - start)) * 1000;
}

function ping(): string {
  const times = new Float64Array(TIMES_MAX);
  const until = timeLater();
  let [n, now] = [0, performance.now()];
  while (now < until && n < TIMES_MAX) {
    const isBack = send() && receive();
    const before = now;
    now = performance.now();
    if (isBack) times[n++] = (now - before) * 1000;
  }
  const sorted = times.subarray(0, n).sort();
  return JSON.stringify(n === 0 ? [] : [sorted[n >> 1], sorted[Math.floor(n * 0.99)]]);
}

function pong(): void {
  const until = timeLater();
  const source = findSource(until);
  if (source === undefined) return;
  while (performance.now() < until) if (receive()) sys.sendtoAt(socket, at, LENGTH, source);
}

/** A raw socket's datagrams bring their headers along. */
function findSource(until: number): Buffer | undefined {
  const listener = sys.socket(sys.AF_INET, sys.SOCK_RAW, IPPROTO_UDP);
  const f = new Frame();
  try {
    while (performance.now() < until)
      if (sys.poll(listener, sys.EPOLLIN, TIMEOUT_US / 1000)) {
        f.set(data, 0, Number(sys.receive(listener, data)));
        const udpAt = ipv4.payloadAt(f, 0);
        if (udp.dstPort(f, udpAt) === PORT)
          return sockaddrIn(formatIp(ip4FromNumber(ipv4.src(f, 0))), udp.srcPort(f, udpAt));
      }
    return undefined;
  } finally {
    sys.close(listener);
  }
}

function openSocket(): number {
  const fd = sys.socket(sys.AF_INET, sys.SOCK_DGRAM, 0);
  const timeout = Buffer.alloc(16); // struct timeval
  timeout.writeInt32LE(TIMEOUT_US, 8);
  sys.setsockopt(fd, sys.SOL_SOCKET, SO_RCVTIMEO, timeout, "wait for a time only");
  sys.setsockopt(fd, sys.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER, "enlarge a buffer");
  sys.bind(fd, sockaddrIn("0.0.0.0"));
  return fd;
}

/** struct sockaddr_in. */
function sockaddrIn(ip: string, port: number = PORT): Buffer {
  const addr = Buffer.from(new ArrayBuffer(16));
  addr.writeUInt16LE(sys.AF_INET, 0);
  addr.writeUInt16BE(port, 2);
  addr.set(parseIp(ip)!, 4);
  return addr;
}
