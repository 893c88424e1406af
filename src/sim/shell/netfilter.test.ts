/** Firewall rules on the simulated host, by nft and iptables. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { runScript as run } from "../../../test/sim-shell.ts";

/** A slave of eth0 in ns0, outside the LAN's prefix; the LAN has routes to it. */
const slave = (mode: string) => `
  ip netns add ns0
  ip link add link eth0 ipvl0 netns ns0 type ipvlan mode ${mode}
  ip -n ns0 link set ipvl0 up
  ip -n ns0 addr add 10.1.0.10/24 dev ipvl0; ip -n ns0 addr add fd01::10/64 dev ipvl0 nodad
  ip -n ns0 route add default dev ipvl0; ip -n ns0 -6 route add default dev ipvl0
  ip -n lan route add 10.1.0.0/24 via 10.0.0.2; ip -n lan -6 route add fd01::/64 via fd00::2`;

const chain = (hook: string, policy = "accept") =>
  `nft 'add table inet t; add chain inet t c { type filter hook ${hook} priority 0; policy ${policy}; }'`;

const received = (said: string) => said.match(/\d received/g);

describe("between the wire and a slave", () => {
  for (const hook of ["prerouting", "forward", "postrouting", "input", "output"] as const)
    for (const mode of ["l3", "l3s"] as const)
      test(`${mode}: a drop in ${hook}`, () => {
        const isSeen = mode === "l3s" && hook !== "input" && hook !== "output";
        for (const to of ["10.0.0.1", "fd00::1"]) {
          const { said } = run(`${slave(mode)}\n${chain(hook)}
            nft add rule inet t c ip saddr 10.1.0.10 counter drop
            nft add rule inet t c ip6 saddr fd01::10 counter drop
            ip netns exec ns0 ping -c 1 ${to}`);
          assert.deepEqual(received(said), [isSeen ? "0 received" : "1 received"], to);
        }
      });

  test("l3s: answers and questions pass by FORWARD, between eth0 and ipvlup, and are one connection", () => {
    const { said, complaint } = run(`${slave("l3s")}\n${chain("forward", "drop")}
      nft add rule inet t c iifname '"ipvlup*"' oifname eth0 ct state new counter accept
      nft add rule inet t c iifname eth0 oifname '"ipvlup*"' ct state established,related counter accept
      ip netns exec ns0 ping -c 1 10.0.0.1
      nft list table inet t
      conntrack -L
      ip netns exec lan ping -c 1 10.1.0.10`);
    assert.equal(complaint, "");
    assert.deepEqual(received(said), ["1 received", "0 received"]);
    assert.match(said, /ct state new counter packets 1 bytes 84 accept/);
    assert.match(said, /ct state established,related counter packets 1 bytes 84 accept/);
    assert.match(
      said,
      /^icmp +1 \d+ src=10\.1\.0\.10 dst=10\.0\.0\.1 type=8 code=0 id=(\d+) src=10\.0\.0\.1 dst=10\.1\.0\.10 type=0 code=0 id=\1$/m,
    );
  });

  test("l3s: a packet at its last hop does not reach a slave; its sender is told", () => {
    const { said } = run(`${slave("l3s")}\nip netns exec lan ping -c 1 -t 1 10.1.0.10`);
    assert.match(said, /^From 10\.0\.0\.2 icmp_seq=1 Time to live exceeded$/m);
    const inL3 = run(`${slave("l3")}\nip netns exec lan ping -c 1 -t 1 10.1.0.10`);
    assert.deepEqual(received(inL3.said), ["1 received"]);
  });

  for (const [mode, from] of [
    ["l3", "eth0"],
    ["l3s", "ipvlup"],
  ] as const)
    test(`${mode}: what a slave sends to the host itself comes in there, from ${from}`, () => {
      for (const hook of ["prerouting", "input"]) {
        const { said, complaint } = run(`${slave(mode)}\n${chain(hook)}
          nft add rule inet t c iifname ${from} ip daddr 10.0.0.2 counter
          echo x | ip netns exec ns0 socat - UDP:10.0.0.2:9
          nft list ruleset`);
        assert.equal(complaint, "");
        assert.match(said, /counter packets 1 bytes 30$/m, hook);
      }
    });

  test("l3s: slave to slave is no business of the rules", () => {
    const { said } = run(`${slave("l3s")}\n${chain("forward", "drop")}
      ip netns add ns1; ip link add link eth0 ipvl1 netns ns1 type ipvlan
      ip -n ns1 link set ipvl1 up; ip -n ns1 addr add 10.1.0.11/24 dev ipvl1
      ip netns exec ns1 ping -c 1 10.1.0.10`);
    assert.deepEqual(received(said), ["1 received"]);
  });

  test("l3s: a slave is masqueraded; without a route to it the LAN answers all the same", () => {
    const script = (rule: string) => `${slave("l3s")}
      ip -n lan route del 10.1.0.0/24 dev w0
      ${rule}
      ip netns exec ns0 ping -c 1 10.0.0.1`;
    assert.deepEqual(received(run(script("")).said), ["0 received"]);
    for (const rule of [
      "iptables -t nat -A POSTROUTING -s 10.1.0.0/24 -o eth0 -j MASQUERADE",
      "nft 'add table ip n; add chain ip n c { type nat hook postrouting priority srcnat; }; add rule ip n c oif eth0 masquerade'",
    ])
      assert.deepEqual(received(run(script(rule)).said), ["1 received"]);
  });
});

