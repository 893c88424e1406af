/** The daemon from the outside, on real devices: its answers, its log, how it ends, and how systemd starts it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { request } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { Ajv } from "ajv";
import * as fc from "fast-check";
import { BIN, buildLan, netnsOf, shell } from "../scripts/lab.ts";
import { daemonDirectory, runDirectory } from "../src/daemon/run-directory.ts";
import { becomes, buildGround, clearGround, takeStock, type } from "./control/ground.ts";
import { inSandbox } from "./in-sandbox.ts";
import { SYSTEM_IP, showPorts } from "./slaves.ts";

const HERE = netnsOf("host");

await inSandbox(import.meta.url, { needs: ["nft"], engines: "both", usually: "ebpf" }, () => {
  before(async () => {
    await buildLan(); // for the names of our command
    await shell("host", `${SYSTEM_IP} link del eth0; ${SYSTEM_IP} netns del lan`);
    await buildGround();
  });
  afterEach(() => shell("host", "ipvlan daemon stop --remove 2>/dev/null || true"));
  after(clearGround);

  test("every answer is as the daemon describes it", async () => {
    await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2");
    const { body: api } = await ask("GET", "/v1/openapi.json");
    const described = (method: string, path: string) => validator(api, method, path);
    for (const [method, path, body] of ANSWERED) {
      const { status, body: answer } = await ask(method, path, body);
      described(method, path)(status, answer);
    }
  });

  test("after any JSON there is no half-made device, and the daemon goes on", async () => {
    await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2");
    const stock = await takeStock();
    await fc.assert(
      fc.asyncProperty(anyChange, async ([method, body]) => {
        const { status, body: answer } = await ask(method, "/v1/links", body);
        assert.ok(status < 500, JSON.stringify([body, status, answer]));
        if (status !== 201) return;
        const { netns = HERE, target = netns, name } = body;
        assert.equal((await ask("DELETE", "/v1/links", { netns: target, name })).status, 204);
      }),
      { numRuns: 150 },
    );
    await ask("PATCH", "/v1/links", { netns: HERE, name: "i0", mode: "l2", flag: "bridge" });
    assert.equal(await takeStock(), stock);
  });

  test("the log tells what people and the kernel did, a line each", async () => {
    await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2");
    await shell("host", "ip link add link eth0 name i1 type ipvlan");
    await shell("host", "ip link set i1 netns ns0");
    await shell("host", `${SYSTEM_IP} addr add 10.0.0.1/24 dev i0; ${SYSTEM_IP} link set i0 up`);
    await shell("host", `${SYSTEM_IP} -n ns0 addr add 10.0.0.1/24 dev i1`);
    assert.ok(await becomes(() => messages().includes("conflict found")));
    await shell("host", `${SYSTEM_IP} -n ns0 addr del 10.0.0.1/24 dev i1`);
    assert.ok(await becomes(() => messages().includes("conflict over")));
    await shell("host", "ip link set i0 type ipvlan mode l3");
    await shell("host", `${SYSTEM_IP} link del i0; ${SYSTEM_IP} -n ns0 link del i1`);
    assert.ok(await becomes(() => messages().includes("port ended")));
    assert.deepEqual(messages(), [
      "daemon started",
      "port started",
      "slave added",
      "slave added",
      "slave moved",
      "conflict found",
      "conflict over",
      "settings changed",
      "slave removed",
      "slave removed",
      "port ended",
    ]);
    const changed = log().find(({ msg }) => msg === "settings changed")!;
    const { level, master, mode, touched } = changed;
    assert.deepEqual({ level, master, mode, touched }, LINE);
  });

  test("who stops the daemon hears of it when nothing is left of it", async () => {
    await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2");
    const pid = daemonPids()[0]!;
    await shell("host", "ipvlan daemon stop --remove");
    assert.ok(!daemonPids().includes(pid), "its process");
    assert.deepEqual(readdirSync(runDirectory()), [], "its folder");
  });

  test("slaves that are added while a daemon ends are the next one's", async () => {
    for (let round = 0; round < 2; round++) {
      await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2");
      const answers = await Promise.all([
        type("host", "ipvlan daemon stop"),
        type("host", "ip link add link eth0 name i1 type ipvlan"),
        type("host", "ip link add link eth0 name i2 netns ns0 type ipvlan"),
      ]);
      for (const { status, stderr } of answers) assert.equal(status, 0, stderr);
      await shell("host", "ip link add link eth0 name i3 type ipvlan"); // starts one, if it stopped last
      const [port] = await showPorts();
      assert.deepEqual(port!.slaves.map(({ name }) => name).sort(), ["i0", "i1", "i2", "i3"]);
      await shell("host", "ipvlan daemon stop --remove");
    }
  });

  test("systemd's socket starts it, and is there when it has stopped", async (t) => {
    const folder = daemonDirectory(HERE);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    symlinkSync("../control.sock", `${folder}/control.sock`);
    const systemd = spawn(process.execPath, ["-e", SYSTEMD, `${runDirectory()}/control.sock`], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, PATH: `${BIN}:${process.env.PATH}` },
    });
    t.after(() => systemd.kill("SIGKILL"));
    assert.ok(await becomes(() => existsSync(`${folder}/control.sock`)));
    for (const words of ["", " --remove"]) {
      await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2; ip link del i0");
      assert.ok(!existsSync(`${folder}/daemon.log`), "the command started none");
      await shell("host", `ipvlan daemon stop${words}`);
      assert.ok(existsSync(`${folder}/control.sock`));
    }
    const [status] = systemd.exitCode === null ? await once(systemd, "exit") : [systemd.exitCode];
    assert.equal(status, 0);
    assert.deepEqual(readdirSync(folder), ["control.sock"]);
    await shell("host", `rm -r ${runDirectory()}/*`);
  });
});

const LINE = { level: "info", master: "eth0", mode: "l3", touched: ["i0", "i1"] };

/** Listens, and runs one daemon after the other; waiting for them, it never accepts a connection itself. */
const SYSTEMD = `
  const { spawnSync } = require("node:child_process");
  const server = require("node:net").createServer().listen(process.argv[1], () => {
    const env = { ...process.env, LISTEN_FDS: "1", LISTEN_FDNAMES: "control" };
    const stdio = ["ignore", "inherit", "inherit", server._handle.fd];
    for (let round = 0; round < 2; round++) {
      const words = ["-c", "LISTEN_PID=$$ exec ipvlan daemon run"];
      const { status } = spawnSync("sh", words, { stdio, env });
      if (status !== 0) process.exit(1);
    }
    process.exit(0);
  });
`;

