/** Every mode with every flag: whom a container reaches, by IPv4 and IPv6, and by which way it gets out. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { ADDRESS, addLanRoutes, FAMILIES } from "../../scripts/lab.ts";
import { type Flag, flags, type Mode, modes } from "../../src/driver/settings.ts";
import { docker, onDocker, reaches, removeAll, runAt } from "./ground.ts";

await onDocker(import.meta.url, { engines: "both", usually: "ebpf" }, () => {
  before(addLanRoutes);

  for (const mode of Object.keys(modes) as Mode[])
    for (const flag of Object.keys(flags) as Flag[])
      test(`${mode} ${flag}: containers reach the LAN${flag === "bridge" ? " and each other" : ", not each other"}`, async () => {
        const subnets = "--subnet 10.0.0.0/24 --ipv6 --subnet fd00::/64";
        const options = `-o parent=eth0 -o ipvlan_mode=${mode} -o ipvlan_flag=${flag}`;
        await docker(
          `network create -d ipvl ${subnets} --gateway 10.0.0.1 --gateway fd00::1 ${options} n`,
        );
        for (const [end, name] of [
          ["ns0", "one"],
          ["ns1", "two"],
        ] as const)
          await runAt(name, `--network n --ip ${ADDRESS[end].v4} --ip6 ${ADDRESS[end].v6}`);
        for (const family of FAMILIES) {
          assert.ok(await reaches("one", ADDRESS.lan[family]), `the LAN by ${family}`);
          assert.equal(
            await reaches("one", ADDRESS.ns1[family]),
            flag === "bridge",
            `the other by ${family}`,
          );
        }
        const isL2 = mode === "l2";
        assert.match(
          await docker("exec one ip route"),
          isL2 ? /^default via 10\.0\.0\.1 dev eth0/ : /^default dev eth0 scope link/,
        );
        assert.match(
          await docker("exec one ip -6 route"),
          isL2 ? /^default via fd00::1 dev eth0/m : /^default dev eth0/m,
        );
        await removeAll();
      });
});
