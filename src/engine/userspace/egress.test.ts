import assert from "node:assert/strict";
import { test } from "node:test";
import { claim, type Link, linkToLan, until } from "../../../test/neighbours.ts";
import { inScratch, needsNamespaces } from "../../../test/scratch-netns.ts";
import { frame as bareFrame, mac } from "../../../test/topology.ts";
import { NO_NEIGHBOUR, NO_ROUTE, SEND_FAILED } from "../../driver/decide/verdict.ts";
import { Statistics } from "../../driver/statistics.ts";
import { withNetns } from "../../linux/netns.ts";
import { EPOLLIN, poll } from "../../linux/sys.ts";
import { setSysctl } from "../../linux/sysctl.ts";
import { VNET_HEADER } from "../../linux/vnet.ts";
import {
  formatIp,
  formatMac,
  ip4FromNumber,
  macFrom,
  macHigh,
  macLow,
} from "../../wire/address.ts";
import * as eth from "../../wire/ethernet.ts";
import { Frame } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import { Egress, type Ways } from "./egress.ts";

const skip = needsNamespaces;
const MASTER = mac("own");
const L3 = 1;
const L3S = 2;
const SLAVE = 7;
const PER_DST = 3;
const PER_SLAVE = 32;
const ALL = 256;

/** Ways that only write down who was sent what. */
class Told implements Ways {
  trace: string[] = [];
  result = 0;
  wire = (f: Frame): number => this.#note("wire", f);
  host = (f: Frame): number => this.#note("host", f);
  hooks = (f: Frame): number => this.#note("hooks", f);

  /** What was told since the last call. */
  take(): string[] {
    const { trace } = this;
    this.trace = [];
    return trace;
  }

  #note(way: string, f: Frame): number {
    const [src, dst] = [
      macFrom(eth.srcHigh(f), eth.srcLow(f)),
      macFrom(eth.dstHigh(f), eth.dstLow(f)),
    ];
    const ttl = ipv4.ttl(f, eth.HEADER);
    const to = formatIp(ip4FromNumber(ipv4.dst(f, eth.HEADER)));
    this.trace.push(`${way} ${formatMac(src)} > ${formatMac(dst)} ${to} ttl ${ttl}`);
    return this.result;
  }
}

/** As it lies in a ring: behind room for a vnet header. */
function frame(dst: string, ttl = 64): Frame {
  const { bytes, start, length } = bareFrame(`02:00:00:00:00:0a>own 10.0.0.10>${dst}`);
  const f = new Frame().set(new Uint8Array(VNET_HEADER + length), VNET_HEADER, length);
  f.view().set(bytes.subarray(start, start + length));
  ipv4.setTtl(f, eth.HEADER, ttl);
  return f;
}

const inLan = (
  mode: number,
  body: (egress: Egress, ways: Told, link: Link, statistics: Statistics) => void,
) =>
  inScratch((scratch) => {
    const link = linkToLan(scratch);
    const ways = new Told();
    const [high, low] = [macHigh(MASTER), macLow(MASTER)];
    const addresses = { find4: () => 0, find6: () => 0 };
    const statistics = new Statistics();
    const port = { mode, flag: 0, compat: 0, macHigh: high, macLow: low, addresses, statistics };
    const egress = withNetns(link.netns, () => new Egress(port, ways, link.master));
    scratch.later(() => egress.close());
    body(egress, ways, link, statistics);
  });

/** As the forwarder does, until something has left. */
function follow(egress: Egress, ways: Told): void {
  until(() => {
    if (poll(egress.fd, EPOLLIN, 10)) egress.changed();
    return ways.trace.length > 0;
  });
}

const TO_W0 = "wire 02:00:00:00:00:02 > 02:00:00:00:00:01";

