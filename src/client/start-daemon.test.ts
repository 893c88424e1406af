import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { STATUS_SERVED, startDaemon } from "./start-daemon.ts";

const netns = "/proc/self/ns/net";

/** Listens a little late, and ends when told to stop; the second of two ends as ours does. */
const daemon = `
  const { openSync } = require("node:fs");
  try { openSync(process.argv[1] + "/lock", "wx"); } catch { process.exit(${STATUS_SERVED}); }
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
  await clients[0]?.stop(false);
});

test("a daemon that does not start is reported with the last line of its log", async (t) => {
  const directory = newDirectory(t);
  const words = [process.execPath, "-e", 'console.error("no\\nno memory"); process.exit(1)'];
  await assert.rejects(
    startDaemon(directory, netns, words),
    /^Error: the daemon did not start \(.*daemon\.log\): no memory$/,
  );
});

test("a daemon that does not answer in time is ended, and who started it is not kept", async (t) => {
  const directory = newDirectory(t);
  const silent = "console.log(process.pid); setInterval(() => {}, 1000)";
  const start = `import { startDaemon } from ${JSON.stringify(new URL("./start-daemon.js", import.meta.url))};
    const words = [process.execPath, "-e", ${JSON.stringify(silent)}];
    await startDaemon(${JSON.stringify(directory)}, "${netns}", words, 1000);`;
  const words = ["--input-type=module", "-e", start];
  const { status, stderr } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal(status, 1);
  const [, pid] = /the daemon did not start \(.*daemon\.log\): (\d+)/.exec(stderr) ?? [];
  await becomesTrue(() => !existsSync(`/proc/${pid}`));
});

test("a program that does not exist is reported, not thrown", async (t) => {
  const directory = newDirectory(t);
  await assert.rejects(startDaemon(directory, netns, ["/nonexistent"]), /did not start/);
});

async function becomesTrue(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!isTrue()) {
    assert.ok(Date.now() < deadline);
    await sleep(20);
  }
}
