/** `ipvlan install cni`: podman takes what it has put there, before the distribution's plugin of the same name. */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { test } from "node:test";
import { shell } from "../../scripts/lab.ts";
import { onPodman, reaches, removeAll, runAt, writeNetwork } from "./ground.ts";

const PLUGIN = "/usr/local/libexec/cni/ipvlan";

await onPodman(import.meta.url, {}, () => {
  test("a container gets a slave by the installed plugin, which goes when it is uninstalled", async () => {
    rmSync(PLUGIN);
    assert.match(await shell("host", "ipvlan install cni"), /^\/usr\/local.* is installed$/m);
    writeNetwork({ mode: "l2" });
    await runAt("a", "--network ipvl");
    assert.ok(await reaches("a", "10.0.0.1"));
    assert.match(await shell("host", "ipvlan port show"), /^eth0: mode l2 /);
    await removeAll();
    assert.match(await shell("host", "ipvlan uninstall cni"), /^\/usr\/local.* is removed$/m);
    assert.equal(existsSync(PLUGIN), false);
  });
});
