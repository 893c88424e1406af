import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hierarchies, isRoot, makeCgroups, removeCgroups } from "./cgroups.ts";

test("cgroups take processes, and go with all that is below them when the last process is dead", {
  skip: isRoot() ? false : "needs root: makes cgroups",
}, async () => {
  const name = `ipvlan-test-${process.pid}`;
  const cgroups = hierarchies().map((hierarchy) => `${hierarchy}/${name}`);
  const sleeper = spawn("sleep", ["1000"]);
  after(async () => {
    sleeper.kill("SIGKILL");
    await removeCgroups(name);
  });
  makeCgroups(name);
  for (const cgroup of cgroups) mkdirSync(`${cgroup}/pod`);
  for (const cgroup of cgroups) {
    // Below a cpuset only a filled one takes processes, and whoever makes it fills it from this one.
    const at = cgroup.includes("cpuset") ? cgroup : `${cgroup}/pod`;
    writeFileSync(`${at}/cgroup.procs`, String(sleeper.pid));
    assert.match(readFileSync(`${at}/cgroup.procs`, "utf8"), new RegExp(`^${sleeper.pid}$`, "m"));
  }
  const removing = removeCgroups(name);
  await sleep(100);
  assert.ok(cgroups.some(existsSync), "waits for the process");
  sleeper.kill("SIGKILL");
  await removing;
  assert.deepEqual(cgroups.filter(existsSync), []);
});
