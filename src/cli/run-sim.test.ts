import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const COMMAND = fileURLToPath(new URL("./main.js", import.meta.url));

const sim = (words: readonly string[], input = "") => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, "sim", ...words], {
    input,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

test("what is piped in runs, and its last status is ours", () => {
  const { status, stdout, stderr } = sim([], "ip netns add blue; ip netns\nping -c 1 10.0.0.99\n");
  assert.deepEqual([status, stderr], [1, ""]);
  assert.match(stdout, /^lan\nblue\nPING 10\.0\.0\.99\n1 packets transmitted, 0 received/);
});

test("what goes wrong is one line on stderr, with its place", () => {
  assert.deepEqual(sim(["-"], "\n ip link del nosuch"), {
    status: 1,
    stdout: "",
    stderr: 'input:2:2: Cannot find device "nosuch"\n',
  });
});

const scenario = (expected: string) =>
  `A title\n-- send --\nhost: ping -c 1 10.0.0.1\n-- expect --\n${expected}\n`;

test("a scenario: what was expected, line by line; something else is seen: status 1, and its place", () => {
  assert.deepEqual(sim([], scenario("answered")), {
    status: 0,
    stdout: "A title\n\nhost: ping -c 1 10.0.0.1\n  ok  answered\n",
    stderr: "",
  });
  const { status, stdout, stderr } = sim([], scenario("says nobody"));
  assert.equal(status, 1);
  assert.match(stdout, /\n {2}NO {2}says nobody\n$/);
  assert.match(stderr, /^input:5:1: expected "says nobody", but said: PING/);
  assert.deepEqual(sim([], "A title\n-- look --\n").stderr.slice(0, 11), "input:2:4: ");
});

test("--explain tells of each decision, and how it came about", () => {
  const { status, stdout } = sim(
    ["--explain"],
    scenario("answered").replace(
      "-- send",
      "-- topology --\nip link add link eth0 s0 type ipvlan\n-- send",
    ),
  );
  assert.equal(status, 0);
  assert.match(
    stdout,
    /host\/eth0 {2}10\.0\.0\.1 > 10\.0\.0\.2 icmp echo reply .*, asked at receive\n/,
  );
  assert.match(
    stdout,
    /R\.3 +yes .*\(no slave has 10\.0\.0\.2\)\n {4}=> to eth0's own stack, by R\.3\n/,
  );
});

/** `ipvlan sim` on a terminal. */
const openTerminal = () =>
  spawn("script", ["-qec", `${process.execPath} ${COMMAND} sim`, "/dev/null"], {
    env: { ...process.env, TERM: "xterm" },
  });

test("on a terminal, exit ends it", { timeout: 30_000 }, async () => {
  const terminal = openTerminal();
  await once(terminal.stdout, "data");
  terminal.stdin.write("exit\r");
  assert.deepEqual(await once(terminal, "exit"), [0, null]);
});

test("on a terminal: a prompt with the namespace, history, and the Tab key", async () => {
  const terminal = openTerminal();
  let shown = "";
  terminal.stdout.on("data", (text) => {
    shown += text;
  });
  const type = async (keys: string, until: RegExp) => {
    shown = "";
    terminal.stdin.write(keys);
    while (!until.test(shown)) await once(terminal.stdout, "data");
  };
  await type("", /host # /);
  for (const [keys, until] of [
    ["ip netn", /netn/],
    ["\t", /s $/],
    ["add blue\r", /host # /],
    ["ip netns exec b", /exec b/],
    ["\t", /lue $/],
    ["sh\r", /blue # /],
    ["exit\r", /host # /],
    ["\x1b[A\x1b[A", /ip netns exec blue sh/],
    ["\r", /blue # /],
  ] as const)
    await type(keys, until);
  terminal.stdin.write("\x04");
  const [status] = await once(terminal, "exit");
  assert.equal(status, 0);
});

test("a file that cannot be read: one line, status 1", () => {
  const { status, stderr } = sim(["/nosuch/file"]);
  assert.deepEqual(
    [status, stderr],
    [1, "ipvlan: sim: cannot read /nosuch/file: no such file or directory\n"],
  );
});
