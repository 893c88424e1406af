/** The command as a process of its own, with a daemon that only pretends and an `ip` that is a shell script. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("main.js", import.meta.url));

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown> | undefined;
}

type Answer = readonly [status: number, body?: unknown];

const slave = {
  name: "i0",
  ifindex: 4,
  here: true,
  master: "eth0",
  masterIfindex: 3,
  masterHere: true,
  masterUp: true,
  mode: "l3",
  flag: "bridge",
  addresses: [],
};

/** A directory with an `ip` that tells what it was given, perhaps a daemon, and the command to try on them. */
class Bench {
  readonly directory: string;
  readonly asked: Asked[] = [];
  server: Server | undefined;

  constructor(t: TestContext) {
    this.directory = mkdtempSync(join(tmpdir(), "ipvlan-cli-"));
    this.ip('echo "ip $*"');
    t.after(() => {
      this.server?.close();
      rmSync(this.directory, { recursive: true });
    });
  }

  /** What the system's `ip` does. */
  ip(script: string): void {
    const path = join(this.directory, "ip");
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }

  /** A daemon for the namespace we are in, or another. */
  async daemon(
    answer: (asked: Asked) => Answer,
    inode: number = statSync("/proc/self/ns/net").ino,
  ): Promise<void> {
    const directory = join(this.directory, "run", String(inode));
    mkdirSync(directory, { recursive: true });
    this.server = createServer(async (request, response) => {
      let text = "";
      for await (const piece of request) text += piece;
      const body = text === "" ? undefined : JSON.parse(text);
      const asked = { method: request.method ?? "", path: request.url ?? "", body };
      this.asked.push(asked);
      const [status, told] = answer(asked);
      response.writeHead(status).end(told === undefined ? "" : JSON.stringify(told));
    });
    const server = this.server;
    await new Promise<void>((done) => server.listen(join(directory, "control.sock"), done));
  }

  /** A daemon that knows the slave i0 and gives one answer to whatever is to be changed. */
  daemonWithSlave(answer: Answer): Promise<void> {
    return this.daemon(({ method }) => (method === "GET" ? [200, { links: [slave] }] : answer));
  }

  /** What was asked to be changed. */
  get changes(): Asked[] {
    return this.asked.filter(({ method }) => method !== "GET");
  }

  run(line: string, script: string = main): Promise<Result> {
    const env = {
      PATH: `${this.directory}:/usr/bin:/bin`,
      IPVLAN_RUN: join(this.directory, "run"),
    };
    const child = spawn(process.execPath, [script, ...line.split(" ")], { env });
    const result = { out: "", err: "" };
    child.stdout.on("data", (piece) => {
      result.out += piece;
    });
    child.stderr.on("data", (piece) => {
      result.err += piece;
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ ...result, end: signal ?? code ?? -1 }));
    });
  }
}

interface Result {
  readonly out: string;
  readonly err: string;
  /** Exit status, or the signal that ended it. */
  readonly end: number | string;
}

const error = (code: string, message: string, extack?: string): unknown => ({
  error: { code, errno: 1, message, ...(extack && { extack }) },
});

test("other lines go to the system's ip word for word, and its exit status comes back", async (t) => {
  const bench = new Bench(t);
  bench.ip('echo "ip $*"; echo no >&2; exit 7');
  const result = await bench.run("-d addr show dev eth0");
  assert.deepEqual(result, { out: "ip -d addr show dev eth0\n", err: "no\n", end: 7 });
});

test("what we refuse ourselves reads as the system's ip has it", async (t) => {
  const bench = new Bench(t);
  for (const line of MALFORMED) {
    const words = `link ${line}`;
    const system = spawnSync("ip", words.split(" "), { encoding: "utf8" });
    if (system.error !== undefined) return t.skip("needs iproute2: no ip in PATH");
    const { err, end } = await bench.run(words);
    const inOneLine = (text: string): string => text.replace(/\n+/g, "\n");
    assert.deepEqual([inOneLine(err), end], [inOneLine(system.stderr), system.status], line);
  }
  return undefined;
});

/** None of these gets as far as the kernel. */
const MALFORMED = [
  "add link lo name a/b type ipvlan",
  "add link lo name abcdefghijklmnop type ipvlan",
  "add link lo name i0 name i1 type ipvlan",
  "add link lo i0 i1 type ipvlan",
  "add link lo dev i0 name i1 type ipvlan",
  "add link lo name i0 mtu x type ipvlan",
  "add link lo name i0 mtu 1 mtu 2 type ipvlan",
  "add link lo name i0 address zz type ipvlan",
  "add link lo name i0 netns clt-none type ipvlan",
  "add link lo name i0 type ipvlan mode",
  "add link lo name i0 type ipvlan m l5",
  "add link lo name i0 type ipvlan br p",
  "add link lo name i0 type ipvlan help",
  "set type ipvlan mode l2",
  "set lo type ipvlan mode l4",
  "set lo type ipvlan foo",
  "del lo type ipvlan foo",
];

