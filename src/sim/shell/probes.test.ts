/** tcpdump, arping and tc in scripts on the simulated host. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runScript as run } from "../../../test/sim-shell.ts";

const slaves = `
  ip netns add ns0; ip netns add ns1
  ip link add link eth0 ipvl0 netns ns0 type ipvlan mode l2
  ip link add link eth0 ipvl1 netns ns1 type ipvlan mode l2
  ip -n ns0 link set ipvl0 up; ip -n ns0 addr add 10.0.0.10/24 dev ipvl0
  ip -n ns1 link set ipvl1 up; ip -n ns1 addr add 10.0.0.11/24 dev ipvl1
  sleep 3
`;

test("tcpdump tells what passes a device, in both directions, until kill ends it", () => {
  const { said, complaint } = run(`${slaves}
    ip netns exec ns0 tcpdump -n -i ipvl0 &
    ip netns exec ns0 ping -c 1 10.0.0.11
    kill %1
    ip netns exec ns0 ping -c 1 10.0.0.11`);
  assert.equal(complaint, "");
  const lines = said.match(/^\d\d:\d\d:\d\d\.\d{6} .*$/gm)!;
  assert.deepEqual(
    lines.map((line) => line.replace(/^\S+ /, "")),
    [
      "arp who-has 10.0.0.11 tell 10.0.0.10, length 42",
      "arp 10.0.0.11 is-at 02:00:00:00:00:02, length 42",
      "10.0.0.10 > 10.0.0.11 icmp echo request 1 seq 1, length 98",
      "10.0.0.11 > 10.0.0.10 icmp echo reply 1 seq 1, length 98",
    ],
  );
  assert.match(lines[0]!, /^00:00:06\.0/);
});

for (const [options, expected] of [
  ["-c 1", /arp who-has/],
  ["-i w0 -c 1 icmp", /^\S+ 10\.0\.0\.10 > 10\.0\.0\.1 icmp echo request/m],
  [
    "-i w0 -e -c 1 not arp and host 10.0.0.1",
    /02:00:00:00:00:02 > 02:00:00:00:00:01, 10\.0\.0\.10/,
  ],
  ["-i any -c 1 icmp6 or icmp", /^\S+ w0 In {2}10\.0\.0\.10 > /m],
  ["-i w0 -c 1 arp and host 10.0.0.10", /arp who-has 10\.0\.0\.1 tell 10\.0\.0\.10/],
] as const)
  test(`tcpdump ${options}: once`, () => {
    const { said, complaint } = run(`${slaves}
      ip netns exec lan tcpdump -n ${options} &
      ip netns exec ns0 ping -c 2 10.0.0.1`);
    assert.equal(complaint, "");
    assert.match(said, expected);
    assert.equal(said.match(/, length /g)!.length, 1);
  });

test("arping: who has an address; -D: whether anybody has; -A makes neighbours learn", () => {
  const { status, said, complaint } = run(`${slaves}
    ip netns exec ns0 arping -c 1 -I ipvl0 10.0.0.1
    ip netns exec ns0 arping -D -c 1 -I ipvl0 10.0.0.99
    ip netns exec ns0 arping -A -c 1 -I ipvl0 10.0.0.10
    arping -D -c 2 -I eth0 10.0.0.1`);
  assert.deepEqual([status, complaint], [1, ""]);
  assert.match(
    said,
    /^ARPING 10\.0\.0\.1 from 10\.0\.0\.10 ipvl0\nUnicast reply from 10\.0\.0\.1 \[02:00:00:00:00:01\] {2}0\.\d{3}ms\nSent 1 probes \(1 broadcast\(s\)\)\nReceived 1 response\(s\)\n/,
  );
  assert.match(said, /from 0\.0\.0\.0 eth0\nUnicast reply from 10\.0\.0\.1 \[02:00:00:00:00:01\]/);
});

test("tc netem: delay, loss and doubles of what leaves by a device, and its end", () => {
  const { said, complaint } = run(`
    ping -c 1 10.0.0.1
    tc qdisc add dev eth0 root netem delay 20ms
    ping -c 1 10.0.0.1
    tc qdisc change dev eth0 root netem loss 100%
    tc qdisc show dev eth0
    tc qdisc del dev eth0 root
    tc qdisc show dev eth0`);
  assert.equal(complaint, "");
  const times = Array.from(said.matchAll(/time=(\S+)/g), ([, ms]) => Number(ms));
  assert.ok(times[0]! < 1 && times[1]! > 20 && times[1]! < 21, times.join());
  assert.match(
    said,
    /qdisc netem 1: dev eth0 root delay 0\.01ms loss 100%\nqdisc noqueue 0: dev eth0 root\n$/,
  );
  const lossy = run("tc qdisc add dev eth0 root netem loss 100%; ping -c 1 10.0.0.1");
  assert.match(lossy.said, /0 received/);
});

for (const [line, status, complaint] of [
  ["tcpdump -i eth0", 1, "tcpdump: in the background only: tcpdump … &"],
  ["tcpdump -i nosuch &", 1, 'Cannot find device "nosuch"'],
  ["tcpdump -X &", 1, /-c COUNT/],
  ["tcpdump port 7 &", 1, /host ADDRESS/],
  ["tcpdump arp ip &", 1, /with not, and, or/],
  ["kill %1", 1, /what runs in the background/],
  ["arping 10.0.0.1", 1, /-I DEVICE/],
  ["arping -I eth0 fd00::1", 1, /inet address is expected/],
  ["arping -I lo 127.0.0.1", 2, 'arping: Interface "lo" is not ARPable'],
  ["tc qdisc add dev eth0 root netem delay 1h", 1, /times such as 10ms/],
  ["tc qdisc add dev eth0 root netem loss 101%", 1, /percentages such as 10%/],
  ["tc qdisc add dev eth0 root netem rate 1mbit", 1, /delay TIME/],
  ["tc qdisc add dev lo root netem loss 1%", 2, "RTNETLINK answers: Operation not supported"],
  ["tc qdisc del dev eth0 root", 2, "RTNETLINK answers: No such file or directory"],
  ["tc filter show dev eth0", 1, /qdisc \{ add/],
] as const)
  test(`${line}: one line with its place, status ${status}`, () => {
    const result = run(line);
    assert.equal(result.status, status);
    if (typeof complaint === "string") assert.equal(result.complaint, `script:1:1: ${complaint}\n`);
    else {
      assert.match(result.complaint, /^script:1:1: [^\n]+\n$/);
      assert.match(result.complaint, complaint);
    }
  });
