/** `install` and `uninstall`, on real files below a root of their own. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Host, install } from "../src/install/install.ts";
import type { TargetName } from "../src/install/targets.ts";
import { uninstall } from "../src/install/uninstall.ts";

const COMMAND = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
const OPT = "/opt/cni/bin/ipvlan";
const LIBEXEC = "/usr/local/libexec/cni/ipvlan";
const NODE = process.execPath;

function newHost(t: TestContext, programs: Partial<Host> = {}): Host {
  const root = mkdtempSync(path.join(tmpdir(), "ipvlan-install-"));
  t.after(() => rmSync(root, { recursive: true }));
  return { root, node: NODE, script: "/lib/ipvlan/main.js", systemctl: undefined, ...programs };
}

function put({ root }: Host, file: string, text: string): void {
  mkdirSync(path.dirname(root + file), { recursive: true });
  writeFileSync(root + file, text);
}

const read = ({ root }: Host, file: string): string => readFileSync(root + file, "utf8");

/** Every file and folder below the root. */
const all = ({ root }: Host): string[] =>
  readdirSync(root, { recursive: true, encoding: "utf8" }).sort();

test("cni: the plugin is in both folders, runs without a PATH, and goes with its folders", (t) => {
  const host = newHost(t);
  mkdirSync(`${host.root}/var/lib`, { recursive: true });
  const before = all(host);
  const lines = install("cni", host);
  assert.deepEqual(lines.slice(0, 2), [`${OPT} is installed`, `${LIBEXEC} is installed`]);
  for (const file of [OPT, LIBEXEC]) {
    const env = { CNI_COMMAND: "VERSION" };
    const answer = execFileSync(host.root + file, { env, encoding: "utf8" });
    assert.match(answer, /"supportedVersions"/);
    assert.equal(statSync(host.root + file).mode & 0o777, 0o755);
  }
  const { lines: removed } = uninstall("cni", host);
  assert.deepEqual(removed, [`${OPT} is removed`, `${LIBEXEC} is removed`]);
  assert.deepEqual(all(host), before);
});

test("twice is as good as once, and a second time nothing is left to uninstall", (t) => {
  const host = newHost(t);
  install("cni", host);
  const before = all(host);
  assert.equal(install("cni", host)[0], `${OPT} is up to date`);
  assert.deepEqual(all(host), before);
  uninstall("cni", host);
  assert.deepEqual(uninstall("cni", host), { lines: ["Nothing of cni is installed"], left: [] });
});

test("a plugin of somebody else's is set aside, through updates of ours and of theirs, and comes back", (t) => {
  const host = newHost(t);
  put(host, OPT, "reference");
  assert.match(install("cni", host)[0]!, /what was there is now \/opt\/cni\/bin\/ipvlan\.kernel$/);
  assert.equal(read(host, `${OPT}.kernel`), "reference");
  const newer = { ...host, node: "/usr/local/bin/node" };
  assert.match(install("cni", newer)[0]!, /replaced by this version/);
  assert.equal(read(host, `${OPT}.kernel`), "reference");
  put(host, OPT, "reference 2");
  install("cni", newer);
  assert.match(read(host, OPT), /^#!\/usr\/local\/bin\/node\n/);
  assert.equal(uninstall("cni", newer).lines[0], `${OPT} is again what was there before`);
  assert.equal(read(host, OPT), "reference 2");
  assert.deepEqual(readdirSync(`${host.root}/opt/cni/bin`), ["ipvlan"]);
});

test("what cannot be set aside is left alone, and so is all the rest", (t) => {
  const host = newHost(t);
  put(host, LIBEXEC, "reference");
  put(host, `${LIBEXEC}.kernel`, "somebody's");
  const before = all(host);
  assert.throws(() => install("cni", host), /ipvlan\.kernel is in the way/);
  assert.deepEqual(all(host), before);
  assert.equal(read(host, LIBEXEC), "reference");
});

test("if the second file cannot be written, the first is what it was", (t) => {
  const host = newHost(t);
  put(host, OPT, "reference");
  put(host, "/usr/local/libexec", "no folder");
  const before = all(host);
  assert.throws(() => install("cni", host), {
    message: `cannot install ${LIBEXEC}: not a directory (ENOTDIR)`,
  });
  assert.deepEqual(all(host), before);
  assert.equal(read(host, OPT), "reference");
});

test("if it cannot be noted what was installed, nothing is", (t) => {
  const host = newHost(t);
  put(host, "/var/lib/ipvlan/install/cni.json.new/file", "");
  const before = all(host);
  assert.throws(() => install("cni", host), /^Error: cannot note what was installed: /);
  assert.deepEqual(all(host), before);
});

test("a file that was changed stays, the others go", (t) => {
  const host = newHost(t);
  put(host, OPT, "reference");
  install("cni", host);
  put(host, OPT, "mine");
  assert.deepEqual(uninstall("cni", host), { lines: [`${LIBEXEC} is removed`], left: [OPT] });
  assert.deepEqual([read(host, OPT), read(host, `${OPT}.kernel`)], ["mine", "reference"]);
  rmSync(host.root + OPT);
  assert.deepEqual(uninstall("cni", host).left, []);
  assert.equal(read(host, OPT), "reference");
});

test("units call this node and this script, whatever their paths, and systemd takes them", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'ipvlan $5% "q" '));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = path.join(folder, "main.js");
  writeFileSync(script, "");
  const host = newHost(t, { script });
  for (const name of ["docker", "systemd"] as const) install(name, host);
  const folderOfUnits = `${host.root}/etc/systemd/system`;
  const units = readdirSync(folderOfUnits).map((name) => path.join(folderOfUnits, name));
  assert.deepEqual(units.map((unit) => path.basename(unit)).sort(), [
    "ipvlan-docker.service",
    "ipvlan.service",
    "ipvlan.socket",
  ]);
  const escaped = script.replaceAll("%", "%%").replaceAll("$", "$$$$").replaceAll('"', '\\"');
  const line = `ExecStart=${NODE} "${escaped}" docker run\n`;
  assert.ok(read(host, "/etc/systemd/system/ipvlan-docker.service").includes(line));
  const verified = spawnSync("systemd-analyze", ["verify", "--man=no", ...units], {
    encoding: "utf8",
  });
  if (verified.error !== undefined) return t.skip("needs the program systemd-analyze");
  assert.deepEqual([verified.status, verified.stderr], [0, ""]);
});

