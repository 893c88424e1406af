/** A bridge's port as a switch that lets in only some MACs: what makes people choose ipvlan. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runScript as run } from "../../../test/sim-shell.ts";

/** host's up0 and other's o on a bridge of sw; two slaves of up0 in s0 and s1; other is 192.0.2.1. */
const rack = `
  ip netns add sw; ip netns add other; ip netns add s0; ip netns add s1
  ip -n sw link add br0 type bridge; ip -n sw link set br0 up
  ip link add up0 type veth peer name p0 netns sw; ip -n other link add o type veth peer name p1 netns sw
  ip link set up0 address 02:00:00:00:00:10; ip -n other link set o address 02:00:00:00:00:20
  ip -n sw link set p0 master br0; ip -n sw link set p1 master br0
  ip -n sw link set p0 up; ip -n sw link set p1 up
  ip link set up0 up; ip -n other link set o up; ip -n other addr add 192.0.2.1/24 dev o
  ip link add link up0 x0 netns s0 type ipvlan mode l2; ip link add link up0 x1 netns s1 type ipvlan
  ip -n s0 link set x0 up; ip -n s0 addr add 192.0.2.10/24 dev x0
  ip -n s1 link set x1 up; ip -n s1 addr add 192.0.2.11/24 dev x1`;
const locked = "ip netns exec sw bridge link set dev p0 learning off locked on";
const secured = `${locked}; ip netns exec sw bridge fdb add 02:00:00:00:00:10 dev p0 master static`;

const received = (script: string) => run(`${rack}\n${script}`).said.match(/\d received/g);

test("a locked port lets nobody in who is not said to be there", () => {
  assert.deepEqual(received(`${locked}\nip netns exec s0 ping -c 1 192.0.2.1`), ["0 received"]);
});

test("all slaves have the MAC that is allowed, and pass", () => {
  assert.deepEqual(
    received(`${secured}
      ip netns exec s0 ping -c 1 192.0.2.1; ip netns exec s1 ping -c 1 192.0.2.1`),
    ["1 received", "1 received"],
  );
});

test("another MAC on the same port does not pass: ten minutes later either, and not when it is taken away", () => {
  assert.deepEqual(
    received(`${secured}
      ip netns exec s0 ping -c 1 192.0.2.1; sleep 600
      ip netns exec s0 ping -c 1 192.0.2.1
      ip link set up0 address 02:00:00:00:00:11
      ip netns exec s0 ping -c 1 192.0.2.1`),
    ["1 received", "1 received", "0 received"],
  );
  assert.deepEqual(
    received(`${secured}
      ip netns exec sw bridge fdb del 02:00:00:00:00:10 dev p0 master
      ip netns exec s0 ping -c 1 192.0.2.1`),
    ["0 received"],
  );
});

test("unlocked, everybody passes again; without learning nobody is remembered", () => {
  const { said } = run(`${rack}\n${locked}
    ip netns exec sw bridge link set dev p0 locked off
    ip netns exec s0 ping -c 1 192.0.2.1
    ip netns exec sw bridge fdb show dev p0
    ip netns exec sw bridge link set dev p0 learning on
    ip netns exec s0 ping -c 1 192.0.2.1
    ip netns exec sw bridge fdb add 02:00:00:00:00:99 dev p1 master static
    ip netns exec sw bridge fdb show br br0
    sleep 400; ip netns exec sw bridge fdb`);
  assert.deepEqual(said.match(/\d received/g), ["1 received", "1 received"]);
  assert.deepEqual(said.match(/^02.*$/gm), [
    "02:00:00:00:00:20 dev p1 master br0",
    "02:00:00:00:00:10 dev p0 master br0",
    "02:00:00:00:00:99 dev p1 master br0 static",
    "02:00:00:00:00:99 dev p1 master br0 static",
  ]);
});

for (const [line, complaint] of [
  ["bridge link set dev eth0 locked on", /Operation not supported/],
  ["ip netns exec sw bridge link set dev p0 locked maybe", /has on and off/],
  ["ip netns exec sw bridge link set dev p0 flood off", /has hairpin, learning, locked/],
  ["ip netns exec sw bridge fdb add zz dev p0 master static", /"zz" is invalid lladdr/],
  ["ip netns exec sw bridge fdb add 02:00:00:00:00:10 dev p0", /has MAC dev PORT master static/],
  ["ip netns exec sw bridge fdb del 02:00:00:00:00:77 dev p0 master", /No such file or directory/],
  ["bridge vlan", /has link set dev PORT/],
] as const)
  test(`${line}: one line that says why`, () => {
    const result = run(`${rack}\n${line}`);
    assert.notEqual(result.status, 0);
    assert.match(result.complaint, complaint);
  });
