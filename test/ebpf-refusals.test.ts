/**
 * Where the eBPF engine cannot be had, what it finds that is not its own, and tables that are full: each is told in one
 * clear line, and nothing is half done.
 */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ADDRESS, BIN, netnsOf, shell } from "../scripts/lab.ts";
import { ping } from "../scripts/ping.ts";
import { startDaemon } from "../src/client/start-daemon.ts";
import { daemonDirectory } from "../src/daemon/run-directory.ts";
import { attachTcx, pin, queryTcx } from "../src/linux/bpf/links.ts";
import { BpfMap } from "../src/linux/bpf/maps.ts";
import { loadProgram } from "../src/linux/bpf/programs.ts";
import * as sys from "../src/linux/sys.ts";
import { needsBpf, returning } from "./bpf.ts";
import { type } from "./control/ground.ts";
import { batch, ports } from "./crowd.ts";
import { daemonPid, until } from "./daemon.ts";
import { inSandbox } from "./in-sandbox.ts";
import { addSlaves, buildLab, SYSTEM_IP } from "./slaves.ts";

const ANSWER_MS = 3000;
const ADD = "ip link add link eth0 name i0 type ipvlan mode l2";

await inSandbox(import.meta.url, { needs: ["nft"] }, () => {
  before(buildLab);
  afterEach(async () => {
    await type("host", "ipvlan daemon stop --remove");
    delete process.env.IPVLAN_WITHOUT;
  });

  describe("where the kernel does not let us", { skip: needsBpf }, () => {
    test("auto takes the userspace engine and says why; ebpf is refused in one line", async () => {
      writeFileSync(
        "/run/inside",
        `mount -t tmpfs tmpfs /run/netns; export IPVLAN_RUN=/run/netns/d PATH=${BIN}:$PATH
         ${SYSTEM_IP} link add eth0 type veth peer name w0; ${SYSTEM_IP} link set eth0 up
         IPVLAN_ENGINE=ebpf ${ADD}; echo "status $?"; ipvlan port show -j; ipvlan daemon stop
         ${ADD}; echo "status $?"; ipvlan status
         ipvlan port set eth0 engine ebpf; echo "status $?"; ipvlan daemon stop --remove`,
      );
      const said = await type(
        "host",
        "unshare --user --map-root-user --net --mount sh /run/inside",
      );
      const told = `${said.stdout}\n${said.stderr}`;
      assert.equal(told.match(/status 2/g)?.length, 2, told);
      assert.match(
        told,
        /engine userspace \(not ebpf: .+it takes CAP_BPF and CAP_NET_ADMIN in the first user namespace/,
      );
      const refusals = said.stderr.split("\n").filter((line) => line !== "");
      assert.equal(refusals.length, 2, said.stderr);
      for (const line of refusals) assert.match(line, /^Error: engine ebpf: .+CAP_BPF.+\.$/);
      assert.match(said.stdout, /^\[\]$/m, "no port is left of the refused slave");
    });

    test("no folder to pin in: so it says", async () => {
      const { dir } = await emptyDaemon();
      writeFileSync(`${dir}/bpf`, "");
      await shell("host", ADD);
      const [port] = await ports();
      assert.equal(port!.engine, "userspace");
      assert.match(port!.engineReason, /^not ebpf: .*\/bpf/);
      rmSync(`${dir}/bpf`);
      const { status, stderr } = await type("host", "ipvlan port set eth0 engine ebpf");
      assert.deepEqual([status, stderr], [0, ""]);
      assert.equal((await ports())[0]!.engine, "ebpf");
    });

    test("no filters of traffic control: found out at the start, not with the first slave", async () => {
      process.env.IPVLAN_WITHOUT = "tc";
      await shell("host", ADD);
      const [port] = await ports();
      assert.equal(port!.engine, "userspace");
      assert.match(port!.engineReason, /^not ebpf: .*CONFIG_NET_CLS_BPF/);
      assert.deepEqual(queryTcx(sys.ifIndex("eth0"), "ingress"), []);
    });

    test("a program that the verifier refuses: one line, and what it says is kept", async () => {
      const broken = copyOfOurs("/run/broken", "receive", returning(0).bytes.subarray(8));
      await shell("host", `${broken} link add link eth0 name i0 type ipvlan mode l2`);
      const [port] = await ports();
      assert.equal(port!.engine, "userspace");
      const [, path] =
        /^not ebpf: load program receive: .* refuses it: [^\n]*all that it says: (\S+)$/.exec(
          port!.engineReason,
        ) ?? [];
      assert.ok(path !== undefined, port!.engineReason);
      assert.match(readFileSync(path, "utf8"), /R0 !read_ok/);
      assert.match(
        readFileSync(`${daemonDirectory(netnsOf("host"))}/daemon.log`, "utf8"),
        /refuses it/,
      );
      assert.deepEqual(queryTcx(sys.ifIndex("eth0"), "ingress"), []);
    });
  });

  describe("what another run left", { skip: needsBpf }, () => {
    test("pins of another version and junk are replaced, and the slaves' frames are counted on", async () => {
      await addSlaves("l2", "bridge");
      await answers();
      const sent = await txOf("ipvl0");
      assert.ok(sent > 0);
      const pins = await killed();
      // Of another shape, of another kind, something that we never pin, a folder.
      repin(`${pins}/slaves`, map(9).fd);
      repin(`${pins}/flood`, map(4).fd);
      repin(`${pins}/input`, loadProgram(returning(0), {}));
      repin(`${pins}/of_yore`, map(4).fd);
      mkdirSync(`${pins}/settings_`);
      rmSync(`${pins}/groups`);
      mkdirSync(`${pins}/groups`);
      await restart();
      await answers();
      assert.ok((await txOf("ipvl0")) > sent);
      assert.equal(hookedAt("eth0"), 1);
    });

    test("counters of another shape are left, and counted anew", async () => {
      await addSlaves("l2", "bridge");
      await answers();
      const pins = await killed();
      repin(`${pins}/statistics`, map(32).fd);
      await restart();
      const few = await txOf("ipvl0");
      await answers();
      assert.ok((await txOf("ipvl0")) > few);
    });

    test("a link to a device that is gone is replaced", async () => {
      await addSlaves("l2", "bridge");
      const pins = await killed();
      await shell("host", `${SYSTEM_IP} link add gone type veth peer name gone2`);
      const link = attachTcx(loadProgram(returning(-1), {}), sys.ifIndex("gone"), "ingress");
      repin(`${pins}/receive`, link);
      await shell("host", `${SYSTEM_IP} link del gone`);
      await restart();
      assert.equal(hookedAt("eth0"), 1);
      await answers();
    });

    test("a daemon that is to use the other engine takes away what hangs at the master", async () => {
      for (const without of ["", "tcx"]) {
        process.env.IPVLAN_WITHOUT = without;
        await addSlaves("l2", "bridge");
        await killed();
        process.env.IPVLAN_ENGINE = "userspace";
        await restart();
        delete process.env.IPVLAN_ENGINE;
        assert.equal((await ports())[0]!.engine, "userspace");
        assert.equal(hookedAt("eth0"), 0);
        assert.doesNotMatch(await shell("host", "tc qdisc show dev eth0"), /clsact/);
        assert.ok(!existsSync(`${daemonDirectory(netnsOf("host"))}/bpf/1`));
        await answers();
        await shell("host", "ipvlan daemon stop --remove");
      }
    });
  });

  describe("too many addresses", { skip: needsBpf }, () => {
    test("the command that asks for one more is refused, and sets nothing", async () => {
      await addSlaves("l2", "bridge");
      const [slave] = (await ports())[0]!.slaves;
      const lines = Array.from(
        { length: slave!.room },
        (_, n) => `addr add 10.9.${n >> 8}.${n & 255}/32 dev ipvl0`,
      );
      await batch("ns0", lines);
      const room = await until(
        async () => (await ports())[0]!.slaves.map((one) => one.room),
        ([first]) => first === 0,
      );
      assert.ok(room[1]! > 0, "another slave has room");
      const one = await type("ns0", "ip addr add 10.0.0.77/24 dev ipvl0");
      assert.deepEqual(
        [one.status, one.stderr],
        [2, "Error: Too many addresses: the ipvlan port is full.\n"],
      );
      writeFileSync("/run/lines", "addr add 10.0.0.77/24 dev ipvl0\n");
      const two = await type("ns0", "ip -batch /run/lines");
      assert.match(two.stderr, /Too many addresses.*\nCommand failed .*:1/);
      assert.doesNotMatch(await shell("ns0", `${SYSTEM_IP} addr show dev ipvl0`), /10\.0\.0\.77/);
      await shell("ns0", "ip addr replace 10.0.0.10/24 dev ipvl0");
      await shell("ns1", "ip addr add 10.0.0.77/24 dev ipvl1");
    });
  });
});

/** A daemon without ports, for the first command to find. */
async function emptyDaemon(): Promise<{ dir: string }> {
  await restart();
  return { dir: daemonDirectory(netnsOf("host")) };
}

async function restart(): Promise<void> {
  const netns = netnsOf("host");
  await startDaemon(daemonDirectory(netns), netns, [`${BIN}/ipvlan`, "daemon", "run"]);
}

/** Kills the daemon; the folder of the port's pins. */
async function killed(): Promise<string> {
  const pid = daemonPid();
  process.kill(pid, "SIGKILL");
  await until(
    async () => existsSync(`/proc/${pid}`),
    (lives) => !lives,
  );
  return `${daemonDirectory(netnsOf("host"))}/bpf/1`;
}

function repin(path: string, fd: number): void {
  rmSync(path, { force: true });
  pin(fd, path);
  sys.close(fd);
}

const map = (valueSize: number): BpfMap =>
  BpfMap.create({ type: "hash", name: "other", keySize: 4, valueSize, maxEntries: 7 });

const hookedAt = (device: string): number => queryTcx(sys.ifIndex(device), "ingress").length;

const txOf = async (name: string): Promise<number> =>
  (await ports())[0]!.slaves.find((slave) => slave.name === name)!.statistics.txPackets!;

async function answers(): Promise<void> {
  for (const to of [ADDRESS.ns1.v4, ADDRESS.lan.v4])
    assert.notEqual(await ping({ netns: "ns0", to }, ANSWER_MS), undefined, to);
}

/** Our command with a program of the engine's replaced; the path that calls it `ip`. */
function copyOfOurs(folder: string, program: string, bytes: Uint8Array): string {
  const ours = fileURLToPath(new URL("../src", import.meta.url));
  cpSync(ours, `${folder}/dist/src`, { recursive: true });
  cpSync(`${ours}/../../package.json`, `${folder}/package.json`);
  symlinkSync(
    fileURLToPath(new URL("../../node_modules", import.meta.url)),
    `${folder}/node_modules`,
  );
  symlinkSync(`${folder}/dist/src/cli/main.js`, `${folder}/ip`);
  const file = `${folder}/dist/src/engine/ebpf/programs.json`;
  const programs = JSON.parse(readFileSync(file, "utf8"));
  programs[program] = {
    ...programs[program],
    bytes: Buffer.from(bytes).toString("base64"),
    maps: [],
    lines: [],
  };
  writeFileSync(file, JSON.stringify(programs));
  return `${folder}/ip`;
}