test("a program that a broken pipe ended is reported as a shell does", async (t) => {
  const bench = new Bench(t);
  bench.ip("kill -PIPE $$");
  assert.equal((await bench.run("route")).end, 141);
});

test("the signal that ends the system's ip ends the command", async (t) => {
  const bench = new Bench(t);
  bench.ip("kill -TERM $$");
  assert.equal((await bench.run("monitor")).end, "SIGTERM");
});

test("under the name ip it finds the ip that it is not", async (t) => {
  const bench = new Bench(t);
  const called = join(bench.directory, "first");
  mkdirSync(called);
  chmodSync(main, 0o755);
  symlinkSync(main, join(called, "ip"));
  const path = `${called}:${bench.directory}`;
  const { getSystemIp } = await import("./system-ip.ts");
  assert.equal(getSystemIp(join(called, "ip"), path), join(bench.directory, "ip"));
  assert.equal((await bench.run("help", join(called, "ip"))).out, "ip help\n");
});

test("without a daemon, lines about what may be a slave are the system's", async (t) => {
  const bench = new Bench(t);
  for (const line of [
    "link",
    "-d link show i0",
    "link del i0",
    "link set i0 type ipvlan mode l2",
  ]) {
    assert.equal((await bench.run(line)).out, `ip ${line}\n`);
  }
});

test("link add asks the daemon, and tells whom else the mode concerns now", async (t) => {
  const bench = new Bench(t);
  await bench.daemon(({ method }) =>
    method === "GET" ? [200, { links: [] }] : [201, { link: slave, touched: ["i1", "i2"] }],
  );
  const result = await bench.run("link add link eth0 name i0 mtu 1400 up type ipvlan mode l3");
  assert.deepEqual(result, { out: "", err: "mode l3 bridge now also for: i1, i2\n", end: 0 });
  const [asked] = bench.changes;
  assert.equal(`${asked?.method} ${asked?.path}`, "POST /v1/links");
  const { netns, ...link } = asked?.body ?? {};
  assert.match(String(netns), /^\/proc\/\d+\/ns\/net$/);
  assert.deepEqual(link, { master: "eth0", name: "i0", mtu: 1400, up: true, mode: "l3" });
});

test("netns takes a name or a process; a name that is neither is refused", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([201, { link: slave, touched: [] }]);
  await bench.run(`link add link eth0 name i1 netns ${process.pid} type ipvlan`);
  assert.equal(bench.changes[0]?.body?.target, `/proc/${process.pid}/ns/net`);
  assert.deepEqual(await bench.run("link add link eth0 name i1 netns clt-none type ipvlan"), {
    out: "",
    err: 'Error: argument "clt-none" is wrong: Invalid "netns" value\n',
    end: 255,
  });
  assert.equal((await bench.run("-n clt-none link add link e name i type ipvlan")).end, 255);
});

test("a slave without a name gets the first that is free", async (t) => {
  const bench = new Bench(t);
  await bench.daemon(({ method, body }) => {
    if (method === "GET") return [200, { links: [] }];
    if (body?.name === "ipvlan0") return [409, error("EEXIST", "File exists")];
    return [201, { link: slave, touched: [] }];
  });
  assert.equal((await bench.run("link add link eth0 type ipvlan")).end, 0);
  assert.deepEqual(
    bench.changes.map(({ body }) => body?.name),
    ["ipvlan0", "ipvlan1"],
  );
});

test("the daemon's no reads as the kernel's", async (t) => {
  const bench = new Bench(t);
  let answer: Answer = [409, error("EEXIST", "File exists")];
  await bench.daemon(({ method }) => (method === "GET" ? [200, { links: [] }] : answer));
  const line = "link add link eth0 name i0 type ipvlan";
  const refusal = async () => {
    const { err, end } = await bench.run(line);
    return [err, end];
  };
  assert.deepEqual(await refusal(), ["RTNETLINK answers: File exists\n", 2]);
  answer = [409, error("EADDRINUSE", "x", "Address already assigned to an ipvlan device")];
  const extack = "Error: Address already assigned to an ipvlan device.\n";
  assert.deepEqual(await refusal(), [extack, 2]);
  answer = [404, error("ENODEV", "No such device")];
  assert.deepEqual(await refusal(), ['Cannot find device "eth0"\n', 1]);
  answer = [500, "what?"];
  assert.deepEqual(await refusal(), ["ipvlan: it answered 500\n", 2]);
});

