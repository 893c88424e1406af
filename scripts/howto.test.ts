import assert from "node:assert/strict";
import { test } from "node:test";
import { main, parseOptions, script } from "./howto.ts";

const lines = (mode: "l2" | "l3s", flag: "bridge" | "private", where: string): string[] =>
  script({ mode, flag })
    .filter((step) => step.where === where)
    .map((step) => step.line);

test("nothing said: the example as the HOWTO has it", () => {
  assert.deepEqual(parseOptions([]), {
    mode: "l2",
    flag: "bridge",
    keep: false,
    simulate: false,
    help: false,
  });
  assert.deepEqual(lines("l2", "bridge", "host"), [
    "ip netns add ns0; ip netns add ns1",
    "ip link add link eth0 ipvl0 type ipvlan mode l2",
    "ip link add link eth0 ipvl1 type ipvlan mode l2",
    "ip link set dev ipvl0 netns ns0",
    "ip link set dev ipvl1 netns ns1",
  ]);
});

test("inside a namespace: the HOWTO's lines in their order", () => {
  assert.deepEqual(lines("l2", "bridge", "ns0").slice(0, 5), [
    "ip link set dev ipvl0 up",
    "ip link set dev lo up",
    "ip -4 addr add 127.0.0.1 dev lo",
    "ip -4 addr add $IPADDR dev ipvl0",
    "ip -4 route add default via $ROUTER dev ipvl0",
  ]);
});

test("mode and flag go into the lines that add a slave", () => {
  assert.equal(
    lines("l3s", "private", "host")[2],
    "ip link add link eth0 ipvl1 type ipvlan mode l3s private",
  );
});

for (const words of [["--mode", "l4"], ["--flag", "macvlan"], ["--mood", "l2"], ["l2"], ["--mode"]])
  test(`${words.join(" ")}: one line that says what is wrong, exit status 1`, async (t) => {
    const said = t.mock.method(console, "error", () => {});
    assert.equal(await main(words), 1);
    assert.equal(said.mock.callCount(), 1);
    assert.match(String(said.mock.calls[0]!.arguments[0]), /^[^\n]+Try --help$/);
  });

test("simulated: all pings do as promised, and it is said that no kernel was asked", async (t) => {
  const said = t.mock.method(console, "log", () => {});
  assert.equal(await main(["--simulate", "--mode", "l3s", "--flag", "private"]), 0);
  const text = said.mock.calls.map(({ arguments: [line] }) => line).join("\n");
  assert.match(text, /On a simulated host: as asked for/);
  assert.match(text, /24 of 24 pings did what l3s private promises/);
  assert.match(text, /engine: none/);
});
