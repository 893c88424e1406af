import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { afterEach, before, test } from "node:test";
import { inSandbox } from "../../test/in-sandbox.ts";
import { socketIn } from "./run-directory.ts";

test("a socket's path that the kernel would not take is refused before", () => {
  assert.equal(socketIn("/run/ipvlan/4026531840"), "/run/ipvlan/4026531840/control.sock");
  assert.throws(() => socketIn(`/${"x".repeat(95)}`), /IPVLAN_RUN/);
});

/** Nobody's. */
const UID = 64123;
const AS_USER = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];
const IN_USER_NAMESPACE = ["unshare", "--user", "--map-root-user"];
const OWN = `/tmp/ipvlan-${UID}`;

await inSandbox(import.meta.url, { needs: ["setpriv", "unshare"] }, () => {
  before(() => chmodSync("/run", 0o755)); // as on a host
  afterEach(() => {
    rmSync(OWN, { recursive: true, force: true });
    rmSync("/run/user", { recursive: true, force: true });
  });

  test("it is /run/ipvlan for root, and for who may not serve", () => {
    assert.equal(ask([]), "/run/ipvlan");
    assert.equal(ask(AS_USER), "/run/ipvlan");
  });

  test("it is what IPVLAN_RUN says, for everybody", () => {
    for (const words of [[], AS_USER, [...AS_USER, ...IN_USER_NAMESPACE]])
      assert.equal(ask(words, { IPVLAN_RUN: "/x" }), "/x");
  });

  test("in a user namespace it is /run/ipvlan if that can be made", () => {
    assert.equal(ask(IN_USER_NAMESPACE), "/run/ipvlan");
  });

  test("else it is in the user's runtime folder, if there is one", () => {
    makeFolder("/run/user", UID);
    const words = [...AS_USER, ...IN_USER_NAMESPACE];
    assert.equal(ask(words, { XDG_RUNTIME_DIR: "/run/user" }), "/run/user/ipvlan");
    assert.equal(ask(words, { XDG_RUNTIME_DIR: "/run" }), OWN, "where it may not write");
  });

  test("else it is in /tmp, unless somebody else was there first", () => {
    const words = [...AS_USER, ...IN_USER_NAMESPACE];
    assert.equal(ask(words), OWN);
    makeFolder(OWN, UID);
    assert.equal(ask(words), OWN);
    chmodSync(OWN, 0o750);
    assert.match(ask(words), /not ours alone/);
    rmSync(OWN, { recursive: true });
    makeFolder(OWN, 0);
    assert.match(ask(words), /not ours alone/);
  });
});

function makeFolder(path: string, uid: number): void {
  mkdirSync(path, { mode: 0o700 });
  chownSync(path, uid, uid);
}

/** What a process that is started by these words takes for the folder, or why it refuses to. */
function ask(words: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const file = new URL("run-directory.js", import.meta.url).href;
  const script = `import(${JSON.stringify(file)}).then((m) => console.log(m.runDirectory()))`;
  const [program, ...args] = [...words, process.execPath, "-e", script];
  const { stdout, stderr } = spawnSync(program!, args, {
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...env },
  });
  return stdout.trim() || stderr;
}
