/** Scripts on the simulated host: the HOWTO's as it stands, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runScript as run } from "../../../test/sim-shell.ts";

const inside = (device: string, address: string) => `
  ip link set dev ${device} up
  ip link set dev lo up
  ip -4 addr add 127.0.0.1 dev lo
  ip -4 addr add ${address}/24 dev ${device}
  ip -4 route add default via $ROUTER dev ${device}`;

/** With the namespaces' lines as the HOWTO has them: typed into a shell there. */
const howto = (type: string) => `
  ROUTER=10.0.0.1
  ip netns add ns0; ip netns add ns1
  ip link add link eth0 ipvl0 type ipvlan ${type}
  ip link add link eth0 ipvl1 type ipvlan ${type}
  ip link set dev ipvl0 netns ns0
  ip link set dev ipvl1 netns ns1
  ip netns exec ns0 bash
  ${inside("ipvl0", "10.0.0.10")}
  exit
  ip netns exec ns1 bash
  ${inside("ipvl1", "10.0.0.11")}
  exit`;

test("the HOWTO's script: slaves ping each other and the router", () => {
  const { status, said, complaint } = run(`${howto("mode l2")}
    ip netns exec ns0 ping -c 2 10.0.0.11
    ip netns exec ns1 ping -c 1 10.0.0.1
    ip -n ns0 link show type ipvlan`);
  assert.deepEqual([status, complaint], [0, ""]);
  assert.match(said, /2 packets transmitted, 2 received, 0% packet loss/);
  assert.match(said, /64 bytes from 10\.0\.0\.1: icmp_seq=1/);
  assert.match(
    said,
    /^ipvl0@eth0: <UP> mtu 1500 state UP\n.*02:00:00:00:00:02\n {4}ipvlan mode l2 bridge$/m,
  );
});

test("private: slaves do not reach each other, but the router; bridge again: they do", () => {
  const { status, said } = run(`${howto("mode l2 private")}
    ip netns exec ns0 ping -c 1 10.0.0.1
    ip -n ns0 link set ipvl0 type ipvlan bridge
    ip netns exec ns0 ping -c 1 10.0.0.11
    ip -n ns0 link set ipvl0 type ipvlan private
    ip netns exec ns0 ping -c 1 10.0.0.11`);
  assert.equal(status, 1);
  assert.deepEqual(said.match(/\d received/g), ["1 received", "1 received", "0 received"]);
});

test("l3: the router needs a route to the slaves", () => {
  const { said } = run(`${howto("mode l3")}
    ip -n lan route add 10.0.0.10/32 via 10.0.0.2
    ip -n ns0 link show ipvl0
    ip -n lan neigh
    ip netns exec ns0 ping -c 1 10.0.0.1`);
  assert.match(said, /ipvl0@eth0: <NOARP,UP>/);
  assert.match(said, /1 received/);
});

test("a pair of veth ends in two namespaces, and goes as a whole", () => {
  const { status, said } = run(`
    ip netns add a
    ip link add v0 type veth peer name v1 netns a
    ip addr add 192.0.2.1/24 dev v0
    ip link set v0 up
    ip -n a link set v1 up
    ip -n a addr add 192.0.2.2/24 dev v1
    ping -c 1 192.0.2.2
    ip -n a link del v1
    ip link show v0`);
  assert.match(said, /1 received/);
  assert.equal(status, 1);
});

test("the last slave takes the port along: the next one may have another mode", () => {
  const { status, said } = run(`
    ip link add link eth0 s0 type ipvlan mode l3s
    ip link del s0
    ip link add link eth0 type ipvlan mode l2 private
    ip link show type ipvlan`);
  assert.equal(status, 0);
  assert.match(said, /ipvlan0@eth0: .*\n.*\n {4}ipvlan mode l2 private/);
});

/** host's up0 -- a bridge in sw -- the router's end in far; two slaves of up0. */
const rack = (flag: string) => `
  ip netns add sw; ip netns add far; ip netns add s0; ip netns add s1
  ip link add up0 type veth peer name p0 netns sw
  ip -n sw link add p1 type veth peer name f netns far
  ip -n sw link add br0 type bridge
  ip -n sw link set p0 master br0; ip -n sw link set p1 master br0
  ip -n sw link set p0 up; ip -n sw link set p1 up; ip -n sw link set br0 up
  ip link set up0 up; ip -n far link set f up; ip -n far addr add 192.0.2.1/24 dev f
  ip link add link up0 x0 netns s0 type ipvlan mode l2 ${flag}
  ip link add link up0 x1 netns s1 type ipvlan mode l2 ${flag}
  ip -n s0 link set x0 up; ip -n s0 addr add 192.0.2.10/24 dev x0
  ip -n s1 link set x1 up; ip -n s1 addr add 192.0.2.11/24 dev x1`;

test("vepa on a bridge: slaves reach each other when its port is a hairpin", () => {
  const { said, complaint } = run(`${rack("vepa")}
    ip netns exec s0 ping -c 1 192.0.2.1
    ip netns exec sw bridge link set dev p0 hairpin on
    ip netns exec s0 ping -c 1 192.0.2.11
    ip netns exec sw bridge link set dev p0 hairpin off
    ip netns exec s0 ping -c 1 192.0.2.11`);
  assert.equal(complaint, "");
  assert.deepEqual(said.match(/\d received/g), ["1 received", "1 received", "0 received"]);
});

