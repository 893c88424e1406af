/** Questions and answers by socat on the simulated host. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { runScript as run } from "../../../test/sim-shell.ts";
import { bytesOf, textOf } from "./text.ts";

const servers = ["TCP", "UDP"]
  .map((kind) => `ip netns exec lan socat ${kind}6-LISTEN:7,fork,reuseaddr EXEC:cat &\n`)
  .join("");

for (const peer of ["TCP:10.0.0.1:7", "UDP:10.0.0.1:7", "TCP:[fd00::1]:7", "UDP6:[fd00::1]:7"])
  test(`a server that echoes answers ${peer}`, () => {
    const { said, complaint } = run(
      `${servers} sleep 1\necho hello 'wörld;  here' | socat - ${peer}`,
    );
    assert.deepEqual([said, complaint], ["hello wörld;  here\n", ""]);
  });

test("slaves of two namespaces talk", () => {
  const { said } = run(`
    ip netns add ns0; ip netns add ns1
    ip link add link eth0 ipvl0 netns ns0 type ipvlan mode l2
    ip link add link eth0 ipvl1 netns ns1 type ipvlan
    ip -n ns0 link set ipvl0 up; ip -n ns0 addr add 10.0.0.10/24 dev ipvl0
    ip -n ns1 link set ipvl1 up; ip -n ns1 addr add 10.0.0.11/24 dev ipvl1
    ip netns exec ns1 socat TCP-LISTEN:80,fork EXEC:cat &
    echo GET / | ip netns exec ns0 socat - TCP:10.0.0.11:80`);
  assert.equal(said, "GET /\n");
});

test("a rule that lets in only some ports is seen by who asks", () => {
  const script = (port: number) => `${servers}
    ip netns exec lan socat TCP-LISTEN:8,fork EXEC:cat &
    ip netns exec lan iptables -P INPUT DROP
    ip netns exec lan iptables -A INPUT -p tcp --dport 7 -j ACCEPT
    echo x | socat - TCP:10.0.0.1:${port}`;
  assert.equal(run(script(7)).said, "x\n");
  assert.match(run(script(8)).complaint, /socat: connect 10\.0\.0\.1:8: Connection timed out\n$/);
});

for (const [line, complaint] of [
  ["echo x | socat - TCP:10.0.0.1:8", /connect 10\.0\.0\.1:8: Connection refused/],
  ["echo x | socat - TCP:[fd00::1]:8", /connect \[fd00::1\]:8: Connection refused/],
  ["echo x | socat - UDP:10.0.0.1:8", /read from 10\.0\.0\.1:8: Connection refused/],
  ["echo x | socat - TCP:10.0.0.9:7", /connect 10\.0\.0\.9:7: No route to host/],
  ["echo x | socat - UDP:192.0.2.1:7", /Network is unreachable/],
  ["socat - TCP:10.0.0.1:7", /nothing to type into it: echo TEXT \| socat/],
  ["echo x | socat - TCP:host:7", /has echo TEXT \| socat - TCP:ADDRESS:PORT/],
  ["echo x | socat - TCP:10.0.0.1:70000", /numbers from 1 to 65535/],
  ["socat TCP-LISTEN:7,fork EXEC:cat", /behind which there is an &/],
  ["socat TCP-LISTEN:7 EXEC:cat &", /servers that go on/],
  ["socat TCP-LISTEN:7,fork EXEC:sh &", /has TCP-LISTEN:PORT,fork EXEC:cat &/],
  [
    "socat TCP-LISTEN:7,fork EXEC:cat & socat TCP-LISTEN:7,fork EXEC:cat &",
    /Address already in use/,
  ],
] as const)
  test(`${line}: one line that says why`, () => {
    const result = run(line);
    assert.notEqual(result.status, 0);
    assert.match(result.complaint, /^script:1:\d+: [^\n]+\n$/);
    assert.match(result.complaint, complaint);
  });

test("text becomes bytes and text again; any bytes are some text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.deepEqual(bytesOf(text), Uint8Array.from(Buffer.from(text)));
      assert.equal(textOf(bytesOf(text)), text);
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void textOf(bytes)));
  assert.deepEqual(bytesOf("\ud800"), Uint8Array.of(0xef, 0xbf, 0xbd));
});
