/**
 * The simulated stacks beside Linux's, without ipvlan: the same lines, in the same order, by the system's own tools on real
 * namespaces and on the simulated host, and what each of them says.
 *
 *     in 192.168.7.2, fd07::2 ── .1 router 203.0.113.1, fd08::1 ── .2 out
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shell } from "../scripts/lab.ts";
import { Shell } from "../src/sim/shell/shell.ts";
import { inSandbox } from "./in-sandbox.ts";

const TOPOLOGY = `
ip netns add in; ip netns add router; ip netns add out
ip -n in link add ve0 type veth peer name ve1 netns router
ip -n router link add vf0 type veth peer name vf1 netns out
ip -n in link set lo up; ip -n router link set lo up; ip -n out link set lo up
ip -n in link set ve0 up; ip -n router link set ve1 up
ip -n router link set vf0 up; ip -n out link set vf1 up
ip -n in addr add 192.168.7.2/24 dev ve0; ip -n router addr add 192.168.7.1/24 dev ve1
ip -n router addr add 203.0.113.1/24 dev vf0; ip -n out addr add 203.0.113.2/24 dev vf1
ip -n in addr add fd07::2/64 dev ve0 nodad; ip -n router addr add fd07::1/64 dev ve1 nodad
ip -n router addr add fd08::1/64 dev vf0 nodad; ip -n out addr add fd08::2/64 dev vf1 nodad
ip -n in route add default via 192.168.7.1; ip -n in -6 route add default via fd07::1
ip netns exec router sysctl -w net.ipv4.ip_forward=1
ip netns exec router sysctl -w net.ipv6.conf.all.forwarding=1
ip netns exec out socat TCP-LISTEN:7,fork EXEC:cat &
ip netns exec out socat UDP-LISTEN:7,fork EXEC:cat &
sleep 1`;

/** What is changed before, and what is asked then. */
const STEPS: readonly (readonly [string, string])[] = [
  ["", "ping -c 1 -W 1 203.0.113.2"],
  ["iptables -t nat -A POSTROUTING -o vf0 -j MASQUERADE", "ping -c 1 -W 1 203.0.113.2"],
  ["ip6tables -t nat -A POSTROUTING -o vf0 -j MASQUERADE", "ping -c 1 -W 1 fd08::2"],
  ["", "ping -c 1 -W 1 -t 1 203.0.113.2"],
  ["", "ping -c 1 -W 1 -t 1 fd08::2"],
  ["", "ping -c 1 -W 5 203.0.113.9"],
  ["", "ping -c 1 -W 1 198.51.100.1"],
  ["", "ping -c 1 -W 1 fd09::1"],
  ["", "echo hello | socat - TCP:203.0.113.2:7"],
  ["", "echo hello | socat - UDP:203.0.113.2:7"],
  ["", "echo hello | socat - TCP:203.0.113.2:8"],
  ["", "echo hello | socat - UDP:203.0.113.2:8"],
  ["", "echo hello | socat - TCP:203.0.113.9:7"],
  ["", "echo hello | socat - TCP:198.51.100.1:7"],
  ["ip link set vf0 mtu 1400", "ping -c 1 -W 1 -M do -s 1373 203.0.113.2"],
  ["", "ping -c 1 -W 1 -M do -s 1372 203.0.113.2"],
  ["", "ping -c 1 -W 1 -M do -s 1353 fd08::2"],
  ["", "ping -c 1 -W 1 -M do -s 1473 192.168.7.1"],
  [
    `nft 'add table inet t; add chain inet t f { type filter hook forward priority filter; policy drop; }'`,
    "ping -c 1 -W 1 203.0.113.2",
  ],
  [
    `nft add rule inet t f ct state established,related accept
     nft add rule inet t f iifname ve1 tcp dport 7 ct state new accept`,
    "echo hello | socat - TCP:203.0.113.2:7",
  ],
  ["", "ping -c 1 -W 1 203.0.113.2"],
  ["nft flush ruleset; iptables -P INPUT DROP", "ping -c 1 -W 1 192.168.7.1"],
  ["ip -n out route add default via 203.0.113.1", "ping -c 1 -W 1 203.0.113.2"],
  ["iptables -P OUTPUT DROP", "ping -c 1 -W 1 -t 1 203.0.113.2"],
  ["", "ping -c 1 -W 1 203.0.113.2"],
  ["iptables -A FORWARD -s 192.168.7.0/24 -p icmp -j DROP", "ping -c 1 -W 1 203.0.113.2"],
  ["ip6tables -P INPUT DROP; ip neigh flush dev ve1", "ip neigh flush all"],
  ["", "ping -c 1 -W 5 fd07::1"],
];

class Simulated {
  #said = "";
  readonly #shell: Shell = new Shell({
    print: (text) => this.#hear(text),
    complain: (text) => this.#hear(text),
  });

  run(script: string): string {
    this.#said = "";
    this.#shell.run(script, "script");
    return this.#said;
  }

  #hear(text: string): void {
    this.#said += text;
  }
}

/** Each command of a script that does not say where it runs. */
const inside = (netns: string, script: string): string =>
  script
    .split("\n")
    .flatMap((line) => (line.includes("{") ? [line] : line.split(";")))
    .map((line) => line.trim())
    .map((line) =>
      line.startsWith("ip -n ")
        ? line
        : line.replace(/^(echo \w+ \| )?/, (said) => `${said}ip netns exec ${netns} `),
    )
    .join("\n");

/** Whatever its status. A server in the background does not keep our ends of its pipes. */
const real = (script: string): Promise<string> =>
  shell("host", `set +e\n${script.replaceAll(/ &$/gm, " >/dev/null 2>&1 &")}\ntrue`);

/** What both say in other words: times, addresses of buffers, who speaks. */
function essenceOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !/^(PING|---|rtt|$)|^pipe/.test(line))
    .map((line) =>
      line
        .replace(/,? time.*/, "")
        .replace(/ ttl=\d+/, "")
        .replace(": icmp_seq", " icmp_seq")
        .replace(/.*socat.*: /, "socat: "),
    )
    .sort(); // what goes wrong comes by a stream of its own
}

await inSandbox(
  import.meta.url,
  { needs: ["ping", "nft", "iptables", "ip6tables", "socat"] },
  () => {
    const simulated = new Simulated();
    before(async () => {
      await real(TOPOLOGY);
      simulated.run(TOPOLOGY);
    });
    after(() =>
      real(
        "ip netns pids out | xargs -r kill\nfor name in in router out; do ip netns delete $name; done",
      ),
    );

    for (const [change, question] of STEPS)
      test(`${change === "" ? "then" : change}: ${question}`, async () => {
        const setUp = change === "" ? "" : inside("router", change);
        const asked = inside("in", question);
        simulated.run(setUp);
        await real(setUp);
        const there = await real(asked);
        assert.deepEqual(essenceOf(simulated.run(asked)), essenceOf(there));
      });
  },
);
