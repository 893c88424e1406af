/** Scenario files: what is read, what is refused and where, and that each does what it says. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import * as receiving from "../../driver/explained/receive.ts";
import * as sending from "../../driver/explained/xmit.ts";
import { Recorder } from "../recorder.ts";
import { ScriptError } from "../shell/lines.ts";
import type { Shell } from "../shell/shell.ts";
import { judge, type Observed, readExpectation } from "./expectation.ts";
import { FrameWordsError, readFrame } from "./frame-words.ts";
import { reportScenario } from "./report.ts";
import { runScenario } from "./run.ts";
import { isScenario, readScenario } from "./scenario.ts";

for (const file of readdirSync("scenarios").sort())
  test(`on the simulated host: ${file}`, () => {
    const complaints: string[] = [];
    const report = { print: () => {}, complain: (text: string) => complaints.push(text) };
    const isRight = reportScenario(readFileSync(`scenarios/${file}`, "utf8"), file, report);
    assert.deepEqual([complaints, isRight], [[], true]);
  });

test("each rule of a port decides in some scenario, or leads on to those that do", () => {
  const met = new Set<string>();
  for (const file of readdirSync("scenarios")) {
    const scenario = readScenario(readFileSync(`scenarios/${file}`, "utf8"));
    const prepare = ({ world: { simulation } }: Shell) => {
      simulation.witness = new Recorder(simulation, (event) => {
        if (event.kind !== "decision") return;
        for (const { rule, holds } of event.explanation.steps)
          if (rule !== undefined && holds) met.add(`${rule.name}: ${rule.words}`);
      });
    };
    for (const _ of runScenario({ scenario, name: file, prepare }));
  }
  const never = [...sending.rules, ...receiving.rules]
    .map(({ name, words }) => `${name}: ${words}`)
    .filter((rule) => !met.has(rule));
  // No device takes what is shorter than a header.
  assert.deepEqual(never, ["X.1: what is shorter than an Ethernet header goes nowhere"]);
});

const built = `
-- topology --
ip netns add ns0; ip link add link eth0 ipvl0 netns ns0 type ipvlan mode l2
ip -n ns0 link set ipvl0 up; ip -n ns0 addr add 10.0.0.10/24 dev ipvl0
`;
const scenario = (rest: string) => `A title

And a story,
of two lines.
${built}${rest}`;

test("title, story, and steps in order", () => {
  const { title, story, steps } = readScenario(
    scenario(
      "-- send --\n# asks\n ns0: ping 10.0.0.1\nlan/w0: w0>all 10.0.0.1>10.0.0.255\n\n-- expect --\nanswered\n-- change --\nsleep 1\n",
    ),
  );
  assert.deepEqual([title, story], ["A title", "And a story,\nof two lines."]);
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ["topology", "trial", "change"],
  );
  const trial = steps[1]!;
  assert.ok(trial.kind === "trial");
  assert.deepEqual(
    trial.sends.map(({ netns, device, words, place }) => [netns, device, words, place]),
    [
      ["ns0", undefined, "ping 10.0.0.1", { line: 11, column: 2 }],
      ["lan", "w0", "w0>all 10.0.0.1>10.0.0.255", { line: 12, column: 1 }],
    ],
  );
});

test("what is not as expected is told with its place, and what was seen instead", () => {
  const complaints: string[] = [];
  const text = scenario(
    "-- send --\nns0: ping -c 1 -W 1 10.0.0.1\n-- expect --\nno answer\nw0 sees arp who-has 10.0.0.2\nipvl0 drops isolated\n",
  );
  const report = { print: () => {}, complain: (line: string) => complaints.push(line) };
  assert.equal(reportScenario(text, "file", report), false);
  assert.match(complaints[0]!, /^file:12:1: expected "no answer", but exit status 0: PING/);
  assert.match(
    complaints[1]!,
    /^file:13:1: .* but saw arp who-has 10\.0\.0\.1 tell 10\.0\.0\.10; /,
  );
  assert.equal(complaints[2], 'file:14:1: expected "ipvl0 drops isolated", but dropped: nothing\n');
});

test("a script that fails ends the run, with its place in the file", () => {
  const complaints: string[] = [];
  const text =
    "A title\n-- topology --\n\nip link set nosuch up\n-- send --\nhost: ping 10.0.0.1\n-- expect --\nanswered";
  const report = { print: () => {}, complain: (line: string) => complaints.push(line) };
  assert.equal(reportScenario(text, "file", report), false);
  assert.deepEqual(complaints, ['file:4:1: Cannot find device "nosuch"\n']);
});

for (const [send, expect, message] of [
  [
    "nosuch/eth0: own>w0 type 0x1",
    "w0 does not see arp",
    /^3:1: Cannot find device "nosuch\/eth0"/,
  ],
  ["host/eth0: own>w0 type 0x1", "w9 does not see arp", /^5:1: Cannot find device "w9"/],
  ["nosuch: ping 10.0.0.1", "no answer", /^5:1: .*namespace "nosuch"/],
  ["host: pnig 10.0.0.1", "no answer", /^5:1: .*"pnig"/],
] as const)
  test(`what nobody is, or no command, is not silence: ${send}, ${expect}`, () => {
    let told = "";
    const complain = (text: string) => {
      told += text;
    };
    try {
      const text = `T\n-- send --\n${send}\n-- expect --\n${expect}`;
      assert.equal(reportScenario(text, "f", { print: () => {}, complain }), false);
    } catch (error) {
      assert.ok(error instanceof ScriptError);
      told = `f:${error.place.line}:${error.place.column}: ${error.message}`;
    }
    assert.match(told.slice("f:".length), message);
  });

for (const [text, line, column, message] of [
  ["", 1, 1, /title/],
  ["T\n-- picture --", 2, 4, /topology, change, send, expect/],
  ["T\n-- expect --\nanswered", 2, 1, /behind send/],
  ["T\n-- topology --\n-- expect --\nanswered", 3, 1, /behind send/],
  ["T\n-- send --\nns0: ping 10.0.0.1", 2, 1, /behind send stands expect/],
  ["T\n-- send --\n-- expect --\nanswered", 2, 1, /nothing is sent/],
  ["T\n-- send --\nns0: ping ::1\n-- expect --\n", 4, 1, /nothing is expected/],
  ["T\n-- send --\n  ping 10.0.0.1\n-- expect --\nanswered", 3, 3, /NETNS: COMMAND/],
  ["T\n-- send --\nns0/x: w0>all 10.0.0.1>x\n-- expect --\nanswered", 3, 8, /"x" is no address/],
  ["T\n-- send --\nns0: true\n-- expect --\n perhaps", 5, 2, /"perhaps"\? Expected answered, /],
  ["T\n-- send --\nns0: true\n-- expect --\nw0 sees only me", 5, 1, /"me" is no MAC/],
] as const)
  test(`refused with its place: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => readScenario(text),
      (error) => {
        assert.ok(error instanceof ScriptError);
        assert.deepEqual(error.place, { line, column });
        assert.match(error.message, message);
        return true;
      },
    );
  });

const observed: Observed = {
  answers: [
    { status: 0, said: "64 bytes from 10.0.0.1\n" },
    { status: 1, said: "unreachable\n" },
  ],
  seen: new Map([["w0", [readFrame("own>all arp 10.0.0.10>10.0.0.1")]]]),
  drops: new Map([["ipvl0", { isolated: 1 }]]),
};

for (const [text, instead] of [
  ["answered", "exit status 1: unreachable"],
  ["no answer", "exit status 0: 64 bytes from 10.0.0.1"],
  ["says unreachable", undefined],
  ["says nothing", "said: 64 bytes from 10.0.0.1\nunreachable"],
  ["w0 sees arp who-has 10.0.0.1 tell", undefined],
  ["w0 sees who-has", "saw arp who-has 10.0.0.1 tell 10.0.0.10"],
  ["ipvl1 sees arp", "saw nothing"],
  ["w0 does not see 10.0.0.10", undefined],
  ["w0 does not see arp", "saw arp who-has 10.0.0.1 tell 10.0.0.10"],
  ["w0 sees only own", undefined],
  ["w0 sees only w0 other", "saw arp who-has 10.0.0.1 tell 10.0.0.10 from 02:00:00:00:00:02"],
  ["ipvl0 drops isolated", undefined],
  ["ipvl0 drops runt", "dropped: isolated"],
  ["ipvl1 drops runt", "dropped: nothing"],
] as const)
  test(`"${text}" is judged by what was seen`, () => {
    const expectation = readExpectation(text, { line: 1, column: 1 });
    assert.ok(typeof expectation !== "string");
    assert.equal(judge(expectation, observed), instead);
  });

test("any text: a scenario, or an error with a place in it", () => {
  const piece = fc.constantFrom(
    ..."T|-- topology --|-- send --|-- expect --|-- change --|-- x --|ns0: ping 10.0.0.1|answered|ns0/a: own>all type 0x1|# c||  ".split(
      "|",
    ),
  );
  const line = fc.oneof(piece, fc.string({ maxLength: 12 }));
  const property = fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
    const text = lines.join("\n");
    try {
      readScenario(text);
    } catch (error) {
      assert.ok(error instanceof ScriptError);
      assert.ok(error.place.line >= 1 && error.place.line <= lines.length + 1);
      assert.ok(error.place.column >= 1);
    }
    isScenario(text);
  });
  fc.assert(property, { numRuns: 2000 });
});

test("any words: a frame, or what is wrong with them", () => {
  const word = fc.constantFrom(
    ..."own>w0 own>all a>b vlan qinq arp dad type 0x88cc 10.0.0.1>10.0.0.2 fd00::1>10.0.0.1 fd00::1 10.0.0.1 ".split(
      " ",
    ),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      try {
        readFrame(words.join(" "));
      } catch (error) {
        assert.ok(error instanceof FrameWordsError);
      }
    }),
    { numRuns: 2000 },
  );
});
