/** The command as a process, on the bench of `test/cli-bench.ts`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Answer, Bench, error, main, slave } from "../../test/cli-bench.ts";

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

test("what is shown keeps its bytes, UTF-8 or not, and names that are UTF-8 are found", async (t) => {
  const bench = new Bench(t);
  await bench.daemon(() => [200, { links: [{ ...slave, name: "sklave-ä", master: "ä0" }] }]);
  bench.ip("printf '3: x: <UP>\\n    alias \\377\\n4: sklave-ä@if9: <UP>\\n    alias ü'");
  const expected = [
    Buffer.from("3: x: <UP>\n    alias "),
    Buffer.of(0xff),
    Buffer.from("\n4: sklave-ä@ä0: <UP>\n    alias ü"),
  ];
  for (const line of ["link", "monitor"])
    assert.equal(
      (await bench.run(line, main, "latin1")).out,
      Buffer.concat(expected).toString("latin1"),
      line,
    );
});

for (const device of ["ipvlup3", "s3.1"])
  test(`link show hides our own device beside the master, unless it is named: ${device}`, async (t) => {
    const bench = new Bench(t);
    const links = [{ ...slave, here: false }];
    await bench.daemon(() => [200, { links }]);
    bench.ip(`case "$*" in *up) echo '[]';; *) echo "9: ${device}@if2: <UP> mtu"; esac`);
    assert.equal((await bench.run("link")).out, "");
    assert.equal((await bench.run(`link show ${device}`)).out, `9: ${device}@if2: <UP> mtu\n`);
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
  const bench = new Bench(t);
  const links = [{ ...slave, addresses: ["10.0.0.10/24"] }];
  await bench.daemon(() => [200, { links }]);
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
