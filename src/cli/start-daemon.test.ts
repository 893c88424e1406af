import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { UsageError } from "./errors.ts";
import { startDaemon } from "./start-daemon.ts";

const netns = "/proc/self/ns/net";

/** Listens a little late, and ends when told to stop. */
const daemon = `
  const server = require("node:http").createServer((request, response) => {
    response.end('{"ports":[]}');
    if (request.method === "POST") process.exit();
  });
  console.log("started", process.pid);
  setTimeout(() => server.listen(process.argv[1] + "/control.sock"), 50);
`;

function newDirectory(t: TestContext): string {
  const parent = mkdtempSync(join(tmpdir(), "ipvlan-start-"));
  t.after(() => rmSync(parent, { recursive: true }));
  return join(parent, "4026531840");
}

test("two commands that start a daemon at once use the same one", async (t) => {
  const directory = newDirectory(t);
  const words = [process.execPath, "-e", daemon, directory];
  const clients = await Promise.all([
    startDaemon(directory, netns, words),
    startDaemon(directory, netns, words),
  ]);
  for (const client of clients) assert.deepEqual(await client.ports(netns), []);
  assert.match(readFileSync(join(directory, "daemon.log"), "utf8"), /^started \d+\n$/);
  await clients[0]?.stop(netns, false);
});

test("a command that died while it started the daemon does not stop the next", async (t) => {
  const directory = newDirectory(t);
  mkdirSync(directory);
  const dead = spawnSync(process.execPath, ["--version"]);
  writeFileSync(join(directory, "starting"), String(dead.pid));
  const words = [process.execPath, "-e", daemon, directory];
  const client = await startDaemon(directory, netns, words);
  assert.ok(!existsSync(join(directory, "starting")));
  await client.stop(netns, false);
});

test("a daemon that does not start is reported with the last line of its log", async (t) => {
  const directory = newDirectory(t);
  const words = [process.execPath, "-e", 'console.error("no\\nno memory"); process.exit(1)'];
  await assert.rejects(
    startDaemon(directory, netns, words),
    (error) => error instanceof UsageError && /daemon\.log\): no memory$/.test(error.message),
  );
});

test("a program that does not exist is reported, not thrown", async (t) => {
  const directory = newDirectory(t);
  await assert.rejects(startDaemon(directory, netns, ["/nonexistent"]), UsageError);
});
