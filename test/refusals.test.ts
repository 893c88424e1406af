/**
 * Bad input: what is refused, in whose words, and that nothing half-made is left of it. Beyond what
 * `control.test.ts` replays (masters that macvlans and bridges hold among it): names, namespaces, MTUs, lines that
 * end too soon, people without the right, and values that only the control socket can be sent.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { buildLan, netnsOf, shell } from "../scripts/lab.ts";
import type { ControlError } from "../src/daemon/control.ts";
import { daemonDirectory, runDirectory } from "../src/daemon/run-directory.ts";
import { ipvlanUsage } from "../src/words/ipvlan-words.ts";
import { buildGround, clearGround, takeStock, type } from "./control/ground.ts";
import { inSandbox } from "./in-sandbox.ts";
import { type PortShown, SYSTEM_IP } from "./slaves.ts";

const INCOMPLETE = [255, 'Command line is not complete. Try option "help"\n'] as const;
const INVALID = [2, "RTNETLINK answers: Invalid argument\n"] as const;
const EXISTS = [2, "RTNETLINK answers: File exists\n"] as const;
const TOO_SMALL = [2, "Error: mtu less than device minimum.\n"] as const;
const NOT_PERMITTED = [2, "RTNETLINK answers: Operation not permitted\n"] as const;

const unknownOption = (word: string) =>
  [1, `ipvlan: unknown option "${word}"?\n${ipvlanUsage}\n`] as const;
const wrong = (word: string, what: string) =>
  [255, `Error: argument "${word}" is wrong: ${what}\n`] as const;

const LONG = "sixteen-bytes-ab";

/** Words behind `ip link add`, exit status and what is said. */
const LINES: readonly (readonly [string, readonly [number, string]])[] = [
  ["link nosuch name i9 type ipvlan", [1, 'Cannot find device "nosuch"\n']],
  ["link lo name i9 type ipvlan", INVALID],
  ["name i9 type ipvlan mode l2", INVALID],
  [
    "link eth0 name i9 type ipvlan mode L2",
    [1, 'Error: argument of "mode" must be either "l2", "l3" or "l3s"\n'],
  ],
  ["link eth0 name i9 type ipvlan flags", unknownOption("flags")],
  ["link eth0 name i9 type ipvlan mode l2 private vepa", unknownOption("vepa")],
  ["link eth0 name i9 type ipvlan mode", INCOMPLETE],
  ["link eth0 name i9 type", INCOMPLETE],
  ["link eth0 name", INCOMPLETE],
  ["link eth0 name i9 netns", INCOMPLETE],
  [`link eth0 name ${LONG} type ipvlan`, wrong(LONG, '"name" not a valid ifname')],
  [`link eth0 ${LONG} type ipvlan`, [2, "Error: Attribute failed policy validation.\n"]],
  ["link eth0 name a/b type ipvlan", wrong("a/b", '"name" not a valid ifname')],
  ["link eth0 name .. type ipvlan", INVALID],
  ["link eth0 name w0 type ipvlan mode l2", EXISTS],
  ["link eth0 name lo netns ns0 type ipvlan mode l3s", EXISTS],
  ["link eth0 name i9 netns nosuch type ipvlan", wrong("nosuch", 'Invalid "netns" value')],
  ["link eth0 name i9 netns /proc/version type ipvlan", INVALID],
  ["link eth0 name i9 mtu 67 type ipvlan", TOO_SMALL],
  ["link eth0 name i9 mtu 0 type ipvlan", TOO_SMALL],
  ["link eth0 name i9 mtu -1 type ipvlan", TOO_SMALL],
  ["link eth0 name i9 mtu 65536 type ipvlan", [2, "Error: mtu greater than device maximum.\n"]],
  ["link eth0 name i9 mtu big type ipvlan", wrong("big", 'Invalid "mtu" value')],
];

/** Bodies that the command never sends, and the code they are refused with. */
const BODIES: readonly (readonly ["POST" | "PATCH", string, unknown, string])[] = [
  ["POST", "/v1/links", { master: "eth0", name: "i9", flag: ["private", "vepa"] }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", flag: 3 }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", mode: 3 }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", mode: "l4" }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", mtu: 1.5 }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", up: "maybe" }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "" }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: LONG }, "ERANGE"],
  ["POST", "/v1/links", { master: "eth0" }, "EINVAL"],
  ["POST", "/v1/links", { name: "i9" }, "EINVAL"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", target: "/run/netns/nosuch" }, "ENOENT"],
  ["POST", "/v1/links", { master: "eth0", name: "i9", target: "/proc/version" }, "EINVAL"],
  ["PATCH", "/v1/links", { name: "i0", flag: ["private", "vepa"] }, "EINVAL"],
  ["PATCH", "/v1/links", { name: "i0", mode: 4 }, "EINVAL"],
  ["PATCH", "/v1/links", { name: "i9", mode: "l2" }, "ENODEV"],
  ["PATCH", "/v1/ports", { master: "eth0", compat: "both" }, "EINVAL"],
  ["PATCH", "/v1/ports", { master: "eth0", engine: "warp" }, "EINVAL"],
  ["PATCH", "/v1/ports", { master: "w0", compat: "kernel" }, "ENODEV"],
  ["PATCH", "/v1/ports", { master: "w0", engine: "ebpf" }, "ENODEV"],
  ["POST", "/v1/links", "neither object nor JSON", "EINVAL"],
  ["POST", "/v1/nothing", {}, "EOPNOTSUPP"],
];

