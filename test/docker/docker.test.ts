/** docker with networks of ours: what people type, and what containers get. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { docker, IMAGE, onDocker, reaches } from "./ground.ts";

await onDocker(import.meta.url, {}, () => {
  test("containers reach each other, by name too, and the LAN", async () => {
    await docker("network create -d ipvl --subnet 10.0.0.0/24 --gateway 10.0.0.1 -o parent=eth0 n");
    await docker(`run -d --name one --network n --ip 10.0.0.10 ${IMAGE} sleep 1000`);
    await docker(`run -d --name two --network n --ip 10.0.0.11 ${IMAGE} sleep 1000`);
    assert.match(await docker("exec one ip route"), /^default via 10\.0\.0\.1 dev eth0/);
    assert.ok(await reaches("one", "10.0.0.1"));
    assert.ok(await reaches("one", "10.0.0.11"));
    assert.ok(await reaches("one", "two"));
    await docker("rm -f one two");
    await docker("network rm n");
  });
});
