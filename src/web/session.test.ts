/** Lines typed at the simulated host, who reaches whom then, and what may be typed next. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ask, type Family, type Reach } from "./reach.ts";
import { LINE_MAX, LINES_MAX, linesOf, Session } from "./session.ts";

/** At one go. */
function reachOf(lines: readonly string[]): Reach {
  const asking = ask(lines);
  for (;;) {
    const { done, value } = asking.next();
    if (done) return value;
  }
}

const HOWTO = linesOf(readFileSync("examples/howto.sh", "utf8"));
const howto = (): Session => Session.of(HOWTO);

test("a line says where it was typed and what it answered", () => {
  const session = howto();
  const answer = session.run("ip netns exec ns0 ping -c 1 10.0.0.11");
  assert.equal(answer.prompt, "host # ");
  assert.match(answer.output, /1 received, 0% packet loss/);
  session.run("ip netns exec ns0 sh");
  assert.equal(session.prompt, "ns0 # ");
});

test("what goes wrong is told with its line among all that were typed, and its column", () => {
  const session = Session.of(["ip netns add a", "ip netns add b"]);
  assert.match(session.run("  ip link set eth9 up").complaint, /^input:3:3: Cannot find device/);
  assert.match(session.run("ip netns add 'c").complaint, /^input:4:14: /);
});

test("a frame in words is sent out of a device, as in scenarios", () => {
  const session = howto();
  assert.deepEqual(session.run("ns0/ipvl0: own>w0 type 0x88cc").status, 0);
  assert.match(session.record.packets.at(-1)!.text, /type 0x88cc/);
  const column = "ns0/ipvl0: ".length + 1;
  const refused = session.run("ns0/ipvl0: own>w0 typ 0x88cc").complaint;
  assert.match(refused, new RegExp(`^input:${HOWTO.length + 2}:${column}: `));
  assert.match(session.run("ns0/x: own>w0 type 0x88cc").complaint, /Cannot find device "ns0\/x"/);
});

test("there are limits to lines", () => {
  const session = new Session();
  assert.match(session.run("#".repeat(LINE_MAX + 1)).complaint, /^input: a line has up to/);
  for (let i = 0; i < LINES_MAX; i++) session.run("#");
  assert.match(session.run("ip netns").complaint, /begin anew/);
  assert.equal(session.lines.length, LINES_MAX);
});

test("any text is answered or refused with a line", () => {
  const words = fc.constantFrom(
    ..."ip link add del set dev eth0 type ipvlan mode l2 netns exec ns0 lan host ping -c 1 10.0.0.1 addr route via default ' \" $ ; && | \\ # ( sleep bridge sysctl -n".split(
      " ",
    ),
  );
  const line = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 10 }).map((all) => all.join(" ")),
  );
  const property = fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
    const session = howto();
    for (const one of lines) {
      const { status, complaint } = session.run(one);
      assert.doesNotMatch(complaint, /has failed/);
      if (complaint !== "") assert.notEqual(status, 0);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test("a script's lines: without blank ones, and with those that go on", () => {
  assert.deepEqual(linesOf("  a\r\n\nb \\\n c\n# d\ne \\"), ["a", "b \\\n c", "# d", "e"]);
});

const reasonOf = (mode: string, from: string, to: string, family: Family = "v4") =>
  reachOf([...HOWTO, `ip -n ns0 link set ipvl0 type ipvlan mode ${mode}`]).find(from, to, family);

test("who reaches whom: under bridge slaves reach each other, under private the rule that forbids it is the reason", () => {
  assert.deepEqual(reasonOf("l2 bridge", "ns0", "ns1"), { to: "10.0.0.11" });
  assert.match(
    reasonOf("l2 private", "ns0", "ns1")?.reason ?? "",
    /ns0\/ipvl0 by rule F\.1, isolated/,
  );
});

test("who reaches whom: where nobody answers, how far the question came is the reason", () => {
  const { reason } = reasonOf("l2 bridge", "host", "ns0")!;
  assert.match(reason!, /lost at host\/eth0, no-host.*the question came to lan\/w0$/);
});

test("who reaches whom: without an address there is nothing to be said", () => {
  assert.equal(reasonOf("l2 bridge", "host", "ns0", "v6"), undefined);
});

test("who reaches whom is asked of a copy", () => {
  const session = howto();
  const beforeMs = session.world.clock.nowMs;
  reachOf(session.lines);
  assert.equal(session.world.clock.nowMs, beforeMs);
  assert.equal(session.record.packets.length, 0);
});
