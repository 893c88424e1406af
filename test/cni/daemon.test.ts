/** The CNI plugin and what lives longer than it: our daemon, its files, a DHCP client. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  addContainer,
  ask,
  configOf,
  devicesIn,
  leftovers,
  onCni,
  REFERENCE_FOLDER,
  reaches,
  refuse,
  slaves,
  succeed,
} from "./ground.ts";

const FILES = "/var/lib/ipvlan";
/** The first containers of a host come together. */
const FIRST = 8;
const names = Array.from({ length: FIRST }, (_, i) => `c${i}`);
const config = configOf();

await onCni(import.meta.url, { needs: ["dnsmasq", `${REFERENCE_FOLDER}/dhcp`] }, () => {
  before(() => addContainer(...names));
  afterEach(async () => {
    assert.deepEqual(await leftovers(), []);
    assert.deepEqual(names.flatMap(devicesIn), []);
  });

  test("DEL and GC on a host that never had an ADD start no daemon", async () => {
    await succeed({ command: "DEL", container: "c0", config });
    const gc = configOf({ cniVersion: "1.1.0", ipam: {} });
    await succeed({ command: "GC", container: "c0", config: gc });
    assert.ok(!existsSync("/run/ipvlan") && !existsSync(FILES));
  });

  test(`${FIRST} first ADDs at once: the files are laid out once, one daemon serves all`, async () => {
    await Promise.all(names.map((container) => succeed({ command: "ADD", container, config })));
    assert.equal((await slaves()).length, FIRST);
    assert.equal(readdirSync(FILES).length, 1);
    assert.equal(daemons().length, 1);
    await Promise.all(names.map((container) => succeed({ command: "DEL", container, config })));
  });

  test("the daemon is killed: the next command starts one, which knows what was made", async () => {
    const prevResult = await succeed({ command: "ADD", container: "c0", config });
    await killDaemon();
    await succeed({ command: "CHECK", container: "c0", config: { ...config, prevResult } });
    assert.ok(reaches("c0", "10.0.0.1"));
    await killDaemon();
    await succeed({ command: "DEL", container: "c0", config });
  });

  test("files that others may write to are not run", async () => {
    const [folder] = readdirSync(FILES);
    chmodSync(`${FILES}/${folder}`, 0o777);
    assert.match((await refuse({ command: "ADD", container: "c0", config })).msg, /not ours alone/);
    chmodSync(`${FILES}/${folder}`, 0o755);
  });

  test("files that somebody has removed are laid out again", async () => {
    renameSync(FILES, `${FILES}.away`);
    await succeed({ command: "ADD", container: "c0", config });
    await succeed({ command: "DEL", container: "c0", config });
  });

  test("killed while it lays out the files: the next removes what was begun, but not what another is at", async () => {
    renameSync(FILES, `${FILES}.before`);
    const drafts = () => (existsSync(FILES) ? readdirSync(FILES) : []).filter(isDraft);
    let plugin = 0;
    const onPid = (pid: number) => {
      plugin = pid;
    };
    const adding = ask({ command: "ADD", container: "c0", config, onPid });
    while (drafts().length === 0) await sleep(1);
    process.kill(plugin, "SIGKILL");
    assert.equal((await adding).status, null);
    assert.equal(drafts().length, 1);
    const another = `.new-${process.pid}-abcdef`;
    mkdirSync(`${FILES}/${another}`);
    await succeed({ command: "ADD", container: "c0", config });
    assert.deepEqual(drafts(), [another]);
    await succeed({ command: "DEL", container: "c0", config });
    rmSync(`${FILES}/${another}`, { recursive: true });
  });

  test("STATUS: fine where a slave can be made, and tells why where none can", async () => {
    const status = { command: "STATUS", container: "" };
    await succeed({ ...status, config: configOf({ cniVersion: "1.1.0", ipam: {} }) });
    const missing = configOf({ cniVersion: "1.1.0", ipam: { type: "nosuch" } });
    assert.match((await refuse({ ...status, config: missing })).msg, /failed to find plugin/);
  });

  // The server's answer must be a broadcast: the slave's address, by which it would be found, is not there yet.
  test("IPAM dhcp: two containers, which share a MAC, get an address each", async () => {
    const socket = "/run/dhcp.sock";
    const dnsmasq = [
      "nsenter --net=/run/netns/lan dnsmasq --no-daemon --port=0 --interface=w0 --user=root",
      "--dhcp-range=10.0.0.100,10.0.0.120 --dhcp-leasefile=/run/leases --pid-file=",
    ];
    const programs = [
      start(dnsmasq.join(" ")),
      start(`${REFERENCE_FOLDER}/dhcp daemon -broadcast -socketpath ${socket}`),
    ];
    try {
      while (!existsSync(socket)) await sleep(20);
      const ipam = configOf({ ipam: { type: "dhcp", daemonSocketPath: socket } });
      const both = ["c0", "c1"].map((container) => ({ container, config: ipam }));
      const addresses = [];
      for (const one of both)
        addresses.push((await succeed({ command: "ADD", ...one })).ips[0]!.address);
      assert.equal(new Set(addresses).size, 2);
      for (const address of addresses) assert.match(address, /^10\.0\.0\.1[012]\d\/24$/);
      assert.ok(reaches("c0", addresses[1]!.split("/")[0]!) && reaches("c1", "10.0.0.1"));
      for (const one of both) await succeed({ command: "DEL", ...one });
      assert.equal(readFileSync("/run/leases", "utf8").trim(), "");
    } finally {
      for (const program of programs) await end(program);
    }
    const absent = configOf({ ipam: { type: "dhcp", daemonSocketPath: "/run/nobody.sock" } });
    const { text } = await ask({ command: "ADD", container: "c0", config: absent });
    assert.match(text, /error dialing DHCP daemon/);
  });
});

const isDraft = (name: string): boolean => name.startsWith(".new-");

function start(line: string): ChildProcess {
  const [program, ...words] = line.split(" ");
  const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
  return spawn(program!, words, { stdio: "ignore", env: { ...process.env, PATH } });
}

async function end(program: ChildProcess): Promise<void> {
  const ended = once(program, "exit");
  program.kill("SIGKILL");
  await ended;
}

/** Pids; in the sandbox there are no others. */
const daemons = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && commandOf(name).includes(`${FILES}/`))
    .map(Number);

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has just ended
  }
}

async function killDaemon(): Promise<void> {
  for (const pid of daemons()) process.kill(pid, "SIGKILL");
  while (daemons().length > 0) await sleep(10);
}