/** Lines that change something, beside a port that runs. */
const CHANGES = [
  "ip link add link eth0 name i9 type ipvlan mode l2",
  "ip link set i0 type ipvlan mode l3",
  "ip link del i0",
  "ipvlan port set eth0 compat kernel",
  "ipvlan port set eth0 engine userspace",
  "ipvlan daemon stop --remove",
];
const NOT_FOR_NOBODY = [
  ...CHANGES,
  "ip link set nosuch type ipvlan mode l3", // it may be a slave, who knows
  "ipvlan port show",
  "ipvlan status",
  "ipvlan daemon run",
];
/** Root, but not of the user namespace that owns the network namespace. */
const AS_OTHER_ROOT = "unshare --user --map-root-user";
const AS_NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups";

await inSandbox(import.meta.url, { needs: ["nft", "setpriv"] }, () => {
  before(async () => {
    await buildLan(); // for the names of our command
    await shell("host", `${SYSTEM_IP} link del eth0; ${SYSTEM_IP} netns del lan`);
  });

  describe("on a host without ports", () => {
    before(buildGround);
    after(clearGround);

    test("who is not root is refused, and no daemon was started", {
      skip: noNobody(),
    }, async () => {
      await isRefused(`${AS_NOBODY} ip link add link eth0 name i9 type ipvlan`, NOT_PERMITTED);
      await isRefused(`${AS_NOBODY} ipvlan daemon run`, NOT_PERMITTED);
      assert.ok(!existsSync(runDirectory()));
    });
    test("a master that does not exist starts no daemon", async () => {
      await isRefused("ip link add link nosuch name i9 type ipvlan", LINES[0]![1]);
      assert.ok(!existsSync(runDirectory()));
    });
    for (const [words, answer] of LINES)
      test(`link add ${words}`, async () => {
        await isRefused(`ip link add ${words}`, answer);
        assert.deepEqual(await showPorts(), []);
      });
  });

  describe("beside a port that runs", () => {
    before(async () => {
      await buildGround();
      await shell("host", "ip link add link eth0 name i0 type ipvlan mode l2 private");
      await shell("host", "ip link add link eth0 name i1 netns ns0 type ipvlan");
    });
    after(clearGround);

    for (const [words, answer] of LINES)
      test(`link add ${words}`, () => isRefused(`ip link add ${words}`, answer));
    test("a slave's name is taken, in its namespace", async () => {
      await isRefused("ip link add link eth0 name i0 type ipvlan mode l3", EXISTS);
      await isRefused("ip link add link eth0 name i1 netns ns0 type ipvlan vepa", EXISTS);
    });
    test("who is not root is refused everything", { skip: noNobody() }, async () => {
      for (const line of NOT_FOR_NOBODY) await isRefused(`${AS_NOBODY} ${line}`, NOT_PERMITTED);
    });
    test("root of a user namespace inside may look, and change nothing", async () => {
      for (const line of CHANGES) await isRefused(`${AS_OTHER_ROOT} ${line}`, NOT_PERMITTED);
      assert.equal((await type("host", `${AS_OTHER_ROOT} ipvlan status`)).status, 0);
    });
    for (const [method, path, body, code] of BODIES)
      test(`${method} ${path} ${JSON.stringify(body)}: ${code}`, async () => {
        const before = await takeStockOfPorts();
        const { status, error } = await send(method, path, body);
        assert.ok(status >= 400 && status < 500, String(status));
        assert.equal(error.code, code);
        assert.ok(error.errno > 0 && error.message !== "");
        assert.deepEqual(await takeStockOfPorts(), before);
      });
  });
});

async function isRefused(line: string, [status, stderr]: readonly [number, string]): Promise<void> {
  const before = await takeStockOfPorts();
  const answer = await type("host", line);
  assert.deepEqual({ line, ...answer }, { line, status, stdout: "", stderr });
  assert.deepEqual(await takeStockOfPorts(), before);
}

const showPorts = async (): Promise<PortShown[]> =>
  JSON.parse((await type("host", "ipvlan port show -j")).stdout);

const takeStockOfPorts = async (): Promise<unknown> => ({
  devicesAndRules: await takeStock(),
  ports: (await showPorts()).map(({ master, mode, flag, slaves }) => ({
    master,
    mode,
    flag,
    slaves: slaves.map(({ name }) => name),
  })),
});

/** Why nobody cannot ask here; false if it can. */
function noNobody(): string | false {
  const { status, stderr } = spawnSync("sh", ["-c", `${AS_NOBODY} true`], { encoding: "utf8" });
  return status !== 0 && `there is no other user in this sandbox: ${stderr.trim()}`;
}

/** To the daemon, past the command; objects are about the host. */
function send(
  method: string,
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly error: ControlError }> {
  const netns = netnsOf("host");
  const socketPath = `${daemonDirectory(netns)}/control.sock`;
  const headers = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, headers }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      resolve({ status: response.statusCode!, error: JSON.parse(text).error });
    });
    asked.on("error", reject);
    asked.end(typeof body === "string" ? body : JSON.stringify({ netns, ...(body as object) }));
  });
}