test("a bridge has an end of its own, and its ports are no masters", () => {
  const { said, status, complaint } = run(`${rack("bridge")}
    ip -n sw addr add 192.0.2.5/24 dev br0
    ip netns exec s0 ping -c 1 192.0.2.5
    ip -n sw link add link p0 x9 type ipvlan`);
  assert.match(said, /1 received/);
  assert.equal(status, 2);
  assert.match(complaint, /RTNETLINK answers: Device or resource busy/);
});

/** host -- r -- far: 192.0.2.0/24, then 198.51.100.0/24, and a route to nowhere behind r. */
const chain = `
  ip netns add r; ip netns add far
  ip link add h type veth peer name r0 netns r
  ip -n r link add r1 type veth peer name f netns far
  ip link set h up; ip -n r link set r0 up; ip -n r link set r1 up; ip -n far link set f up
  ip addr add 192.0.2.1/24 dev h; ip -n r addr add 192.0.2.2/24 dev r0
  ip -n r addr add 198.51.100.1/24 dev r1; ip -n far addr add 198.51.100.2/24 dev f
  ip addr add fd01::1/64 dev h nodad; ip -n r addr add fd01::2/64 dev r0 nodad
  ip -n r addr add fd02::1/64 dev r1 nodad; ip -n far addr add fd02::2/64 dev f nodad
  ip route add 198.51.100.0/24 via 192.0.2.2; ip -n far route add default via 198.51.100.1
  ip route add 203.0.113.0/24 via 192.0.2.2
  ip -6 route add fd02::/64 via fd01::2; ip -n far -6 route add default via fd02::1
  ip netns exec r sysctl -w net.ipv4.ip_forward=1; ip netns exec r sysctl net.ipv6.conf.all.forwarding=1`;

for (const [line, expected] of [
  ["ping -c 1 198.51.100.2", /64 bytes from 198\.51\.100\.2: icmp_seq=1/],
  ["ping -c 1 fd02::2", /64 bytes from fd02::2: icmp_seq=1/],
  ["ping -c 1 -t 1 198.51.100.2", /^From 192\.0\.2\.2 icmp_seq=1 Time to live exceeded$/m],
  ["ping -c 1 -t 1 fd02::2", /^From fd01::2 icmp_seq=1 Time exceeded: Hop limit$/m],
  ["ping -c 1 203.0.113.1", /^From 192\.0\.2\.2 icmp_seq=1 Destination Net Unreachable$/m],
  ["ping -c 1 -W 9 198.51.100.9", /^From 192\.0\.2\.2 icmp_seq=1 Destination Host Unreachable$/m],
  [
    "ping -c 1 -W 9 fd02::9",
    /^From fd01::2 icmp_seq=1 Destination unreachable: Address unreachable$/m,
  ],
  ["ping -c 1 -W 9 192.0.2.9", /^From 192\.0\.2\.1 icmp_seq=1 Destination Host Unreachable$/m],
] as const)
  test(`a router between: ${line}`, () => {
    const { said, complaint } = run(`${chain}\n${line}`);
    assert.equal(complaint, "");
    assert.match(said, expected);
  });

test("a host that does not forward says nothing, and without a route there is no way", () => {
  const { said } = run(`${chain}
    ip netns exec r sysctl -w net.ipv4.ip_forward=0
    ping -c 1 198.51.100.2`);
  assert.match(
    said,
    /\nnet\.ipv4\.ip_forward = 0\nPING 198\.51\.100\.2\n1 packets transmitted, 0 received/,
  );
  const { status, complaint } = run("ping 198.51.100.2");
  assert.deepEqual([status, complaint], [2, "script:1:1: ping: connect: Network is unreachable\n"]);
});

