/** Rules that choose tables, routes that are replaced, neighbours and MACs that a person sets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runScript as run } from "../../../test/sim-shell.ts";

const received = (said: string) => said.match(/\d received/g);

/** host has two ways to 203.0.113.1: by left (198.51.100.2) and by right (192.0.2.2); each is told apart by its TTL's end. */
const twoWays = `
  ip netns add left; ip netns add right
  ip link add v0 type veth peer name v1 netns left; ip link add w1 type veth peer name w2 netns right
  ip link set v0 up; ip addr add 198.51.100.1/24 dev v0; ip -n left link set v1 up
  ip link set w1 up; ip addr add 192.0.2.1/24 dev w1; ip -n right link set w2 up
  ip -n left addr add 198.51.100.2/24 dev v1; ip -n right addr add 192.0.2.2/24 dev w2
  ip netns exec left sysctl -w net.ipv4.ip_forward=1; ip netns exec right sysctl -w net.ipv4.ip_forward=1
  ip route add 203.0.113.0/24 via 198.51.100.2`;

describe("ip rule", () => {
  test("a destination has its own table", () => {
    const { said, complaint } = run(`${twoWays}
      ip route add default via 192.0.2.2 table 100
      ping -c 1 -t 2 203.0.113.1 && exit`);
    assert.equal(complaint, "");
    assert.match(said, /^From 198\.51\.100\.2 icmp_seq=1 Destination Net Unreachable$/m);
    const ruled = run(`${twoWays}
      ip route add default via 192.0.2.2 table 100
      ip rule add to 203.0.113.0/24 lookup 100
      ping -c 1 203.0.113.1`);
    assert.match(ruled.said, /^From 192\.0\.2\.2 icmp_seq=1 Destination Net Unreachable$/m);
  });

  test("a source, or a device by which packets come in, has its own table on a router", () => {
    const script = (rule: string) => `${twoWays}
      ip netns add in; ip link add x1 type veth peer name x2 netns in
      ip link set x1 up; ip addr add 10.9.0.1/24 dev x1; sysctl -w net.ipv4.ip_forward=1
      ip -n in link set x2 up; ip -n in addr add 10.9.0.2/24 dev x2
      ip -n in route add default via 10.9.0.1
      ip -n left route add default via 198.51.100.1; ip -n right route add default via 192.0.2.1
      ip route add default via 192.0.2.2 table 100
      ${rule}
      ip netns exec in ping -c 1 -t 2 203.0.113.1`;
    const teller = (rule: string) => /From (\S+) /.exec(run(script(rule)).said)?.[1];
    assert.equal(teller(""), "198.51.100.2");
    assert.equal(teller("ip rule add from 10.9.0.0/24 lookup 100"), "192.0.2.2");
    assert.equal(teller("ip rule add from 10.8.0.0/24 lookup 100"), "198.51.100.2");
    assert.equal(teller("ip rule add iif x1 lookup 100"), "192.0.2.2");
    assert.equal(teller("ip rule add iif lo lookup 100"), "198.51.100.2");
    assert.equal(teller("ip rule add iif x1 lookup 7"), "198.51.100.2");
  });

  test("rules are listed as Linux lists them, and go", () => {
    const { said } = run(`
      ip rule add from 10.1.0.0/24 lookup 100
      ip rule add to 10.2.0.0/16 table 7 pref 5
      ip rule add iif lo lookup main
      ip rule
      ip rule del pref 5; ip rule del from 10.1.0.0/24; ip -6 rule add from fd00::1 lookup 9
      ip rule; ip -6 rule`);
    assert.equal(
      said,
      `0:	from all lookup local
4:	from all iif lo lookup main
5:	from all to 10.2.0.0/16 lookup 7
32765:	from 10.1.0.0/24 lookup 100
32766:	from all lookup main
32767:	from all lookup default
0:	from all lookup local
4:	from all iif lo lookup main
32766:	from all lookup main
32767:	from all lookup default
0:	from all lookup local
32765:	from fd00::1 lookup 9
32766:	from all lookup main
`,
    );
  });

  test("without the rule of the main table its routes are not asked", () => {
    const { complaint } = run("ip rule del lookup main\nping -c 1 10.0.0.1");
    assert.match(complaint, /Network is unreachable/);
  });
});

test("routes of tables are added, shown, replaced and deleted", () => {
  const { said, complaint } = run(`
    ip route add 203.0.113.0/24 dev eth0 table 7
    ip route replace 203.0.113.0/24 via 10.0.0.1 table 7
    ip route show table 7; ip route; ip route show table all
    ip route del 203.0.113.0/24 table 7; ip route show table 7`);
  assert.equal(complaint, "");
  assert.equal(
    said,
    `203.0.113.0/24 via 10.0.0.1 dev eth0
10.0.0.0/24 dev eth0
203.0.113.0/24 via 10.0.0.1 dev eth0 table 7
10.0.0.0/24 dev eth0
`,
  );
});