test("systemd hears of new units, and ends those that go before they go", (t) => {
  const said: string[] = [];
  const host = newHost(t, {
    systemctl: (...words) => {
      const isThere = existsSync(`${host.root}/etc/systemd/system/ipvlan-docker.service`);
      said.push(`${isThere ? "there" : "gone"}: ${words.join(" ")}`);
    },
  });
  for (const name of ["cni", "docker"] satisfies TargetName[]) install(name, host);
  uninstall("docker", host);
  assert.deepEqual(said, [
    "there: daemon-reload",
    "there: disable --now ipvlan-docker.service",
    "gone: daemon-reload",
  ]);
});

test("a node whose path cannot stand behind #! is told", (t) => {
  assert.throws(() => install("cni", newHost(t, { node: "/my node" })), /interpreter/);
});

// The command

function type(words: readonly string[], options: { uid?: number } = {}) {
  const { status, stdout, stderr } = spawnSync(NODE, [COMMAND, ...words], {
    encoding: "utf8",
    ...options,
  });
  return { status, stdout, stderr };
}

test("the command prints a line for each file, and what to type next", (t) => {
  const { root } = newHost(t);
  assert.deepEqual(type(["install", "docker", "--root", root]), {
    status: 0,
    stdout:
      "/etc/systemd/system/ipvlan-docker.service is installed\n" +
      "Next: systemctl enable --now ipvlan-docker\n",
    stderr: "",
  });
  writeFileSync(`${root}/etc/systemd/system/ipvlan-docker.service`, "mine");
  const stays =
    "ipvlan: /etc/systemd/system/ipvlan-docker.service stays: it is not what was installed\n";
  assert.deepEqual(type(["uninstall", "docker", "--root", root]), {
    status: 2,
    stdout: "",
    stderr: stays,
  });
});

test("who may not is told so in a line", (t) => {
  const { root } = newHost(t);
  chmodSync(root, 0o555);
  const user = process.geteuid!() === 0 ? { uid: 65534 } : {};
  const readable = spawnSync("test", ["-r", COMMAND], user).status === 0;
  if (!readable) return t.skip("others may not read this folder");
  const { status, stdout, stderr } = type(["install", "cni", "--root", root], user);
  assert.deepEqual(
    { status, stdout, stderr },
    {
      status: 2,
      stdout: "",
      stderr: `ipvlan: cannot install ${OPT}: permission denied (EACCES)\n`,
    },
  );
});

test("a root that is not there is refused", () => {
  const { status, stderr } = type(["install", "cni", "--root", "/nonexistent"]);
  assert.deepEqual([status, stderr], [1, 'ipvlan: --root: "/nonexistent" is no folder\n']);
});