for (const [line, status, complaint] of [
  ["ipvlan port set eth0 compat kernel", 2, "RTNETLINK answers: No such device"],
  ["ipvlan port set eth0 compat linux", 1, /set MASTER compat \{ howto \| kernel \}/],
  ["ip link set nosuch up", 1, 'Cannot find device "nosuch"'],
  ["ip link add link eth0 eth0 type ipvlan", 2, "RTNETLINK answers: File exists"],
  ["ip link add link lo s0 type ipvlan", 2, "RTNETLINK answers: Invalid argument"],
  ["ip link add link eth0 s0 type ipvlan mode l4", 1, /must be either "l2", "l3" or "l3s"/],
  ["ip link add link eth0 s0 type bond", 1, /has ipvlan, veth, bridge/],
  ["ip netns add lan", 1, /File exists/],
  ["ip netns exec nosuch ping 10.0.0.1", 255, /Cannot open network namespace "nosuch"/],
  ["ip addr add 10.0.0.999/24 dev eth0", 1, /prefix is expected rather than "10.0.0.999\/24"/],
  ["ip route add default via 192.0.2.1", 2, "Error: Nexthop has invalid gateway."],
  ["ip route del 192.0.2.0/24 dev eth0", 2, "RTNETLINK answers: No such process"],
  ["nmap 10.0.0.1", 255, /has ip, ipvlan, bridge, tc, ping, arping, .* and exit/],
  ["ping -f 10.0.0.1", 1, /-c COUNT/],
  ["ping 10.0.0.1 10.0.0.2", 1, /"10\.0\.0\.2"\? The simulated host has one ADDRESS/],
  ["ping -6 10.0.0.1", 1, 'Error: inet6 address is expected rather than "10.0.0.1".'],
  ["ping", 1, "ping: usage error: Destination address required"],
  ["ip", 1, /ip: the simulated host has netns, link/],
  ["ip netns add a/b", 255, 'Invalid netns name "a/b"'],
  ["ip netns add ''", 255, 'Invalid netns name ""'],
  ["ip netns delete none", 1, /Cannot remove namespace file .*none": No such file or directory/],
  ["ip netns delete host", 1, /Cannot remove namespace file .*host": Device or resource busy/],
  ["ip netns exec lan", 1, "No command specified"],
  ["ip link show eth1", 1, 'Device "eth1" does not exist.'],
  ["ip link show eth0 lo", 255, 'Error: either "dev" is duplicate, or "lo" is a garbage.'],
  ["ip link set eth0 type veth", 1, /"veth"\? The simulated host has ipvlan/],
  ["ip link add v0 type veth peer name v0", 2, "RTNETLINK answers: File exists"],
  ["ip addr add 10.0.0.9/24", 1, 'Not enough information: "dev" argument is required.'],
  ["ip addr add 10.0.0.9/24 10.0.0.8/24 dev eth0", 255, /either "local" is duplicate/],
  ["ip addr add ff02::1/64 dev eth0", 2, "Error: ipv6: Invalid address."],
  ["ip addr del 10.0.0.2/16 dev eth0", 2, "RTNETLINK answers: Cannot assign requested address"],
  ["ip route add 192.0.2.1/24 dev eth0", 2, "Error: Invalid prefix for given prefix length."],
  ["ip route add 192.0.2.0/24 via fd00::1", 1, /inet address is expected rather than "fd00::1"/],
  ["ip route add 192.0.2.0/24 dev lo", 2, "Error: Device for nexthop is not up."],
  ["sleep -1", 1, /numbers above 0/],
] as const)
  test(`${line}: one line with its place, status ${status}`, () => {
    const result = run(`\n  ${line}`);
    assert.equal(result.status, status);
    assert.match(result.complaint, /^script:2:3: [^\n]+\n/);
    if (typeof complaint === "string") assert.equal(result.complaint, `script:2:3: ${complaint}\n`);
    else assert.match(result.complaint, complaint);
  });

test("exit goes out of a namespace, and at last ends the script", () => {
  const { status, said } = run("ip netns exec lan sh; exit; echo host; exit; echo more");
  assert.deepEqual([status, said], [0, "host\n"]);
});

test("a bridge is no port of a bridge", () => {
  const { status, complaint } = run("ip link add br0 type bridge; ip link set br0 master br0");
  assert.equal(status, 2);
  assert.match(complaint, /Error: Can not enslave a bridge to a bridge\.\n$/);
});

test("a namespace that a shell is in stays until it has left", () => {
  const inside = run("ip netns add a; ip netns exec a sh; ip netns delete a");
  assert.match(inside.complaint, /"\/run\/netns\/a": Device or resource busy\n$/);
  assert.equal(run("ip netns add a; ip netns exec a sh; exit; ip netns delete a").status, 0);
});

test("a word of any length is told in a line that can be read", () => {
  assert.ok(run("x".repeat(100_000)).complaint.length < 600);
});

test("an address that another slave has is refused in the driver's words", () => {
  const { status, complaint } = run(`${howto("mode l2")}
    ip -n ns1 addr add 10.0.0.10/24 dev ipvl1`);
  assert.equal(status, 2);
  assert.match(complaint, /Error: Address already assigned to an ipvlan device\.\n$/);
});

test("the same script tells the same, each time", () => {
  const script = `${howto("mode l2")}\nip netns exec ns0 ping -c 3 10.0.0.1\nip -n ns0 neigh`;
  assert.deepEqual(run(script), run(script));
});

test("any words: a status and at most complaints, never an exception", () => {
  const word = fc.constantFrom(
    ..."ip ping link addr route neigh netns add del set show exec dev eth0 lo s0 v1 up down name type".split(
      " ",
    ),
    ..."ipvlan veth peer mode l2 l3 private 10.0.0.9/24 fd00::9/64 10.0.0.1 default via -n -4 -6 ns".split(
      " ",
    ),
    ..."link mtu 0 sleep exit sh sim list dev metric nodad inet6 -c 1 -W netns lan".split(" "),
  );
  fc.assert(
    fc.property(fc.array(fc.array(word, { maxLength: 9 }), { maxLength: 6 }), (lines) => {
      const { status } = run(lines.map((words) => words.join(" ")).join("\n"));
      assert.ok(status >= 0 && status <= 255);
    }),
  );
});
