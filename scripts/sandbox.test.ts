import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { insideSandbox, sandboxRefusal } from "./sandbox.ts";

const skip = sandboxRefusal() ?? false;
const folder = mkdtempSync(join(tmpdir(), "ipvlan-sandbox-"));
after(() => rmSync(folder, { recursive: true }));

/** Runs lines of JavaScript in a sandbox, by a program that enters it. */
function start(inside: string): ChildProcess {
  const program = join(folder, "program.mjs");
  writeFileSync(
    program,
    `import * as sandbox from ${JSON.stringify(new URL("./sandbox.js", import.meta.url).href)};
     import { execFileSync, spawn } from "node:child_process";
     if (!sandbox.insideSandbox()) process.exit(await sandbox.enterSandbox(import.meta.url, ["word"]));
     const sh = (line) => execFileSync("sh", ["-ec", line], { encoding: "utf8" });
     ${inside}`,
  );
  return spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
}

async function run(inside: string): Promise<{ status: number; output: string }> {
  const child = start(inside);
  let output = "";
  child.stdout!.on("data", (text) => {
    output += text;
  });
  const [status] = await once(child, "close");
  return { status, output };
}

/** Waits for something that the kernel does after a process has ended. */
async function eventually(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !isSo(); i++) await sleep(20);
  assert.ok(isSo());
}

test("a program gets its arguments, and its exit code comes out", { skip }, async () => {
  const { status, output } = await run("console.log(process.argv[2]); process.exitCode = 7;");
  assert.equal(output, "word\n");
  assert.equal(status, 7);
});

test("devices and namespace names stay inside", { skip }, async () => {
  const { output } = await run(
    'sh("ip link add sandboxed0 type veth; ip netns add sandboxed"); console.log(sh("ip -br link; ip netns"));',
  );
  assert.match(output, /sandboxed0/);
  assert.match(output, /^sandboxed$/m);
  assert.doesNotMatch(readFileSync("/proc/net/dev", "utf8"), /sandboxed0/);
  assert.equal(existsSync("/run/netns/sandboxed"), false);
});

test("who is outside is not taken for inside, even with the environment of who is", {
  skip,
}, () => {
  const name = "IPVLAN_SANDBOX_OUTSIDE";
  process.env[name] = readlinkSync("/proc/self/ns/net");
  assert.equal(insideSandbox(), false);
  delete process.env[name];
});

test("SIGKILL ends everything inside, daemons too", { skip }, async () => {
  const child = start(
    'spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref(); console.log(sandbox.pidOutside()); setInterval(() => {}, 1000);',
  );
  const pid = Number(String((await once(child.stdout!, "data"))[0]));
  const sleeper = childrenOf(pid)[0]!;
  assert.match(readFileSync(`/proc/${sleeper}/cmdline`, "utf8"), /^sleep/);
  child.kill("SIGKILL");
  await eventually(() => !existsSync(`/proc/${pid}`) && !existsSync(`/proc/${sleeper}`));
});

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