test("link set changes the port, and the system sets the rest", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([200, { link: slave, touched: [] }]);
  const result = await bench.run("-s link set i0 mtu 1400 type ipvlan mode l2 vepa");
  assert.deepEqual(result, { out: "ip -s link set i0 mtu 1400\n", err: "", end: 0 });
  const { netns: _, ...change } = bench.changes[0]?.body ?? {};
  assert.deepEqual(change, { name: "i0", mode: "l2", flag: "vepa" });
  assert.equal(bench.changes[0]?.method, "PATCH");
  const other = "link set v0 type ipvlan mode l2";
  assert.equal((await bench.run(other)).out, `ip ${other}\n`);
});

test("a slave keeps its MAC, other devices are the system's", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([200]);
  assert.deepEqual(await bench.run("link set i0 address 02:00:00:00:00:66"), {
    out: "",
    err: "RTNETLINK answers: Operation not supported\n",
    end: 2,
  });
  assert.equal((await bench.run("link set v0 address 02:00:00:00:00:66")).end, 0);
});

test("link del of a slave is the daemon's, of anything else the system's", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([204]);
  assert.deepEqual(await bench.run("link del dev i0"), { out: "", err: "", end: 0 });
  assert.equal(bench.changes[0]?.method, "DELETE");
  assert.equal(bench.changes[0]?.body?.name, "i0");
  assert.equal((await bench.run("link del v0")).out, "ip link del v0\n");
});

test("a slave is found whichever daemon it belongs to, but only where it lives", async (t) => {
  const bench = new Bench(t);
  const links = [slave, { ...slave, name: "i1", here: false }];
  await bench.daemon(({ method }) => (method === "GET" ? [200, { links }] : [204]), 1);
  assert.deepEqual(await bench.run("link del i0"), { out: "", err: "", end: 0 });
  assert.equal((await bench.run("link del i1")).out, "ip link del i1\n");
});

test("link show puts the system's text right, with its exit status", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([200]);
  bench.ip(
    `case "$*" in *up) echo '[{"ifname":"eth0"}]';; *) echo "4: i0@if9: <UP> mtu"; exit 3; esac`,
  );
  assert.deepEqual(await bench.run("link show i0"), {
    out: "4: i0@eth0: <UP> mtu\n",
    err: "",
    end: 3,
  });
});

test("link show hides our own device beside the master, unless it is named", async (t) => {
  const bench = new Bench(t);
  const links = [{ ...slave, here: false }];
  await bench.daemon(() => [200, { links }]);
  bench.ip(`case "$*" in *up) echo '[]';; *) echo "9: ipvlup3@if2: <UP> mtu"; esac`);
  assert.equal((await bench.run("link")).out, "");
  assert.equal((await bench.run("link show ipvlup3")).out, "9: ipvlup3@if2: <UP> mtu\n");
});

test("status, port set and daemon stop without a daemon say so", async (t) => {
  const bench = new Bench(t);
  const err = "ipvlan: no daemon runs for this network namespace\n";
  assert.deepEqual(await bench.run("status -j"), { out: "[]\n", err, end: 0 });
  assert.deepEqual(await bench.run("port set eth0 compat kernel"), { out: "", err, end: 1 });
  assert.deepEqual(await bench.run("daemon stop"), { out: "", err, end: 1 });
});

test("daemon stop returns when the daemon is gone", async (t) => {
  const bench = new Bench(t);
  await bench.daemon(({ path }) => {
    if (path === "/v1/stop") setTimeout(() => bench.server?.close(), 100);
    return path === "/v1/stop" ? [202] : [200, { ports: [] }];
  });
  assert.deepEqual(await bench.run("daemon stop --remove"), { out: "", err: "", end: 0 });
  assert.equal(bench.changes[0]?.body?.remove, true);
  assert.equal(bench.server?.listening, false);
});

test("a line for a master that is not there starts no daemon", async (t) => {
  const bench = new Bench(t);
  bench.ip("exit 1");
  assert.deepEqual(await bench.run("link add link nosuch name i0 type ipvlan"), {
    out: "",
    err: 'Cannot find device "nosuch"\n',
    end: 1,
  });
});

test("help and version", async (t) => {
  const bench = new Bench(t);
  assert.match((await bench.run("--help")).out, /^Usage: ipvlan/);
  assert.match((await bench.run("--version")).out, /^ipvlan \d+\.\d+\.\d+\n$/);
});