test(
  "frames wait for their neighbour, and leave in order when it has answered",
  { skip },
  inLan(L3, (egress, ways, link) => {
    claim(link, "10.0.0.7");
    for (const ttl of [1, 2, 3]) assert.equal(egress.send(frame("10.0.0.7", ttl), SLAVE), 0);
    assert.deepEqual(ways.take(), []);
    follow(egress, ways);
    assert.deepEqual(
      ways.take(),
      [1, 2, 3].map((ttl) => `${TO_W0} 10.0.0.7 ttl ${ttl}`),
    );
    egress.send(frame("10.0.0.7", 4), SLAVE);
    assert.deepEqual(ways.take(), [`${TO_W0} 10.0.0.7 ttl 4`]);
  }),
);

test(
  "one that does not answer keeps no other's frames",
  { skip },
  inLan(L3, (egress, ways) => {
    egress.send(frame("10.0.0.77"), SLAVE);
    egress.send(frame("10.0.0.1"), SLAVE);
    follow(egress, ways);
    assert.deepEqual(ways.take(), [`${TO_W0} 10.0.0.1 ttl 64`]);
  }),
);

test(
  "three frames wait for one destination; more are lost for want of a neighbour",
  { skip },
  inLan(L3, (egress, ways, link) => {
    for (let n = 0; n < PER_DST; n++) assert.equal(egress.send(frame("10.0.0.7", n), SLAVE + n), 0);
    assert.equal(egress.send(frame("10.0.0.7"), SLAVE), NO_NEIGHBOUR);
    claim(link, "10.0.0.7");
    follow(egress, ways);
    assert.equal(ways.take().length, PER_DST);
  }),
);

test(
  "a slave that sends to many who are silent keeps no other slave from waiting, until all places are taken",
  { skip },
  inLan(L3, (egress) => {
    const waiting = (slave: number): number => {
      let count = 0;
      while (egress.send(frame(`10.0.${slave}.${100 + count}`), slave) === 0) count++;
      return count;
    };
    for (let slave = 1; slave <= ALL / PER_SLAVE; slave++) assert.equal(waiting(slave), PER_SLAVE);
    assert.equal(waiting(100), 0);
  }),
);

test(
  "the kernel is not asked for one who has no room to wait; what is known goes on, and others ask",
  { skip },
  inLan(L3, (egress, ways) => {
    egress.send(frame("10.0.0.1"), SLAVE);
    follow(egress, ways);
    for (let n = 0; n <= PER_SLAVE; n++) egress.send(frame(`10.0.0.${100 + n}`), SLAVE);
    const { asked } = egress;
    for (let n = 0; n < 9; n++)
      assert.equal(egress.send(frame(`10.0.0.${200 + n}`), SLAVE), NO_NEIGHBOUR);
    assert.equal(egress.asked, asked);
    assert.equal(egress.send(frame("10.0.0.1"), SLAVE), 0);
    assert.equal(egress.send(frame("10.0.0.200"), SLAVE + 1), 0);
    assert.equal(egress.asked, asked + 1);
  }),
);

test(
  "a large frame takes as many places as its bytes",
  { skip },
  inLan(L3, (egress) => {
    const large = (dst: string): Frame => {
      const f = frame(dst);
      const bytes = new Uint8Array(8 * 8192);
      bytes.set(f.bytes);
      return f.set(bytes, VNET_HEADER, bytes.length - VNET_HEADER);
    };
    for (let n = 0; n < 4; n++) assert.equal(egress.send(large(`10.0.0.${100 + n}`), SLAVE), 0);
    assert.equal(egress.send(frame("10.0.0.200"), SLAVE), NO_NEIGHBOUR);
    assert.equal(egress.send(large("10.0.0.200"), SLAVE + 1), 0);
  }),
);

