/** Batches, on the bench of `test/cli-bench.ts` and beside the system's `ip`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Bench, main, type Result, slave } from "../../test/cli-bench.ts";

const SLAVE = { ...slave, addresses: ["10.0.0.10/24"] };

/** An `ip` that tells what it is given, also by its input; a line with "bad" in it is one that fails. */
const IP = `echo "ip $*"
n=0
case "$*" in *-batch*) while read -r line; do
  n=$((n+1)); echo "$line"
  case "$line" in *bad*) echo "Command failed -:$n" >&2; exit 1;; *worse*) exit 255;; esac
done;; esac`;

class BatchBench extends Bench {
  readonly file = join(this.directory, "lines");

  async serve(): Promise<this> {
    this.ip(IP);
    await this.daemon(({ method }) =>
      method === "GET" ? [200, { links: [SLAVE] }] : [201, { link: slave, touched: [] }],
    );
    return this;
  }

  batch(text: string, option = "-d"): Promise<Result> {
    writeFileSync(this.file, text);
    return this.run(`${option} -batch ${this.file}`);
  }
}

test("a batch: lines of the system's run together, ours between them", async (t) => {
  const bench = await new BatchBench(t).serve();
  const { out, err, end } = await bench.batch(
    "link set eth0 up\n# x\naddr add 10.0.0.11/24 dev i0\nlink add link eth0 i1 type ipvlan\nroute\n",
  );
  const first = "ip -d -batch -\nlink set eth0 up\naddr add 10.0.0.11/24 dev i0\n";
  assert.deepEqual([out, err, end], [`${first}ip -d -batch -\nroute\n`, "", 0]);
  assert.equal(bench.changes.length, 1);
});

test("a batch ends at the first line that fails, which is told by its number", async (t) => {
  const bench = await new BatchBench(t).serve();
  const { file } = bench;
  for (const [text, err, end] of [
    ["\n# x\nlink set v0 bad\nnever\n", `Command failed ${file}:3\n`, 1],
    ["route\n\nlink set i0 type ipvlan mode l2\nbad\nnever\n", `Command failed ${file}:4\n`, 1],
    [
      "route\nlink set i0 address 02:00:00:00:00:01\nnever\n",
      `RTNETLINK answers: Operation not supported\nCommand failed ${file}:2\n`,
      1,
    ],
    [
      "addr add 10.0.0.11/24 dev i0\naddr add 10.0.0.11/32 dev i0\naddr add 10.0.0.10/25 dev i0\nnever",
      `Error: Address already assigned to an ipvlan device.\nCommand failed ${file}:3\n`,
      1,
    ],
    [
      "link set v0 name bad\naddr add 10.0.0.11/24 dev v0 label never\n",
      `Command failed ${file}:1\n`,
      1,
    ],
    ["worse\nnever\n", "", 255],
    [
      "link set i0 type ipvlan mode\nnever\n",
      'Command line is not complete. Try option "help"\n',
      255,
    ],
  ] as const) {
    const result = await bench.batch(text);
    assert.deepEqual([result.err, result.end], [err, end], text);
    assert.doesNotMatch(result.out, /never/, text);
  }
});

test("with -force a batch goes on, and its exit status tells that something failed", async (t) => {
  const bench = await new BatchBench(t).serve();
  bench.ip("cat >&2");
  const text = "link set i0 address 02:00:00:00:00:01\nlink del i0\nroute\n";
  const { err, end } = await bench.batch(text, "-force");
  const refusal = `RTNETLINK answers: Operation not supported\nCommand failed ${bench.file}:1\n`;
  assert.deepEqual([err, end], [`${refusal}route\n`, 1]);
});

test("a batch that cannot be read is the system's to refuse", async (t) => {
  const bench = new Bench(t);
  assert.equal((await bench.run("-b /nosuch")).out, "ip -b /nosuch\n");
});

test("a batch without lines of ours reads as the system's", async (t) => {
  const bench = new Bench(t);
  if (spawnSync("ip", ["-V"]).error !== undefined) return t.skip("needs iproute2: no ip in PATH");
  rmSync(join(bench.directory, "ip"));
  const file = join(bench.directory, "b");
  for (const text of BATCHES)
    for (const options of ["", "-force "]) {
      writeFileSync(file, text, "latin1");
      const line = `${options}-br -batch ${file}`;
      const { stdout, stderr, status } = spawnSync("ip", line.split(" "), { encoding: "latin1" });
      const { out, err, end } = await bench.run(line, main, "latin1");
      assert.deepEqual([out, err, end], [stdout, stderr, status], `${options}${text.slice(0, 99)}`);
    }
  return undefined;
});

const LO = "link show dev lo\n";
const NOSUCH = "link show dev clt-none\n";
const BATCHES = [
  "",
  `${LO}\n# x\n${LO}`,
  `${LO}${NOSUCH}${LO}`,
  `\n\n  link \\\nshow # x\\\n${NOSUCH}addr show dev "lo"\n-d link\nfoo`,
  `${LO}link set lo mtu x\n${LO}`,
  `${LO}link show 'dev lo\n${LO}`,
  `${LO}${"x ".repeat(600)}\n${LO}`,
  `${LO}link show dev \\\n`,
  `foo \xff\n${LO}`,
  LO.repeat(10_000),
];
