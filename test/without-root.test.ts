/**
 * An ordinary user, root of a user namespace of his own (`unshare -Urn`), where he may neither mount nor write to /run:
 * slaves in two child namespaces reach one another by the userspace engine, and he is told why it is not the other.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inSandbox } from "./in-sandbox.ts";

const UID = 65534;
const AS_USER = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];
const RUNTIME = "/run/user";
const COMMAND = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));

const SCRIPT = `
  ipvlan() { ${JSON.stringify(process.execPath)} ${JSON.stringify(COMMAND)} "$@"; }
  within() { pid=$1; shift; nsenter --target $pid --net "$@"; }
  ip link add eth0 type veth peer name w0
  ip link set eth0 up
  ip link set w0 up
  unshare --net sleep 60 & one=$!
  unshare --net sleep 60 & two=$!
  while [ $(readlink /proc/$one/ns/net /proc/$two/ns/net /proc/self/ns/net | sort -u | wc -l) -lt 3 ]; do
    sleep 0.05
  done
  ipvlan link add link eth0 name i0 netns $one type ipvlan mode l2
  ipvlan link add link eth0 name i0 type ipvlan
  ipvlan link set i0 netns $two
  for pid in $one $two; do
    within $pid ip link set lo up
    within $pid ip link set i0 up
  done
  within $one ip addr add 10.0.0.1/24 dev i0
  within $two ip addr add 10.0.0.2/24 dev i0
  within $one ping -c 3 -i 0.2 -W 5 10.0.0.2
  ipvlan status
  ipvlan port set eth0 engine ebpf && exit 1
  ipvlan daemon stop --remove
  kill $one $two
`;

await inSandbox(import.meta.url, { needs: ["setpriv", "unshare", "ping"] }, () => {
  test("without root and without /run: two slaves ping one another", { skip: whyNot() }, () => {
    chmodSync("/run", 0o755); // as on a host
    mkdirSync(RUNTIME, { mode: 0o700 });
    chownSync(RUNTIME, UID, UID);
    const { status, stdout, stderr } = asUser(["unshare", "-Urn", "sh", "-ec", SCRIPT]);
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /[1-3] received/);
    assert.match(stdout, /i0 .* 10\.0\.0\.1\/24[\s\S]*i0 .* 10\.0\.0\.2\/24/);
    assert.match(stdout, /engine userspace \(not ebpf: .*first user namespace: be root there\)/);
    assert.match(stderr, /engine ebpf: .*be root there/);
    assert.deepEqual(readdirSync(`${RUNTIME}/ipvlan`), [], "nothing is left");
  });
});

function asUser(words: readonly string[]) {
  const [program, ...args] = [...AS_USER, ...words];
  return spawnSync(program!, args, {
    encoding: "utf8",
    env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, XDG_RUNTIME_DIR: RUNTIME },
  });
}

function whyNot(): string | false {
  if (asUser(["true"]).status !== 0) return "there is no other user in this sandbox";
  if (asUser(["test", "-r", COMMAND]).status !== 0) return "others may not read this folder";
  const { status, stderr } = asUser(["unshare", "-Urn", "true"]);
  return status !== 0 && `ordinary users get no user namespace: ${stderr.trim()}`;
}
