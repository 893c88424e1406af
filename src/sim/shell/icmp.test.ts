/** What routers and hosts tell of packets that are too big, or have a shorter way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runScript as run } from "../../../test/sim-shell.ts";

/** host -- r -- far; between r and far 1400 bytes fit. */
const narrow = `
  ip netns add r; ip netns add far
  ip link add h type veth peer name r0 netns r
  ip -n r link add r1 type veth peer name f netns far
  ip -n r link set r1 mtu 1400; ip -n far link set f mtu 1400
  ip link set h up; ip -n r link set r0 up; ip -n r link set r1 up; ip -n far link set f up
  ip addr add 192.0.2.1/24 dev h; ip -n r addr add 192.0.2.2/24 dev r0
  ip -n r addr add 198.51.100.1/24 dev r1; ip -n far addr add 198.51.100.2/24 dev f
  ip addr add fd01::1/64 dev h nodad; ip -n r addr add fd01::2/64 dev r0 nodad
  ip -n r addr add fd02::1/64 dev r1 nodad; ip -n far addr add fd02::2/64 dev f nodad
  ip route add 198.51.100.0/24 via 192.0.2.2; ip -n far route add default via 198.51.100.1
  ip -6 route add fd02::/64 via fd01::2; ip -n far -6 route add default via fd02::1
  ip netns exec r sysctl -w net.ipv4.ip_forward=1; ip netns exec r sysctl net.ipv6.conf.all.forwarding=1`;

for (const [line, expected] of [
  ["ping -c 1 -M do -s 1372 198.51.100.2", /^1380 bytes from 198\.51\.100\.2: icmp_seq=1/m],
  [
    "ping -c 1 -M do -s 1373 198.51.100.2",
    /^From 192\.0\.2\.2 icmp_seq=1 Frag needed and DF set \(mtu = 1400\)$/m,
  ],
  ["ping -c 1 -s 1352 fd02::2", /^1360 bytes from fd02::2: icmp_seq=1/m],
  ["ping -c 1 -s 1353 fd02::2", /^From fd01::2 icmp_seq=1 Packet too big: mtu=1400$/m],
  ["ping -c 1 -M do -s 1473 192.0.2.2", /^ping: local error: message too long, mtu=1500$/m],
  ["ping -c 1 -s 1472 192.0.2.2", /^1480 bytes from 192\.0\.2\.2/m],
] as const)
  test(line, () => {
    const { said, complaint } = run(`${narrow}\n${line}`);
    assert.equal(complaint, "");
    assert.match(said, expected);
  });

test("a link whose ends do not agree loses what is too long for one of them, and nobody is told", () => {
  const { said } = run(`${narrow}
    ip -n r link set r1 mtu 1500
    ping -c 1 -s 1378 198.51.100.2
    ping -c 1 -s 1372 198.51.100.2`);
  assert.doesNotMatch(said, /From/);
  assert.deepEqual(said.match(/\d received/g), ["0 received"]);
});

test("a datagram that is too big to be sent is told so", () => {
  const { complaint } = run(`echo ${"x".repeat(1500)} | socat - UDP:10.0.0.1:7`);
  assert.match(complaint, /socat: read from 10\.0\.0\.1:7: Message too long/);
});

test("slaves have their master's MTU, and follow it; more they do not get", () => {
  const { said, status, complaint } = run(`
    ip link add link eth0 ipvl0 type ipvlan mode l2
    ip link set eth0 mtu 1400; ip link show ipvl0
    ip link set ipvl0 mtu 1300; ip link show ipvl0
    ip link set ipvl0 mtu 1500`);
  assert.deepEqual(said.match(/mtu \d+/g), ["mtu 1400", "mtu 1300"]);
  assert.equal(status, 2);
  assert.match(complaint, /RTNETLINK answers: Invalid argument\n$/);
});

test("a router that sends a packet back where it came from tells of the next hop, and is not asked again", () => {
  const { said, complaint } = run(`
    ip netns add sw; ip netns add router; ip netns add second
    ip -n sw link add br0 type bridge; ip -n sw link set br0 up
    ip link add h type veth peer name p0 netns sw
    ip -n router link add r type veth peer name p1 netns sw
    ip -n second link add s type veth peer name p2 netns sw
    ip -n sw link set p0 master br0; ip -n sw link set p1 master br0; ip -n sw link set p2 master br0
    ip -n sw link set p0 up; ip -n sw link set p1 up; ip -n sw link set p2 up
    ip link set h up; ip addr add 192.0.2.1/24 dev h
    ip -n router link set r up; ip -n router addr add 192.0.2.2/24 dev r
    ip -n second link set s up; ip -n second addr add 192.0.2.3/24 dev s
    ip -n second addr add 198.51.100.1/32 dev s
    ip netns exec router sysctl -w net.ipv4.ip_forward=1
    ip -n router route add 198.51.100.0/24 via 192.0.2.3
    ip route add 198.51.100.0/24 via 192.0.2.2
    ping -c 2 198.51.100.1`);
  assert.equal(complaint, "");
  assert.deepEqual(said.match(/^From.*$/gm), [
    "From 192.0.2.2 icmp_seq=1 Redirect Host(New nexthop: 192.0.2.3)",
  ]);
  assert.match(said, /2 received/);
});

test("a router tells of no next hop that the sender could not ask itself", () => {
  const { said } = run(`
    ip netns add a; ip link add v0 type veth peer name v1 netns a
    ip link set v0 up; ip addr add 192.0.2.1/24 dev v0
    ip -n a link set v1 up; ip -n a addr add 192.0.2.2/24 dev v1; ip -n a addr add 198.51.100.1/24 dev v1
    ip netns exec a sysctl -w net.ipv4.ip_forward=1
    ip route add 198.51.100.0/24 via 192.0.2.2
    ping -c 1 -W 9 198.51.100.7`);
  assert.deepEqual(said.match(/^From.*$/gm), [
    "From 192.0.2.2 icmp_seq=1 Destination Host Unreachable",
  ]);
});

test("a router does not believe other routers' redirects, which so come each time", () => {
  const { said } = run(`
    ip netns add a; ip link add v0 type veth peer name v1 netns a
    ip link set v0 up; ip addr add 192.0.2.1/24 dev v0
    ip -n a link set v1 up; ip -n a addr add 192.0.2.2/24 dev v1; ip -n a addr add 192.0.2.3/24 dev v1
    ip netns exec a sysctl -w net.ipv4.ip_forward=1
    ip -n a route add 198.51.100.0/24 via 192.0.2.77
    sysctl -w net.ipv4.ip_forward=1
    ip route add 198.51.100.0/24 via 192.0.2.2
    ping -c 2 198.51.100.1`);
  assert.doesNotMatch(said, /Redirect/);
});