type Json = Readonly<Record<string, unknown>>;

const ANSWERED: readonly (readonly [string, string, Json?])[] = [
  ["GET", `/v1/links?netns=${HERE}`],
  ["GET", `/v1/ports?netns=${HERE}`],
  ["GET", "/v1/ports?netns=/nowhere"],
  ["POST", "/v1/links", { netns: HERE, master: "eth0", name: "i1", up: true, mtu: 1400 }],
  ["POST", "/v1/links", { netns: HERE, master: "eth0", name: "i1" }],
  ["PATCH", "/v1/links", { netns: HERE, name: "i1", mode: "l3s", flag: "private" }],
  ["PATCH", "/v1/ports", { netns: HERE, master: "eth0", compat: "kernel" }],
  ["PATCH", "/v1/ports", { netns: HERE, master: "eth0", engine: "userspace" }],
  ["GET", `/v1/ports?netns=${HERE}`],
  ["DELETE", "/v1/links", { netns: HERE, name: "i1" }],
  ["DELETE", "/v1/links", { netns: HERE, name: "i1" }],
  ["POST", "/v1/stop", { remove: true }],
];

/** Requests that are nearly right, about what there is. */
const anyChange = fc.tuple(
  fc.constantFrom("POST", "PATCH"),
  fc.record<Json>(
    {
      netns: fc.constantFrom(HERE, "/run/netns/ns0", "/run/netns", "/proc/version", "/dev/zero"),
      master: fc.oneof(fc.constantFrom("eth0", "i0", "w0", "lo"), fc.string()),
      name: fc.oneof(fc.constantFrom("i1", "i2", "eth0"), fc.string({ maxLength: 16 })),
      mode: fc.constantFrom("l2", "l3", "l3s", "l4"),
      flag: fc.constantFrom("bridge", "private", "vepa"),
      target: fc.constantFrom("/run/netns/ns1", "/run/netns/nosuch", "/proc/version"),
      up: fc.boolean(),
      mtu: fc.oneof(fc.integer({ min: 60, max: 70_000 }), fc.integer()),
    },
    { requiredKeys: [] },
  ),
);

/** Checks an answer against what the description says of that request. */
function validator(api: unknown, method: string, url: string) {
  const ajv = new Ajv({ strict: false }).addSchema(api as object, "api");
  const path = url.split("?")[0]!;
  const { responses } = (api as Described).paths[path]![method.toLowerCase()]!;
  return (status: number, answer: unknown): void => {
    const told = String(status) in responses ? String(status) : "default";
    if (responses[told]!.content === undefined) {
      assert.equal(answer, undefined);
      return;
    }
    const at = `paths/${path.replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${told}`;
    const validate = ajv.compile({ $ref: `api#/${at}/content/application~1json/schema` });
    assert.ok(validate(answer), `${method} ${url}: ${ajv.errorsText(validate.errors)}`);
  };
}

interface Described {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { responses: Record<string, { content?: Json }> }>>>
  >;
}

function ask(
  method: string,
  path: string,
  body?: Json,
): Promise<{ readonly status: number; readonly body: Json }> {
  const socketPath = `${daemonDirectory(HERE)}/control.sock`;
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers =
    body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, headers }, async (response) => {
      let told = "";
      for await (const piece of response.setEncoding("utf8")) told += piece;
      resolve({ status: response.statusCode!, body: told === "" ? undefined : JSON.parse(told) });
    });
    asked.on("error", reject);
    asked.end(text);
  });
}

const log = (): Json[] =>
  readFileSync(`${daemonDirectory(HERE)}/daemon.log`, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const messages = (): unknown[] => log().map(({ msg }) => msg);

function daemonPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isDaemon(name))
    .map(Number);
}

function isDaemon(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("daemon\0run\0");
  } catch {
    return false;
  }
}
