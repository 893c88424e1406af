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

test("what link add sets afterwards is set by the system; if it cannot, the slave goes again", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([201, { link: slave, touched: [] }]);
  const line = "link add link eth0 name i0 alias x up type ipvlan";
  assert.equal((await bench.run(line)).out, "ip link set dev i0 alias x up\n");
  assert.equal(bench.changes[0]?.body?.up, false);
  bench.ip("echo no >&2; exit 2");
  assert.deepEqual(await bench.run(line), { out: "", err: "no\n", end: 2 });
  assert.deepEqual(
    bench.changes.map(({ method }) => method),
    ["POST", "POST", "DELETE"],
  );
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

const BATCH_SLAVE = { ...slave, addresses: ["10.0.0.10/24"] };

/** An `ip` that tells what it is given, also by its input; a line with "bad" in it is one that fails. */
const BATCH_IP = `echo "ip $*"
n=0
case "$*" in *-batch*) while read -r line; do
  n=$((n+1)); echo "$line"
  case "$line" in *bad*) echo "Command failed -:$n" >&2; exit 1;; *worse*) exit 255;; esac
done;; esac`;

async function batchBench(
  t: TestContext,
): Promise<Bench & { batch(text: string): Promise<Result> }> {
  const bench = new Bench(t);
  bench.ip(BATCH_IP);
  await bench.daemon(({ method }) =>
    method === "GET" ? [200, { links: [BATCH_SLAVE] }] : [201, { link: slave, touched: [] }],
  );
  const file = join(bench.directory, "b");
  const batch = (text: string) => {
    writeFileSync(file, text);
    return bench.run(`-d -batch ${file}`);
  };
  return Object.assign(bench, { batch });
}

test("a batch: lines of the system's run together, ours between them", async (t) => {
  const bench = await batchBench(t);
  const { out, err, end } = await bench.batch(
    "link set eth0 up\n# x\naddr add 10.0.0.11/24 dev i0\nlink add link eth0 i1 type ipvlan\nroute\n",
  );
  const first = "ip -d -batch -\nlink set eth0 up\naddr add 10.0.0.11/24 dev i0\n";
  assert.deepEqual([out, err, end], [`${first}ip -d -batch -\nroute\n`, "", 0]);
  assert.equal(bench.changes.length, 1);
});

test("a batch ends at the first line that fails, which is told by its number", async (t) => {
  const bench = await batchBench(t);
  const file = join(bench.directory, "b");
  for (const [text, err, end] of [
    ["\n# x\nlink set v0 bad\nroute\n", `Command failed ${file}:3\n`, 1],
    ["route\n\nlink set i0 type ipvlan mode l2\nbad\n", `Command failed ${file}:4\n`, 1],
    [
      "route\nlink set i0 address 02:00:00:00:00:01\n",
      `RTNETLINK answers: Operation not supported\nCommand failed ${file}:2\n`,
      1,
    ],
    [
      "addr add 10.0.0.11/24 dev i0\naddr add 10.0.0.11/32 dev i0\naddr add 10.0.0.10/25 dev i0",
      `Error: Address already assigned to an ipvlan device.\nCommand failed ${file}:3\n`,
      1,
    ],
    ["worse\nroute\n", "", 255],
    [
      "link set i0 type ipvlan mode\nroute\n",
      'Command line is not complete. Try option "help"\n',
      255,
    ],
  ] as const) {
    const result = await bench.batch(text);
    assert.deepEqual([result.err, result.end], [err, end], text);
    assert.equal(result.out.includes("ip -d -batch -\nroute\n\n"), false);
  }
});

test("with -force a batch goes on, and its exit status tells that something failed", async (t) => {
  const bench = await batchBench(t);
  bench.ip("cat >&2");
  const file = join(bench.directory, "b");
  writeFileSync(file, "link del i0\nlink set i0 address 02:00:00:00:00:01\nroute\n");
  const { err, end } = await bench.run(`-force -b ${file}`);
  const refusal = `RTNETLINK answers: Operation not supported\nCommand failed ${file}:2\n`;
  assert.deepEqual([err, end], [`${refusal}route\n`, 1]);
});

test("a batch that cannot be read is the system's to refuse", async (t) => {
  const bench = new Bench(t);
  assert.equal((await bench.run("-b /nosuch")).out, "ip -b /nosuch\n");
});

test("events of slaves are told as of ipvlan, others as they are", async (t) => {
  const bench = new Bench(t);
  await bench.daemonWithSlave([200]);
  bench.ip(
    'echo "$*"; echo "4: i0@if9: <UP> mtu"; echo "    veth x"; echo "3: eth0: <UP>"; exit 3',
  );
  assert.deepEqual(await bench.run("-d monitor link"), {
    out: "-d monitor link\n4: i0@eth0: <UP> mtu\n    ipvlan  mode l3 bridge x\n3: eth0: <UP>\n",
    err: "",
    end: 3,
  });
});

test("an address that another slave has is refused, any other goes to the system", async (t) => {
  const bench = await batchBench(t);
  const refused = {
    out: "",
    err: "Error: Address already assigned to an ipvlan device.\n",
    end: 2,
  };
  assert.deepEqual(await bench.run("addr add 10.0.0.10/32 dev i0"), refused);
  for (const line of ["addr add 10.0.0.11/24 dev i0", "addr add 10.0.0.10/32 dev v0"])
    assert.equal((await bench.run(line)).out, `ip ${line}\n`);
});

test("the port of a master that has been moved is its daemon's, wherever that is", async (t) => {
  const bench = new Bench(t);
  const links = [{ ...slave, here: false }];
  await bench.daemon(
    ({ method }) => (method === "GET" ? [200, { links }] : [201, { link: slave, touched: [] }]),
    1,
  );
  assert.equal((await bench.run("link add link eth0 name i1 type ipvlan")).end, 0);
  assert.equal(bench.changes.length, 1);
});

test("help and version", async (t) => {
  const bench = new Bench(t);
  assert.match((await bench.run("--help")).out, /^Usage: ipvlan/);
  assert.match((await bench.run("port set help")).out, /^Usage: ipvlan .*port set/);
  assert.match((await bench.run("--version")).out, /^ipvlan \d+\.\d+\.\d+\n$/);
});