test(
  "frames to a neighbour that stays silent are lost in the end, and counted; a new one waits for its return",
  { skip },
  inLan(L3, (egress, ways, link, statistics) => {
    withNetns(link.netns, () => setSysctl("ipv4/neigh/m0/retrans_time_ms", 50));
    for (let n = 0; n < PER_DST; n++) egress.send(frame("10.0.0.77"), SLAVE);
    until(() => {
      if (poll(egress.fd, EPOLLIN, 10)) egress.changed();
      return statistics.read(SLAVE).drops["no-neighbour"] === PER_DST;
    });
    assert.deepEqual(ways.take(), []);
    withNetns(link.netns, () => setSysctl("ipv4/neigh/m0/retrans_time_ms", 500));
    assert.equal(egress.send(frame("10.0.0.77"), SLAVE), 0);
    egress.send(frame("10.0.0.1"), SLAVE);
    follow(egress, ways); // another's answer is none of its own
    assert.deepEqual(ways.take(), [`${TO_W0} 10.0.0.1 ttl 64`]);
    assert.equal(statistics.read(SLAVE).drops["no-neighbour"], PER_DST);
    claim(link, "10.0.0.77");
    follow(egress, ways);
    assert.deepEqual(ways.take(), [`${TO_W0} 10.0.0.77 ttl 64`]);
  }),
);

test(
  "frames that must wait on when something else changes find their own places free",
  { skip },
  inLan(L3, (egress, ways, link, statistics) => {
    for (let n = 0; n < PER_SLAVE - 1; n++) egress.send(frame(`10.0.0.${100 + n}`), SLAVE);
    egress.send(frame("10.0.0.1"), SLAVE);
    follow(egress, ways);
    assert.deepEqual(ways.take(), [`${TO_W0} 10.0.0.1 ttl 64`]);
    for (let n = 0; n < PER_SLAVE - 1; n++) claim(link, `10.0.0.${100 + n}`);
    until(() => {
      if (poll(egress.fd, EPOLLIN, 10)) egress.changed();
      return ways.trace.length === PER_SLAVE - 1;
    });
    assert.deepEqual(statistics.read(SLAVE).drops, {});
  }),
);

test(
  "what a way loses of the frames that waited is counted, too",
  { skip },
  inLan(L3, (egress, ways, _, statistics) => {
    ways.result = SEND_FAILED;
    assert.equal(egress.send(frame("10.0.0.1"), SLAVE), 0);
    follow(egress, ways);
    assert.deepEqual(statistics.read(SLAVE).drops, { "send-failed": 1 });
  }),
);

test(
  "what is for the host goes there as it is, and what has no route nowhere",
  { skip },
  inLan(L3, (egress, ways) => {
    assert.equal(egress.send(frame("10.0.0.2"), SLAVE), 0);
    assert.deepEqual(ways.take(), ["host 02:00:00:00:00:0a > 02:00:00:00:00:02 10.0.0.2 ttl 64"]);
    assert.equal(egress.send(bareFrame("own>own fd00::10>2001:db8::1"), SLAVE), NO_ROUTE);
    assert.deepEqual(ways.take(), []);
  }),
);

test(
  "an IPv6 group's frame leaves for the group's MAC",
  { skip },
  inLan(L3, (egress, ways) => {
    egress.send(bareFrame("02:00:00:00:00:0a>own fd00::10>ff02::fb"), SLAVE);
    assert.match(ways.take()[0]!, /^wire 02:00:00:00:00:02 > 33:33:00:00:00:fb /);
  }),
);

test(
  "what a way tells of a loss is told on",
  { skip },
  inLan(L3, (egress, ways) => {
    ways.result = SEND_FAILED;
    assert.equal(egress.send(frame("10.0.0.2"), SLAVE), SEND_FAILED);
  }),
);

test(
  "L3S: a packet goes into the hooks with the hop that they take, or marked where it has no room",
  { skip },
  inLan(L3S, (egress, ways) => {
    for (const ttl of [64, 254, 255]) assert.equal(egress.send(frame("10.0.0.1", ttl), SLAVE), 0);
    const own = "02:00:00:00:00:02";
    assert.deepEqual(ways.take(), [
      `hooks ${own} > ${own} 10.0.0.1 ttl 65`,
      `hooks ${own} > ${own} 10.0.0.1 ttl 255`,
      `hooks 02:69:70:76:6c:ff > ${own} 10.0.0.1 ttl 255`,
    ]);
  }),
);
