import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
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

test("a file that cannot be read: one line, status 1", () => {
  const { status, stderr } = sim(["/nosuch/file"]);
  assert.deepEqual(
    [status, stderr],
    [1, "ipvlan: sim: cannot read /nosuch/file: no such file or directory\n"],
  );
});
