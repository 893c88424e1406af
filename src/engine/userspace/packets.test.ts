import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { frame } from "../../../test/topology.ts";
import * as eth from "../../wire/ethernet.ts";
import { Frame, put8 } from "../../wire/frame.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as ipv6 from "../../wire/ipv6.ts";
import { addHop, haveSameDst, isMembershipReport } from "./packets.ts";

const V4 = "own>w0 10.0.0.10>10.0.0.1";
const V6 = "own>w0 fd00::10>fd00::1";
const AT = eth.HEADER;

test("IPv4: a hop is given back, with a sound checksum, unless there is no room for it", () => {
  for (let ttl = 0; ttl <= 255; ttl++) {
    const f = frame(V4);
    ipv4.setTtl(f, AT, ttl);
    assert.equal(addHop(f), ttl < 255);
    assert.equal(ipv4.ttl(f, AT), Math.min(255, ttl + 1));
    const { bytes } = f;
    const counted = Frame.of(bytes.slice());
    counted.set(counted.bytes, f.start, f.length);
    ipv4.fillChecksum(counted, AT);
    assert.equal(ipv4.headerChecksum(f, AT), ipv4.headerChecksum(counted, AT), `ttl ${ttl}`);
  }
});

test("IPv6: a hop is given back, unless there is no room for it", () => {
  for (let limit = 0; limit <= 255; limit++) {
    const f = frame(V6);
    ipv6.setHopLimit(f, AT, limit);
    assert.equal(addHop(f), limit < 255);
    assert.equal(ipv6.hopLimit(f, AT), Math.min(255, limit + 1));
  }
});

test("nothing but IP has hops", () => {
  const f = frame("own>all arp 10.0.0.10>10.0.0.1");
  const before = Buffer.from(f.view());
  assert.equal(addHop(f), true);
  assert.deepEqual(Buffer.from(f.view()), before);
});

test("packets have the same destination only if family and all of the address agree", () => {
  const packets = [V4, V6, "own>w0 10.0.0.10>10.0.0.2", "own>w0 fd00::10>fd00::2"].map(frame);
  for (const f of packets) for (const g of packets) assert.equal(haveSameDst(f, g), f === g);
  assert.equal(haveSameDst(frame(V6), frame("own>w0 fd00::11>fd01::1")), false);
  assert.equal(haveSameDst(frame(V6), frame("other>own fd00::11>fd00::1")), true);
});

test("IGMP to a group tells of memberships", () => {
  const f = frame("own>01:00:5e:00:00:16 10.0.0.10>224.0.0.22");
  assert.equal(isMembershipReport(f), false, "UDP");
  put8(f, AT + 9, 2);
  assert.equal(isMembershipReport(f), true);
  const toOne = frame(V4);
  put8(toOne, AT + 9, 2);
  assert.equal(isMembershipReport(toOne), false, "to one host");
});

test("MLD, behind a hop-by-hop header to a group, tells of memberships", () => {
  const f = frame("own>33:33:00:00:00:16 fe80::10>ff02::16");
  assert.equal(isMembershipReport(f), false, "UDP");
  put8(f, AT + 6, 0);
  assert.equal(isMembershipReport(f), true);
});

test("an ARP request tells of none", () => {
  assert.equal(isMembershipReport(frame("own>all arp 10.0.0.10>10.0.0.1")), false);
});

test("any bytes are looked at without reading or writing beyond their end", () => {
  const types = fc.constantFrom(eth.ETH_P_IP, eth.ETH_P_IPV6, eth.ETH_P_ARP);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), types, (bytes, type) => {
      const around = new Uint8Array(bytes.length + 40).fill(0xaa);
      const f = new Frame().set(around, 20, bytes.length);
      around.set(bytes, 20);
      eth.setType(f, type);
      isMembershipReport(f);
      addHop(f);
      for (let i = 0; i < 20; i++)
        assert.deepEqual([around[i], around[around.length - 1 - i]], [0xaa, 0xaa]);
    }),
  );
});
