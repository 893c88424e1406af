/** `ipvlan install docker`: what the unit says is run here in systemd's place, with the capabilities that it leaves. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ADDRESS, shell } from "../../scripts/lab.ts";
import { Service } from "../containers.ts";
import { docker, driver, onDocker, reaches, removeAll, runAt } from "./ground.ts";

const UNIT = "/etc/systemd/system/ipvlan-docker.service";

await onDocker(import.meta.url, { engines: "ebpf", needs: ["setpriv"] }, () => {
  test("the installed service does with its capabilities all that containers need, the daemon included", async () => {
    await driver.end();
    await shell("host", "ipvlan daemon stop --remove || true");
    const said = await shell("host", "ipvlan install docker");
    assert.match(said, /^\/etc\/systemd\/system\/ipvlan-docker\.service is installed$/m);
    const unit = readFileSync(UNIT, "utf8");
    assert.equal(await shell("host", "ipvlan uninstall docker"), `${UNIT} is removed\n`);
    const find = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(unit)![1]!;
    const capabilities = find("CapabilityBoundingSet").toLowerCase().replaceAll("cap_", "+");
    const service = new Service(
      [
        "setpriv",
        `--bounding-set=-all,${capabilities.replaceAll(" ", ",")}`,
        "--no-new-privs",
        ...find("ExecStart").split(" "),
      ],
      "test -S /run/docker/plugins/ipvl.sock",
    );
    await service.start();
    try {
      await docker("network create -d ipvl --subnet 10.0.0.0/24 -o parent=eth0 n");
      await runAt("one", `--network n --ip ${ADDRESS.ns0.v4}`);
      assert.ok(await reaches("one", ADDRESS.lan.v4));
      await removeAll();
      await docker("network create -d ipvl --subnet 10.1.0.0/24 alone"); // a master that it makes
      await runAt("one", "--network alone");
      await removeAll();
    } finally {
      await service.end();
    }
  });
});