describe("the host's own packets", () => {
  for (const [hook, line, isDropped] of [
    ["output", "ping -c 1 10.0.0.1", true],
    ["postrouting", "ping -c 1 10.0.0.1", true],
    ["prerouting", "ping -c 1 10.0.0.1", false],
    ["prerouting", "ip netns exec lan ping -c 1 10.0.0.2", true],
    ["input", "ip netns exec lan ping -c 1 10.0.0.2", true],
    ["forward", "ip netns exec lan ping -c 1 10.0.0.2", false],
    ["input", "ping -c 1 10.0.0.2", true],
  ] as const)
    test(`a drop in ${hook}: ${line}`, () => {
      const there = line.startsWith("ip") || line.includes(".0.2") ? "10.0.0.2" : "10.0.0.1";
      const result = run(`${chain(hook)}\nnft add rule inet t c ip daddr ${there} drop\n${line}`);
      assert.deepEqual(received(result.said), [isDropped ? "0 received" : "1 received"]);
    });

  test("who drops all of ICMPv6 at input is not found by neighbours any more", () => {
    const script = (rule: string) =>
      `ip6tables -P INPUT DROP; ${rule}; ip netns exec lan ping -c 1 -W 9 fd00::2`;
    assert.match(run(script("ip6tables -F")).said, /Address unreachable/);
    assert.deepEqual(received(run(script("ip6tables -A INPUT -p icmpv6 -j ACCEPT")).said), [
      "1 received",
    ]);
  });

  test("neighbour discovery is not invalid", () => {
    const { said } = run(`ip6tables -A INPUT -m conntrack --ctstate INVALID -j DROP
      ip netns exec lan ping -c 1 -W 9 fd00::2`);
    assert.deepEqual(received(said), ["1 received"]);
  });
});

/** in -- host -- lan, with what comes from in masqueraded. */
const masquerading = `
  ip netns add in; ip link add v0 type veth peer name v1 netns in
  ip link set v0 up; ip addr add 192.168.7.1/24 dev v0
  ip -n in link set v1 up; ip -n in addr add 192.168.7.2/24 dev v1
  ip -n in route add default via 192.168.7.1
  sysctl -w net.ipv4.ip_forward=1; ip route add 203.0.113.0/24 via 10.0.0.1
  ip netns exec lan sysctl -w net.ipv4.ip_forward=1
  iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE`;

for (const [line, expected] of [
  ["ping -c 1 10.0.0.1", /^64 bytes from 10\.0\.0\.1/m],
  ["ping -c 1 -W 9 10.0.0.77", /^From 10\.0\.0\.2 icmp_seq=1 Destination Host Unreachable$/m],
  ["ping -c 1 203.0.113.1", /^From 10\.0\.0\.1 icmp_seq=1 Destination Net Unreachable$/m],
] as const)
  test(`behind a masquerading router: ${line}`, () => {
    const { said, complaint } = run(`${masquerading}\nip netns exec in ${line}`);
    assert.equal(complaint, "");
    assert.match(said, expected);
  });

test("a policy counts the packets to which it applied, and no others", () => {
  const { said } = run(`
    ip netns exec lan iptables -P INPUT DROP; ip netns exec lan iptables -A INPUT -p icmp -j ACCEPT
    ping -c 1 10.0.0.1; echo x | socat - UDP:10.0.0.1:7
    ip netns exec lan iptables -L INPUT -v -n`);
  assert.match(said, /^Chain INPUT \(policy DROP 1 packets, 30 bytes\)$/m);
  assert.match(said, /^ +1 +84 ACCEPT +icmp/m);
});