test("ip route get tells the way", () => {
  const { said } = run(`ip route add default via 10.0.0.1
    ip route get 203.0.113.1; ip route get 10.0.0.2; ip route get fd00::9 from fd00::2`);
  assert.equal(
    said,
    `203.0.113.1 via 10.0.0.1 dev eth0 src 10.0.0.2
local 10.0.0.2 dev lo
fd00::9 from fd00::2 dev eth0
`,
  );
});

test("an address may be replaced by itself", () => {
  const { status, said } = run("ip addr replace 10.0.0.2/24 dev eth0; ip -4 addr show eth0");
  assert.equal(status, 0);
  assert.equal(said.match(/10\.0\.0\.2/g)?.length, 1);
});

describe("ip neigh", () => {
  test("a neighbour with a wrong MAC is not reached, whatever it answers, until it is deleted", () => {
    const { said } = run(`
      ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:77 dev eth0
      ip neigh; ip netns exec lan ping -c 1 10.0.0.2 && exit`);
    assert.match(said, /^10\.0\.0\.1 dev eth0 lladdr 02:00:00:00:00:77 PERMANENT$/m);
    assert.deepEqual(received(said), ["0 received"]);
    const mended = run(`
      ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:77 dev eth0
      ip neigh flush dev eth0; ip neigh show dev eth0; ip neigh del 10.0.0.1 dev eth0
      ping -c 1 10.0.0.1`);
    assert.match(mended.said, /PERMANENT/);
    assert.deepEqual(received(mended.said), ["1 received"]);
  });

  test("flush forgets, replace tells anew", () => {
    const { said } = run(`ping -c 1 10.0.0.1; ip neigh flush all; ip neigh
      ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud reachable; ip neigh; sleep 31; ip neigh`);
    assert.deepEqual(said.match(/dev eth0.*/g), [
      "dev eth0 lladdr 02:00:00:00:00:01 REACHABLE",
      "dev eth0 lladdr 02:00:00:00:00:01 STALE",
    ]);
  });
});

test("a master's new MAC is its slaves', and they are reached by it; a slave has none of its own", () => {
  const { said, status, complaint } = run(`
    ip netns add ns0; ip link add link eth0 ipvl0 netns ns0 type ipvlan mode l2
    ip -n ns0 link set ipvl0 up; ip -n ns0 addr add 10.0.0.10/24 dev ipvl0
    ip netns exec ns0 ping -c 1 10.0.0.1
    ip link set eth0 address 02:00:00:00:00:77
    ip -n ns0 link show ipvl0
    ip -n lan neigh flush all
    ip netns exec ns0 ping -c 1 10.0.0.1
    ip -n ns0 link set ipvl0 address 02:00:00:00:00:78`);
  assert.match(said, /link\/ether 02:00:00:00:00:77/);
  assert.equal(status, 2);
  assert.match(complaint, /Operation not supported/);
  assert.deepEqual(received(said), ["1 received", "1 received"]);
});

for (const [line, complaint] of [
  ["ip rule add from 10.1.0.0/24 lookup 0", /"table" value is invalid/],
  ["ip rule add from 10.1.0.0/24 lookup foo", /"table" value is invalid/],
  ["ip rule add fwmark 1 lookup 7", /has from PREFIX, to PREFIX, iif NAME/],
  ["ip rule del from 10.9.0.0/24", /No such file or directory/],
  ["ip rule add pref 5 lookup 7; ip rule add pref 5 lookup 7", /File exists/],
  ["ip route del 203.0.113.0/24 table 7", /No such process/],
  ["ip route get 203.0.113.1", /Network is unreachable/],
  ["ip route add 203.0.113.0/24 dev eth0 metric x", /"metric" value is invalid/],
  ["ip neigh add 10.0.0.9 dev eth0", /Command line is not complete/],
  ["ip neigh add 10.0.0.9 lladdr zz dev eth0", /"zz" is invalid lladdr/],
  ["ip neigh del 10.0.0.9 dev eth0", /No such file or directory/],
  ["ip neigh flush", /Flush requires arguments/],
  ["ip link set eth0 address 01:00:00:00:00:01", /Cannot assign requested address/],
] as const)
  test(`${line}: refused in Linux's words`, () => {
    const result = run(line);
    assert.notEqual(result.status, 0);
    assert.match(result.complaint, complaint);
  });