test("rules are listed as they were said, and go", () => {
  const { said } = run(`${chain("forward", "drop")}
    nft add rule inet t c iifname eth0 tcp dport { 22, 80-90 } ct state new,established accept
    nft insert rule inet t c ip6 saddr != fd00::/64 udp sport 53 counter packets 1 bytes 2 drop
    nft add chain inet t n '{ type nat hook postrouting priority srcnat + 5; }'
    nft list ruleset
    nft flush chain inet t c; nft delete chain inet t c; nft list ruleset
    nft delete table inet t; nft list ruleset`);
  assert.equal(
    said,
    `table inet t {
	chain c {
		type filter hook forward priority filter; policy drop;
		ip6 saddr != fd00::/64 udp sport 53 counter packets 1 bytes 2 drop
		iifname "eth0" tcp dport { 22, 80-90 } ct state new,established accept
	}

	chain n {
		type nat hook postrouting priority 105; policy accept;
	}
}
table inet t {
	chain n {
		type nat hook postrouting priority 105; policy accept;
	}
}
`,
  );
});

test("iptables lists rules as they were said; -D takes one, -F all", () => {
  const { said } = run(`
    iptables -P FORWARD DROP
    iptables -A FORWARD -d 10.1.0.1 -i eth0 ! -s 10.0.0.0/24 -p tcp --dport 80:90 -j ACCEPT
    iptables -I FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -S FORWARD
    iptables -L FORWARD -v -n
    iptables -D FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT; iptables -D FORWARD 1
    iptables -A INPUT -i 'ipvlup+' -j DROP; iptables -S INPUT
    iptables -F; iptables -S`);
  assert.equal(
    said,
    `-P FORWARD DROP
-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD ! -s 10.0.0.0/24 -d 10.1.0.1/32 -i eth0 -p tcp -m tcp --dport 80:90 -j ACCEPT
Chain FORWARD (policy DROP 0 packets, 0 bytes)
 pkts bytes target     prot opt in     out     source               destination
    0     0 ACCEPT     all  --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate ESTABLISHED,RELATED
    0     0 ACCEPT     tcp  --  eth0   *       !10.0.0.0/24         10.1.0.1             tcp dpt:80:90
-P INPUT ACCEPT
-A INPUT -i ipvlup+ -j DROP
-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
`,
  );
});

for (const [line, complaint] of [
  ["nft add rule ip t c drop", /No such file or directory/],
  ["nft add table bridge t", /has ip, ip6 and inet/],
  ["nft monitor", /has add table, add chain/],
  [`${chain("ingress")}`, /has prerouting, input, forward/],
  [`${chain("input")}; nft add rule inet t c log drop`, /has iifname, oifname/],
  [`${chain("input")}; nft add rule inet t c drop accept`, /unexpected "accept"/],
  [`${chain("input")}; nft add rule inet t c tcp dport 70000`, /has numbers from 0 to 65535/],
  [`${chain("input")}; nft add rule inet t c masquerade`, /Operation not supported/],
  ["nft add table ip t; nft add chain ip t c", /chains are at hooks here/],
  ["iptables -A INPUT -j LOG", /has ACCEPT, DROP and MASQUERADE/],
  ["iptables -A INPUT --dport 80 -j DROP", /stands behind -p tcp or -p udp/],
  ["iptables -A DOCKER -j DROP", /No chain\/target\/match by that name/],
  ["iptables -A FORWARD -j MASQUERADE", /is for -t nat -A POSTROUTING/],
  ["iptables -D INPUT -j DROP", /Bad rule/],
  ["iptables -A INPUT -m recent -j DROP", /has conntrack, state, tcp, udp/],
  ["conntrack -E", /has -L and -F/],
] as const)
  test(`${line}: one line that tells what is allowed`, () => {
    const result = run(line);
    assert.notEqual(result.status, 0);
    assert.match(result.complaint, /^script:1:\d+: [^\n]+\n$/);
    assert.match(result.complaint, complaint);
  });

test("any words: a status and at most one complaint, never an exception", () => {
  const words =
    "nft iptables ip6tables conntrack add insert list flush delete table chain rule ruleset ip ip6 inet t c { } ; " +
    "type filter nat hook forward postrouting priority 0 srcnat + policy drop accept counter masquerade ct state new " +
    "established , != tcp udp dport 80 saddr 10.0.0.0/8 iifname eth0 meta l4proto icmp -t -A -I -D -P -F -L -S FORWARD " +
    'POSTROUTING -j DROP ACCEPT MASQUERADE -p -s -d -i -o -m --dport --ctstate NEW ! -1 999999 "';
  const word = fc.constantFrom(...words.split(" "));
  const line = fc
    .array(word, { maxLength: 14 })
    .map((all) => `${all[0]} '${all.slice(1).join(" ")}'`);
  const bare = fc.array(word, { maxLength: 14 }).map((all) => all.join(" ").replaceAll('"', ""));
  fc.assert(
    fc.property(fc.array(fc.oneof(line, bare), { maxLength: 5 }), (lines) => {
      const { status } = run([chain("forward"), ...lines, "ping -c 1 10.0.0.1"].join("\n"));
      assert.ok(status >= 0 && status <= 255);
    }),
  );
});
